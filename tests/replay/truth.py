"""What the hub says has happened, read over REST when the run is over: values only, for the checks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.replay.api import Api, No, Person, instant_s
from tests.replay.world import Posted, now_s

AT_ONCE = 8
"""Requests in flight while the truth is read."""


@dataclass(frozen=True, slots=True)
class Step:
    """One row of an order's timeline; `n` is the version it made."""

    n: int
    at_s: float
    verb: str
    to_status: str


@dataclass(frozen=True, slots=True)
class OrderTruth:
    """An order as its customer reads it. Instants are seconds since 1970; money is fen.

    `asked_s`: the driver's clock just before it was read, to tell what was heard before from what came after.
    """

    order_id: str
    call_id: str
    customer_id: str
    status: str
    version: int
    worker_id: str | None
    start_s: float
    minutes: int
    kept_fen: int
    deadlines: tuple[tuple[str, float], ...]
    steps: tuple[Step, ...]
    asked_s: float

    @property
    def end_s(self) -> float:
        return self.start_s + self.minutes * 60


@dataclass(frozen=True, slots=True)
class OfferTruth:
    """An offer as operations read it. `grabbed`: the technician said yes to the call at some time."""

    offer_id: str
    worker_id: str
    state: str
    epoch: int = 1
    grabbed: bool = False


@dataclass(frozen=True, slots=True)
class CallTruth:
    """A call and the offers made for it."""

    call_id: str
    order_id: str
    status: str
    offers: tuple[OfferTruth, ...]


@dataclass(slots=True)
class Truth:
    """Everything the checks compare with. `read_s`: the hub's own time when it was read, since 1970."""

    read_s: float = 0.0
    orders: dict[str, OrderTruth] = field(default_factory=dict)
    calls: dict[str, CallTruth] = field(default_factory=dict)
    wallets: dict[str, int] = field(default_factory=dict)


async def read_truth(api: Api, posted: Sequence[Posted], staff: Sequence[Person], hub_now_s: float) -> Truth:
    """Read every order as its customer and every call as staff (turn and turn about: each has a rate limit)."""
    truth = Truth(hub_now_s)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, order: Posted) -> None:
        async with gate:
            found = await _order(api, order)
            truth.orders[found.order_id] = found
            truth.calls[order.call_id] = await _call(api, order, staff[number % len(staff)])

    async def wallet(person: Person) -> None:
        async with gate:
            answer = await api.get(person, "/v1/wallet")
            truth.wallets[person.account_id] = int(answer["balance"]["amount"])

    customers = {order.customer.account_id: order.customer for order in posted}
    await asyncio.gather(*(one(number, order) for number, order in enumerate(posted)), *map(wallet, customers.values()))
    return truth


async def _order(api: Api, posted: Posted) -> OrderTruth:
    asked_s = now_s()
    order = await api.get(posted.customer, f"/v1/orders/{posted.order_id}")
    events = await api.pages(posted.customer, f"/v1/orders/{posted.order_id}/events")
    return order_of(order, events, posted.call_id, asked_s)


def order_of(
    order: Mapping[str, Any], events: Sequence[Mapping[str, Any]], call_id: str, asked_s: float
) -> OrderTruth:
    """From the answers of GET /v1/orders/{id} and …/events."""
    worker = order.get("worker") or {}
    price = order["price"]
    return OrderTruth(
        order_id=order["id"],
        call_id=call_id,
        customer_id=order["customer_id"],
        status=order["status"],
        version=order["version"],
        worker_id=worker.get("worker_id") or worker.get("id"),
        start_s=instant_s(order["start_at"]),
        minutes=order["minutes"],
        kept_fen=price["paid"]["amount"] - price["refunded"]["amount"],
        deadlines=tuple((due["name"], instant_s(due["due_at"])) for due in order["deadlines"]),
        steps=tuple(Step(row["n"], instant_s(row["at"]), row["verb"], row["to_status"]) for row in events),
        asked_s=asked_s,
    )


async def _call(api: Api, posted: Posted, staff: Person) -> CallTruth:
    try:
        found = await api.get(staff, f"/v1/calls/{posted.call_id}/candidates")
    except No as no:
        raise No(no.code, f"candidates of {posted.call_id}: {no}") from no
    offers = tuple(
        OfferTruth(row["offer_id"], row["worker_id"], row["offer_state"], row["epoch"], row["grab_state"] is not None)
        for row in found["data"]
        if row["offer_id"]
    )
    return CallTruth(posted.call_id, posted.order_id, found["call"]["status"], offers)
