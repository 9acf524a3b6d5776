"""What answers look like. A technician sees the exact place and the masked phone from acceptance on (HS-060)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from dispatch.model import Grab, Worker
from rest.edge.values import Money
from rest.lines.homeservice.effects import ROUGH_DEGREES
from rest.lines.homeservice.model import KNOWS_ADDRESS, MACHINE, POOL, Job, timers
from rest.people import mask_phone
from rest.trade.orders import Event, Role
from rest.trade.pricing import PriceLine, quote_hash

REQUESTS = {
    "ask_cancel": "cancel",
    "pay_late": "pay",
    "ask_help": "help",
    "ask_end": "cancel",
    "leave_unmet": "leave",
    "ask_refund": "refunds",
    "refund": "refunds",
}
"""Verbs of the table that a caller asks for by another name."""

INTERNAL = ("note",)
"""Fields of timeline data that only staff may read (HS-196)."""


class ItemRef(msgspec.Struct, frozen=True, kw_only=True):
    """The item as it was when the order was posted."""

    id: str
    name: Mapping[str, str]
    minutes: int


class WorkerCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer may know of a technician; the distance only while choosing."""

    worker_id: str
    display_name: str
    score: float
    distance_m: int | None = None

    @classmethod
    def of(cls, worker: Worker, distance_m: float | None = None) -> WorkerCard:
        return cls(
            worker_id=worker.id,
            display_name=worker.display_name,
            score=worker.score_milli / 1000,
            distance_m=None if distance_m is None else round(distance_m),
        )


class AddressView(msgspec.Struct, frozen=True, kw_only=True):
    """Where to go, WGS-84. `exact` false: rounded to about a kilometre, nobody named."""

    exact: bool
    lon: float
    lat: float
    contact: str | None
    phone: str | None
    detail: str | None


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a price. `ref` names the item, the coupon or the technician of a voucher; discounts are negative.

    `allocated_to` is the place, from 1, of the item line that a discount takes from.
    """

    kind: str
    ref: str
    qty: int
    amount: Money
    allocated_to: int | None

    @classmethod
    def of(cls, line: PriceLine) -> LineView:
        return cls(
            kind=line.kind,
            ref=line.ref,
            qty=line.qty,
            amount=Money(line.amount_fen),
            allocated_to=line.allocated_to,
        )


def is_priced(job: Job) -> bool:
    """Whether a technician is chosen: only then there is a price."""
    order, visit = job.order, job.visit
    return order.status not in POOL and order.provider_id is not None and visit.travel_fen is not None


class PriceView(msgspec.Struct, frozen=True, kw_only=True):
    """The price. Without a technician there is no travel fee and nothing payable yet (HS-072).

    `lines` sum to `payable`; `quote_hash` names them, so that a payer can say which price was shown.
    """

    item: Money
    travel_fee: Money | None
    member: Money
    coupon: Money
    voucher: Money
    payable: Money | None
    paid: Money
    refunded: Money
    coupon_id: str | None
    lines: list[LineView]
    quote_hash: str | None

    @classmethod
    def of(cls, job: Job, lines: Sequence[PriceLine]) -> PriceView:
        visit, order = job.visit, job.order
        has_price = is_priced(job)
        return cls(
            item=Money(visit.item_fen),
            travel_fee=Money(visit.travel_fen) if has_price and visit.travel_fen is not None else None,
            member=Money(visit.member_fen),
            coupon=Money(visit.coupon_fen),
            voucher=Money(visit.voucher_fen if has_price else 0),
            payable=Money(order.total_fen) if has_price else None,
            paid=Money(order.paid_fen),
            refunded=Money(order.refunded_fen),
            coupon_id=visit.coupon_id,
            lines=[LineView.of(line) for line in lines],
            quote_hash=quote_hash(lines) if lines else None,
        )


class DeadlineView(msgspec.Struct, frozen=True, kw_only=True):
    """A timer that runs: what it is called, and when it acts."""

    name: str
    due_at: datetime


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order as its customer, its technician or staff see it; `allowed` is what the reader may ask for now."""

    id: str
    no: str
    line: str
    mode: str
    status: str
    version: int
    customer_id: str
    worker: WorkerCard | None
    item: ItemRef
    qty: int
    region_code: str
    address: AddressView
    start_at: datetime
    minutes: int
    ends_at: datetime | None
    price: PriceView
    lock_expires_at: datetime | None
    grab_first_at: datetime | None
    call_id: str | None
    deadlines: list[DeadlineView]
    allowed: list[str]
    created_at: datetime
    updated_at: datetime


