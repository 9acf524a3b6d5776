"""Reconciliation over HTTP: finance looks, resolves, starts a day or a month; nobody else does (FR-165 to FR-167)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from rest.money import ledger
from storage.base.clock import business_day
from storage.base.facts import declared_facts
from tests.conftest import MONDAY
from tests.money.channels.conftest import Till
from tests.money.reconciliation.conftest import RUNS, differences, morning, paid, proven, runs

DIFFERENCES = "/v1/admin/reconciliation_differences"


async def send(till: Till, method: str, path: str, body: Any = None, *, who: str = "fay") -> tuple[int, Any]:
    answer = await till.client.as_(who).send(method, path, json=body)
    return answer[0], answer[2]


async def two_duplicates(till: Till) -> Any:
    """A day with two open differences; the run."""
    for _ in range(2):
        number = await paid(till, "wechat")
        await till.control("POST", "bills", lines=[{"channel": "wechat", "number": number, "fault": "twice"}])
    await morning(till)
    return (await runs(till, channel="wechat"))[0]


async def test_resolving_the_last_one_closes_the_day(till: Till) -> None:
    run = await two_duplicates(till)
    assert (run["state"], run["differences"], run["open"]) == ("differing", 2, 2)
    one, other = await differences(till, run, kind="duplicate", state="open")
    assert await differences(till, run, kind="extra") == []
    path = f"{DIFFERENCES}/{one['id']}/resolve"
    assert (await send(till, "POST", path, {}))[0] == 400
    assert (await send(till, "POST", path, {"reason": "theirs"}, who="sue"))[0] == 403
    status, done = await send(till, "POST", path, {"reason": "theirs"})
    assert (status, done["resolution"], done["by"], done["reason"]) == (200, "by_person", "acc_fay", "theirs")
    assert [step["verb"] for step in done["steps"]] == ["resolve"]
    assert (await send(till, "POST", path, {"reason": "theirs"}))[0] == 200
    assert (await send(till, "POST", path, {"reason": "mine"}))[1]["code"] == "reconciliation_state"
    await send(till, "POST", f"{DIFFERENCES}/{other['id']}/resolve", {"reason": "theirs too"})
    (again,) = await runs(till, channel="wechat")
    assert (again["state"], again["open"]) == ("closed", 0)
    _, whole = await send(till, "GET", f"{RUNS}/{run['id']}")
    assert [step["verb"] for step in whole["steps"]] == ["start", "differ", "close"]


async def test_two_people_resolve_it_once(till: Till) -> None:
    run = await two_duplicates(till)
    one, _ = await differences(till, run)
    path = f"{DIFFERENCES}/{one['id']}/resolve"
    answers = await asyncio.gather(*(send(till, "POST", path, {"reason": f"reason {n}"}) for n in range(4)))
    assert sorted(status for status, _ in answers) == [200, 409, 409, 409]


async def test_the_desk_hears_that_something_differs_and_nothing_else(till: Till) -> None:
    await two_duplicates(till)
    async with till.db.begin() as tx:
        (told,) = await tx.fetch("SELECT body, audience FROM outbox WHERE topic = 'reconciliation.done'")
    assert "desk" in told["audience"]
    assert '"open":2' in str(told["body"]).replace(" ", "")
    assert {"reconciliation.done", "reconciliation.bill_overdue"} <= declared_facts().keys()


async def test_lists_are_paged_and_strangers_see_nothing(till: Till) -> None:
    run = await two_duplicates(till)
    path = f"{RUNS}/{run['id']}/differences?limit=1"
    status, headers, first = await till.client.as_("fay").send("GET", path)
    assert (status, len(first["data"]), first["has_more"]) == (200, 1, True)
    assert 'rel="next"' in headers["Link"]
    _, second = await send(till, "GET", f"{path}&cursor={first['next_cursor']}")
    assert (second["has_more"], second["data"][0]["id"] != first["data"][0]["id"]) == (False, True)
    _, page = await send(till, "GET", f"{RUNS}?limit=1")
    _, rest = await send(till, "GET", f"{RUNS}?limit=1&cursor={page['next_cursor']}")
    assert {page["data"][0]["channel"], rest["data"][0]["channel"]} == {"wechat", "alipay"}
    for who in ("ben", "sue"):
        assert (await send(till, "GET", RUNS, who=who))[0] == 403
        assert (await send(till, "GET", path, who=who))[0] == 403
    for path in (f"{RUNS}/rec_x", f"{RUNS}/rec_x/differences", f"{DIFFERENCES}/dif_x"):
        assert (await send(till, "GET", path))[0] == 404


async def test_a_day_is_begun_by_hand_once(till: Till) -> None:
    await paid(till, "wechat")
    day = business_day(MONDAY)
    body = {"kind": "daily", "channel": "wechat", "period_on": day.isoformat()}
    assert (await send(till, "POST", RUNS, body))[1]["code"] == "period_not_over"
    till.clock.advance(hours=26)
    status, begun = await send(till, "POST", RUNS, body)
    assert (status, begun["state"]) == (201, "waiting")
    assert (await send(till, "POST", f"{RUNS}/{begun['id']}/start_again", {"reason": "x"}))[0] == 409
    assert (await send(till, "POST", RUNS, body))[1]["id"] == begun["id"]
    await till.run()
    assert (await runs(till, channel="wechat"))[0]["state"] == "balanced"


async def test_days_that_were_let_pass_are_caught_up_with(till: Till) -> None:
    await paid(till, "wechat")
    await morning(till)
    till.clock.advance(hours=72)
    await morning(till)
    await settled(till)
    found = await runs(till, channel="wechat")
    assert [run["period_on"] for run in found] == [
        (business_day(MONDAY) + timedelta(days=n)).isoformat() for n in (4, 3, 2, 1, 0)
    ]
    assert {run["state"] for run in found} == {"balanced"}


async def settled(till: Till) -> None:
    """Until no comparison waits for another."""
    for _ in range(8):
        if not await runs(till, state="waiting"):
            return
        await till.advance(minutes=15)
    raise AssertionError("still waiting")


async def test_an_idle_day_has_no_bill_and_is_not_waited_for(till: Till) -> None:
    await till.control("POST", "faults", **{"alipay.bill_late": 99})
    await morning(till)
    assert (await runs(till, channel="alipay"))[0]["state"] == "waiting"
    for _ in range(16):
        await till.advance(minutes=15)
    assert (await runs(till, channel="alipay"))[0]["state"] == "balanced"


async def test_a_month_is_the_sum_of_its_days(till: Till) -> None:
    """Begun by itself on the first of the next one; a transfer nobody knows of over the account is seen."""
    body = {"kind": "monthly", "channel": "wechat", "period_on": business_day(MONDAY).isoformat()}
    await paid(till, "wechat")
    await morning(till)
    assert (await send(till, "POST", RUNS, body))[1]["code"] == "period_not_over"
    till.clock.advance(hours=25 * 24)
    await morning(till)
    await settled(till)
    assert (await runs(till, channel="wechat", kind="daily"))[0]["period_on"] == "2026-01-31"
    (month,) = await runs(till, kind="monthly", channel="wechat")
    assert (month["state"], month["period_on"], month["bill_paid"]["amount"]) == ("balanced", "2026-01-01", 40_900)
    assert (month["fee"]["amount"], month["unexplained"]["amount"]) == (245, 0)
    await proven(till)


async def test_a_month_with_a_day_missing_waits(till: Till) -> None:
    await paid(till, "wechat")
    await morning(till)
    till.clock.advance(hours=26 * 24)
    status, problem = await send(
        till, "POST", RUNS, {"kind": "monthly", "channel": "wechat", "period_on": "2026-01-09"}
    )
    assert (status, problem["code"]) == (409, "day_missing")


async def test_money_moved_past_every_bill_is_an_alarm(till: Till) -> None:
    """Somebody has posted over the clearing account by hand: no line will ever say so."""
    await paid(till, "wechat")
    async with till.db.begin() as tx:
        await ledger.post(
            tx, ref="by hand", kind="adjust",
            entries=[(ledger.clearing("wechat"), -500), (ledger.platform_topup(), 500)],
        )  # fmt: skip
    await morning(till)
    (run,) = await runs(till, channel="wechat")
    (found,) = await differences(till, run)
    assert (found["kind"], found["state"], found["key"], found["gap"]["amount"]) == ("extra", "open", "by hand", -500)
