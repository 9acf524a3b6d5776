"""A bounded part of the schedules of `interleave`, and proof that it finds what it is there to find."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.money.interleave import SCENES, Play
from tests.money.stepping import Choice, Explorer, Op, independent, op_of

SCHEDULES = 3
"""For each scene, of each kind: a sample. Counted, not timed: the machine may be busy."""

NO_LOCK = {
    r"FROM order_gate\(\$1, \$2\)": "FROM orders WHERE id = $1 AND ($2::text IS NULL OR customer_id = $2)",
    r"FOR (NO KEY )?UPDATE( OF \w+)?": "",
}
NO_VERSION = {r"WHERE id = \$1 AND version = \$2": "WHERE id = $1 AND $2::int IS NOT NULL"}


@asynccontextmanager
async def playing(server: str, name: str) -> AsyncIterator[Play]:
    async with Play.open(server, name) as play:
        yield play


def test_statements_are_taken_for_more_than_they_are_rather_than_for_less() -> None:
    assert op_of("SELECT id FROM orders WHERE id = $1") == Op("read", frozenset({"orders"}))
    assert op_of("SELECT id FROM orders AS o JOIN calls c ON true FOR UPDATE") == Op(
        "write", frozenset({"orders", "calls"})
    )
    assert op_of("INSERT INTO jobs (kind) VALUES ($1)") == Op("write", frozenset({"jobs"}))
    assert op_of("SELECT provider_id FROM order_gate($1, $2)") == Op("write", frozenset({"orders", "gate"}))
    assert op_of("SELECT something_new($1)").tables == frozenset({"*"})
    assert op_of("COMMIT").kind == "end"


def test_what_may_change_places() -> None:
    read, write, other = (
        Op(kind, frozenset({table})) for kind, table in (("read", "a"), ("write", "a"), ("write", "b"))
    )
    end = Op("end", frozenset({"a"}))
    assert independent(read, read)
    assert independent(read, write)
    assert not independent(read, end)
    assert not independent(write, write)
    assert independent(write, other)
    assert not independent(write, end)
    assert independent(other, end)


@pytest.mark.parametrize(("reduce", "expected"), [(False, 20), (True, 2)])
def test_all_schedules_are_walked_and_equal_ones_once(reduce: bool, expected: int) -> None:
    """Two actors of three statements: 20 orders, of which the reduction keeps those that differ to somebody."""
    p, q, r = (frozenset({table}) for table in "pqr")
    mine = {"x": [Op("read", r), Op("write", p), Op("end", p)], "y": [Op("write", q), Op("read", p), Op("end", q)]}
    explorer, seen = Explorer(reduce=reduce), []
    while not explorer.is_done:
        left = {name: list(ops) for name, ops in mine.items()}
        path = ""
        while enabled := {name: ops[0] for name, ops in left.items() if ops}:
            name = explorer.choose(Choice(enabled, {}))
            if name is None:
                break
            path += name
            left[name].pop(0)
        else:
            seen.append(path)
        explorer.back(complete=len(path) == 6)
    assert len(seen) == len(set(seen)) == expected


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", SCENES)
async def test_all_actors_of_a_scene_in_orders_drawn_at_random(pg_server: str, name: str) -> None:
    seed = random.SystemRandom().randrange(10**6)
    async with playing(pg_server, name) as play:
        pair = list(play.scene.cast)[:2]
        whole = await play.whole(pair, limit=SCHEDULES)
        found = await play.sampled(list(play.scene.cast), count=SCHEDULES, dice=random.Random(seed))
    print(f"{name}, seed {seed}: {whole}; {found}")
    assert whole.wrong + found.wrong == []
    assert whole.schedules == found.schedules == SCHEDULES


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("name", "cast", "twists"),
    [
        ("open", ("pay", "notify"), NO_LOCK | NO_VERSION),
        ("mixed_over", ("expire", "notify"), NO_LOCK | NO_VERSION),
        ("deciding", ("refund", "save"), NO_LOCK | NO_VERSION),
    ],
)
async def test_a_kernel_without_its_locks_is_found_out(
    pg_server: str, name: str, cast: tuple[str, ...], twists: dict[str, str]
) -> None:
    """Neither the order's lock nor its version is looked at: two of them act on the same state."""
    async with playing(pg_server, name) as play:
        legal = await play.serial(cast)
        play.stage.twists = twists
        found = await play.whole(cast, limit=15, legal=legal)
        assert play.stage.twisted_count > 8
    assert found.wrong