def order_view(job: Job, worker: Worker | None, reader: Role, lines: Sequence[PriceLine] = ()) -> OrderView:
    """`lines` are those of the price, where there is one."""
    order, visit = job.order, job.visit
    return OrderView(
        id=order.id,
        no=order.no,
        line=order.line,
        mode=order.mode,
        status=order.status,
        version=order.version,
        customer_id=order.customer_id,
        worker=WorkerCard.of(worker) if worker is not None else None,
        item=ItemRef(id=visit.item_id, name=job.item_name, minutes=job.order.snapshot["item"]["minutes"]),
        qty=visit.qty,
        region_code=visit.region_code,
        address=_address(job, reader),
        start_at=visit.start_at,
        minutes=visit.minutes,
        ends_at=visit.ended_at or visit.ends_at,
        price=PriceView.of(job, lines),
        lock_expires_at=visit.lock_expires_at,
        grab_first_at=visit.grab_first_at,
        call_id=order.call_id,
        deadlines=[DeadlineView(name=name, due_at=at) for name, at in sorted(timers(job).items())],
        allowed=_allowed(job, reader),
        created_at=order.created_at,
        updated_at=order.updated_at,
    )


def _allowed(job: Job, reader: Role) -> list[str]:
    verbs = set(MACHINE.allowed(job.order.status, reader))
    if job.visit.worker_id is None:
        verbs.discard("pay_late")  # nobody was chosen who could be paid late
    if job.visit.wait_started_at is None:
        verbs -= {"find_customer", "leave_unmet"}  # nobody waits at the door
    if not job.order.refund_reserved_fen:
        verbs.discard("release_refund")
    asked = {REQUESTS.get(verb, verb) for verb in verbs}
    return sorted(asked if reader is not Role.STAFF else _for_staff(asked, verbs))


def _for_staff(asked: set[str], verbs: set[str]) -> set[str]:
    """What staff ask of the order itself; all else is an outcome of its cases."""
    arrives = {"confirm_arrival"} if "arrive" in verbs else set()
    return arrives | ({"phone_cancel"} if "ask_end" in verbs else set()) | (asked & {"refunds", "release_refund"})


def _address(job: Job, reader: Role) -> AddressView:
    visit = job.visit
    if reader is Role.WORKER and job.order.status not in KNOWS_ADDRESS:
        lon, lat = round(visit.lon, ROUGH_DEGREES), round(visit.lat, ROUGH_DEGREES)
        return AddressView(exact=False, lon=lon, lat=lat, contact=None, phone=None, detail=None)
    phone = visit.phone if reader is Role.CUSTOMER else mask_phone(visit.phone)
    return AddressView(
        exact=True, lon=visit.lon, lat=visit.lat, contact=visit.contact, phone=phone, detail=visit.detail
    )


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the timeline; `n` counts from 1 without gaps."""

    n: int
    at: datetime
    who: str
    verb: str
    from_status: str | None
    to_status: str
    reason: str | None
    note: str | None = None

    @classmethod
    def of(cls, event: Event, *, for_staff: bool = False) -> EventView:
        shown = {name: value for name, value in event.data.items() if for_staff or name not in INTERNAL}
        return cls(
            n=event.n,
            at=event.at,
            who=event.actor if for_staff else event.actor.partition(":")[0],
            verb=event.verb,
            from_status=event.from_status,
            to_status=event.to_status,
            reason=shown.get("reason"),
            note=shown.get("note"),
        )


class QuoteView(msgspec.Struct, frozen=True, kw_only=True):
    """What choosing this technician costs; frozen when he grabbed (HS-075), but for a voucher that is used up
    and a membership that is over since."""

    item: Money
    travel_fee: Money
    member: Money
    coupon: Money
    voucher: Money
    total: Money
    quote_hash: str | None


class GrabView(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate: `state` is offered, locked or won."""

    grab_id: str
    state: str
    at: datetime
    worker: WorkerCard
    quote: QuoteView

    @classmethod
    def of(cls, grab: Grab, worker: Worker, quote: Mapping[str, Any]) -> GrabView:
        return cls(
            grab_id=grab.id,
            state=grab.state,
            at=grab.at,
            worker=WorkerCard.of(worker, grab.distance_m),
            quote=QuoteView(
                item=Money(quote["item_fen"]),
                travel_fee=Money(quote["travel_fen"]),
                member=Money(quote.get("member_fen", 0)),
                coupon=Money(quote.get("coupon_fen", 0)),
                voucher=Money(quote["voucher_fen"]),
                total=Money(quote["total_fen"]),
                quote_hash=quote.get("quote_hash"),
            ),
        )
