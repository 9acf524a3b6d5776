"""Waiting for orders, sharing work out, and what a run says in the end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from tests.replay.accounts import SetUpFailed, is_local, people_of, read_tokens
from tests.replay.board import Board, Standing
from tests.replay.cli import _parser, _scene, main
from tests.replay.drive import nothing_happened, spread
from tests.replay.figures import Figures
from tests.replay.report import Outcome, Progress
from tests.replay.test_trips import TAXI, write

PAID = Standing("o", "paid", 4, "w")


async def test_news_wakes_who_waits() -> None:
    board = Board()
    board.note(PAID)
    waiting = asyncio.create_task(board.moved(PAID, within_s=5))
    await asyncio.sleep(0)
    assert board.note(Standing("o", "accepted", 5, "w"))
    assert await waiting


async def test_late_news_is_no_news() -> None:
    board = Board()
    board.note(PAID)
    assert not board.note(Standing("o", "pending_payment", 3, "w"))
    assert board.get("o") == PAID
    assert not await board.moved(PAID, within_s=0.01)


async def test_a_poke_makes_waiters_look_again() -> None:
    board, found = Board(), list[int]()
    waiting = asyncio.create_task(board.wait("o", lambda: bool(found), within_s=5))
    await asyncio.sleep(0)
    found.append(1)
    board.poke("o")
    assert await waiting


def test_a_standing_is_read_from_a_fact_and_from_an_order() -> None:
    assert Standing.of({"order_id": "o", "status": "paid", "version": 4, "worker_id": "w"}) == PAID
    assert Standing.of({"id": "o", "status": "paid", "version": 4, "worker": {"worker_id": "w"}}) == PAID
    assert Standing.of({"id": "o", "status": "in_pool", "version": 1, "worker": None}).worker_id is None


@pytest.mark.parametrize(("total", "among", "shares"), [(5, 2, [3, 2]), (4, 2, [2, 2]), (1, 1, [1]), (0, 0, [])])
def test_orders_are_shared_out(total: int, among: int, shares: list[int]) -> None:
    assert spread(total, among) == shares


def test_the_last_line_is_one_object() -> None:
    figures = Figures()
    figures.add("orders", 3)
    figures.took("grab_to_answer_ms", 0.0123)
    outcome = Outcome(figures, ("order o was won twice",), 12.34, 7, 4.0)
    found = orjson.loads(outcome.as_json())
    assert (found["ok"], found["orders"], found["completed"], found["seed"]) == (False, 3, 0, 7)
    assert found["grab_to_answer_ms"] == {"p50": 12.3, "p95": 12.3, "p99": 12.3, "count": 1}
    assert found["findings"] == ["order o was won twice"]
    assert "1 FINDINGS" in outcome.as_table()


def test_a_clean_run_says_so() -> None:
    assert "no findings" in Outcome(Figures(), (), 1.0, 1, 1.0).as_table()


def test_a_run_without_effect_is_a_finding() -> None:
    figures = Figures()
    figures.add("orders", 12)
    assert nothing_happened(figures) == [
        "12 orders and not one of offers: this run has tested nothing",
        "12 orders and not one of completed: this run has tested nothing",
    ]
    figures.add("offers", 5)
    figures.add("completed")
    assert nothing_happened(figures) == []


def test_tokens_are_read_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    row = {"account_id": "acc_1", "access_token": "t", "access_expires_at": "2026-01-05T02:00:00.000Z"}
    path.write_bytes(b"\n".join(orjson.dumps(row | more) for more in ({"worker_id": "wrk_1"}, {}, {"role": "admin"})))
    people = people_of(path, technicians=1, customers=1)
    assert (people.technicians[0].worker_id, people.staff[0].roles) == ("wrk_1", ("admin",))
    with pytest.raises(SetUpFailed, match="this run needs 2, 1 and 1"):
        people_of(path, technicians=2, customers=1)
    path.write_text("{}\n")
    with pytest.raises(SetUpFailed, match="line 1"):
        read_tokens(path)


@pytest.mark.parametrize(("url", "local"), [("http://127.0.0.1:8080", True), ("https://hub.example", False)])
def test_only_a_hub_of_this_machine_takes_commands(url: str, local: bool) -> None:
    assert is_local(url) is local


def test_trips_without_areas_get_a_square(tmp_path: Path) -> None:
    scene = _scene(_parser().parse_args(["--trips", str(write(tmp_path, TAXI)), "--workers", "4"]), "", Progress())
    assert len(scene.trips) == 4
    assert len(scene.places.points) == 8


def test_an_absent_hub_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--hub", "http://127.0.0.1:9"]) == 2
    assert "no hub is ready" in capsys.readouterr().err
