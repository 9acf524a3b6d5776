"""A refund that takes longer than three working days is shown to finance, once (RV-290)."""

from __future__ import annotations

from typing import Any

from rest.money.channels import actions as channels
from storage.base import codec
from tests.money.channels.conftest import Till
from tests.money.channels.test_given_back import bought, give_back
from tests.money.channels.test_points_mall import faults, rich
from tests.money.channels.test_topups import ask


async def on_friday(till: Till) -> str:
    """Friday at ten: money is on its way back, and its channel says every time that it sees to it; the refund's id."""
    till.clock.advance(hours=96)
    await rich(till)
    _, purchase = await bought(till, "wechat")
    await till.control("POST", "faults", slow_refunds=True)
    assert (await give_back(till, purchase))[0] == 200
    await till.run()
    return str(await till.value("SELECT id FROM channel_refunds WHERE state = 'accepted'"))


async def shown(till: Till) -> list[str]:
    status, _, page = await ask(till, "fay", "GET", "/v1/admin/channel_refunds")
    assert status == 200
    return [one["id"] for one in page["data"] if one["slow_at"]]


async def told(till: Till) -> list[Any]:
    sql = "SELECT body FROM (SELECT topic, body FROM feed UNION ALL SELECT topic, body FROM outbox) f WHERE topic = $1"
    async with till.db.begin() as tx:
        return [codec.loads(row["body"]) for row in await tx.fetch(sql, "refund.slow")]


async def test_over_a_weekend_and_once(till: Till) -> None:
    refund_id = await on_friday(till)
    await till.advance(hours=5 * 24 + 13, minutes=59)  # Wednesday, a minute before midnight
    assert (await shown(till), await told(till)) == ([], [])
    await till.advance(minutes=1)
    assert await shown(till) == [refund_id]
    await till.advance(hours=24 * 9)
    [fact] = await told(till)
    assert (fact["channel_refund_id"], fact["amount"]["amount"], fact["state"]) == (refund_id, 990, "accepted")

    await till.control("POST", "faults", slow_refunds=False)
    status, _, _ = await ask(till, "sue", "GET", "/v1/admin/channel_refunds")
    assert status == 403
    await till.db.run(channels.finish, refund_id, "back")
    assert await shown(till) == []  # it has got through after all
    assert await faults(till) == []


async def test_a_holiday_written_down_meanwhile_moves_the_end(till: Till) -> None:
    refund_id = await on_friday(till)
    path, day = "/v1/admin/odd_days/2026-01-13", {"works": False, "note": "A holiday"}
    assert (await ask(till, "sue", "PUT", path, day))[0] == 403
    assert (await ask(till, "fay", "PUT", path, day))[0] == 200
    assert (await ask(till, "fay", "PUT", "/v1/admin/odd_days/today", day))[0] == 404
    found = (await ask(till, "fay", "GET", "/v1/admin/odd_days?year=2026"))[2]["data"]
    assert [(one["day"], one["works"], one["changed_by"]) for one in found] == [("2026-01-13", False, "acc_fay")]
    await till.advance(hours=5 * 24 + 14)
    assert await shown(till) == []
    await till.advance(hours=24)
    assert await shown(till) == [refund_id]
    assert (await ask(till, "fay", "DELETE", path))[0] == 204
    assert (await ask(till, "fay", "DELETE", path))[0] == 404


async def test_what_is_done_in_time_is_never_shown(till: Till) -> None:
    refund_id = await on_friday(till)
    await till.db.run(channels.finish, refund_id, "back")
    await till.advance(hours=24 * 12)
    assert (await shown(till), await told(till)) == ([], [])
    assert await faults(till) == []
