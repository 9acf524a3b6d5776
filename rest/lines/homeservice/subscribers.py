"""Facts of lower packages this line reacts to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispatch.facts import GrabRemoved
from rest.lines.homeservice.actions import paying, pool
from rest.lines.homeservice.line import HOMESERVICE
from rest.money.channels.facts import MoneyCame, MoneyRefused
from rest.money.payments import WrongPaymentState
from rest.trade import orders
from storage.jobs import Subscriber
from storage.tx import Tx

NOT_BY_US = frozenset({"worker_offline", "worker_booked"})
"""Reasons of `grab.removed` that no verb of this line has caused."""


async def candidate_left(tx: Tx, fact: dict[str, Any]) -> None:
    """A grabber was booked elsewhere or went offline: without any left the order is back in the pool."""
    order_id = await orders.order_of_call(tx, fact["call_id"])
    if order_id is not None:
        await pool.lose_candidates(tx, order_id)


async def money_came(tx: Tx, fact: dict[str, Any]) -> None:
    """A channel has money for an order, perhaps of this line."""
    if await HOMESERVICE.read(tx, fact["order_id"]) is not None:
        await paying.receive_money(tx, fact["order_id"], fact["payment_id"], ref=fact["ref"])


async def money_refused(tx: Tx, fact: dict[str, Any]) -> None:
    """A channel will not take the payment; one that was closed meanwhile is nobody's trouble."""
    if await HOMESERVICE.read(tx, fact["order_id"]) is None:
        return
    try:
        await paying.fail_payment(tx, fact["order_id"], fact["payment_id"], fact["reason"])
    except WrongPaymentState:
        return


def not_by_us(fact: Any) -> bool:  # noqa: ANN401 - a GrabRemoved: topics give no types
    return fact.reason in NOT_BY_US


SUBSCRIBERS: Mapping[str, list[Subscriber]] = {
    GrabRemoved.topic: [Subscriber(candidate_left, wants=not_by_us)],
    MoneyCame.topic: [Subscriber(money_came)],
    MoneyRefused.topic: [Subscriber(money_refused)],
}
