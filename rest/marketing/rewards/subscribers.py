"""What was promised with a top-up and is not money: its points, at once, and its coupon, by a job of its own.

A coupon may be sold out or beyond its limit per person. Then the job fails, comes back, and in the end is parked for
a person: what was promised is neither forgotten nor does it hold up the points.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rest.marketing import coupons
from rest.money import points
from rest.money.topups import TopupPaid
from storage.jobs import Subscriber
from storage.tx import Tx

COUPON_KIND = "rewards.coupon"


async def topup_paid(tx: Tx, fact: dict[str, Any]) -> None:
    topup_id, account_id = fact["topup_id"], fact["account_id"]
    if fact["bonus_points"]:
        await points.earn(tx, account_id, fact["bonus_points"], ref=f"{topup_id}:bonus", reason="topup")
    if fact["bonus_coupon"]:
        payload = {"topup_id": topup_id, "account_id": account_id, "template_id": fact["bonus_coupon"]}
        tx.schedule(COUPON_KIND, f"{topup_id}:coupon", tx.now, payload)


async def give_coupon(tx: Tx, payload: dict[str, Any]) -> None:
    """Once: the job's row goes with the commit. Raises what coupons refuse."""
    await coupons.give(tx, payload["template_id"], [payload["account_id"]], by_id="system", reason=payload["topup_id"])


def has_gifts(fact: Any) -> bool:  # noqa: ANN401 - a TopupPaid: topics give no types
    return bool(fact.bonus_points or fact.bonus_coupon)


SUBSCRIBERS: Mapping[str, list[Subscriber]] = {TopupPaid.topic: [Subscriber(topup_paid, wants=has_gifts)]}

DEADLINES: Mapping[str, Callable[[Tx, dict[str, Any]], Awaitable[None]]] = {COUPON_KIND: give_coupon}
