"""Posting an order into the pool, and moving its time while nobody is paid for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import dispatch
from dispatch.model import CallDraft, Mode
from geo import Point
from rest.lines.homeservice import catalogue, prices, store
from rest.lines.homeservice.casework.effects import SUBJECT
from rest.lines.homeservice.errors import TimePast, TimeTooFar
from rest.lines.homeservice.line import HOMESERVICE, set_timers
from rest.lines.homeservice.model import IN_POOL, LINE, Job, enter_pool, pool_close_due
from rest.lines.homeservice.rules import HomeserviceRules
from rest.marketing import coupons, membership
from rest.trade import orders
from rest.trade.orders import By, OrderChanged, Role
from rest.trade.pricing import Discount, check_quote
from storage.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a customer asks for; the region is the one that holds the point (WGS-84).

    `quote_hash` names the price he was shown.
    """

    item_id: str
    qty: int
    start_at: datetime
    contact: str
    phone: str
    detail: str
    point: Point
    region_code: str
    coupon_id: str | None = None
    quote_hash: str | None = None


async def post(tx: Tx, rules: HomeserviceRules, customer_id: str, wanted: Wanted) -> Job:
    """Make an empty order: no technician, no travel fee, no price; technicians around are asked (HS-072).

    A coupon is locked with the order; without one the transaction may be light. A membership that makes it cheaper is
    used with the order: one that is another by then has it begin again.
    Raises RegionNotServed, ItemNotFound, TimePast, TimeTooFar, CouponLocked, CouponNotApplicable, PriceChanged.
    """
    check_start(rules, tx.now, wanted.start_at)
    found = await catalogue.item_in(tx, wanted.region_code, wanted.item_id, account_id=customer_id)
    order_id, minutes = tx.new_id("ord"), found.item.minutes * wanted.qty
    item_fen = found.item.price_fen * wanted.qty
    member = prices.member_off(found.rights, item_fen)
    member_fen = member.amount_fen if member is not None else 0
    if member is not None and wanted.coupon_id is not None:
        await membership.hold_levels_of(tx, customer_id)  # before the coupon, as whoever gives a membership back does
    coupon = await _lock_coupon(tx, order_id, customer_id, wanted, item_fen - member_fen)
    if wanted.quote_hash is not None:
        check_quote(prices.lines_before(found.item.id, wanted.qty, item_fen, member, coupon), wanted.quote_hash)
    call = dispatch.new_call(tx, _draft(order_id, customer_id, wanted, found, rules))
    new = store.Placement(
        order_id=order_id,
        no=orders.new_no(tx.now),
        customer_id=customer_id,
        call=call,
        snapshot=_snapshot(found, rules),
        item_id=found.item.id,
        qty=wanted.qty,
        region_code=wanted.region_code,
        contact=wanted.contact,
        phone=wanted.phone,
        detail=wanted.detail,
        lon=wanted.point.lon,
        lat=wanted.point.lat,
        start_at=wanted.start_at,
        minutes=minutes,
        item_fen=item_fen,
        no_grab_due_at=tx.now + timedelta(seconds=rules.no_grab_s),
        pool_close_due_at=pool_close_due(rules, wanted.start_at),
        member_fen=member_fen,
        member_level=member.ref if member is not None else None,
        member_until=found.rights.ends_at if member is not None and found.rights is not None else None,
        coupon_id=wanted.coupon_id,
        coupon_fen=coupon.amount_fen if coupon is not None else 0,
    )
    placed = store.place(tx, new) if coupon is None else await store.place_with_coupon(tx, new)
    set_timers(tx, None, placed)
    _tell_posted(tx, placed)
    return placed


async def _lock_coupon(tx: Tx, order_id: str, customer_id: str, wanted: Wanted, item_fen: int) -> Discount | None:
    if wanted.coupon_id is None:
        return None
    for_this = prices.purchase(wanted.item_id, wanted.region_code, item_fen)
    amount_fen = await coupons.lock_for_order(tx, wanted.coupon_id, customer_id, order_id, for_this)
    return prices.coupon_of(wanted.coupon_id, amount_fen)


def check_start(rules: HomeserviceRules, now: datetime, start_at: datetime) -> None:
    """Raises TimePast, TimeTooFar."""
    if start_at <= now:
        raise TimePast
    if start_at > now + timedelta(days=rules.post_ahead_days):
        raise TimeTooFar(days_max=rules.post_ahead_days)


def busy_until(rules: HomeserviceRules, start_at: datetime, minutes: int) -> datetime:
    """The end of the technician's slot: the visit and the way to the next one (HS-044)."""
    return start_at + timedelta(minutes=minutes, seconds=rules.buffer_s)


def _draft(
    order_id: str, customer_id: str, wanted: Wanted, found: catalogue.OpenItem, rules: HomeserviceRules
) -> CallDraft:
    minutes = found.item.minutes * wanted.qty
    return CallDraft(
        subject_kind=SUBJECT,
        subject_id=order_id,
        mode=Mode.CHOOSE_BACK,
        service=wanted.item_id,
        area_code=wanted.region_code,
        point=wanted.point,
        start_at=wanted.start_at,
        busy_until=busy_until(rules, wanted.start_at, minutes),
        audience=(f"customer:{customer_id}",),
        owner_account_id=customer_id,
        detail={
            "item_id": found.item.id,
            "item_name": dict(found.item.name),
            "qty": wanted.qty,
            "minutes": minutes,
            "item_fen": found.item.price_fen * wanted.qty,
        },
        plan=dispatch.plan_for(Mode.CHOOSE_BACK, offer_ttl_s=rules.offer_s),
    )


def _snapshot(found: catalogue.OpenItem, rules: HomeserviceRules) -> dict[str, object]:
    """What the order keeps, whatever prices and rules become later (HS-048, HS-214)."""
    tariff = found.terms.tariff
    return {
        "item": {"name": dict(found.item.name), "minutes": found.item.minutes, "unit_fen": found.item.price_fen},
        "tariff": {"base_m": tariff.base_m, "base_fen": tariff.base_fen, "per_km_fen": tariff.per_km_fen},
        "technician_rate_bps": found.terms.technician_rate_bps,
        "rules": rules.snapshot(),
        "refund_policy": found.refund_policy,
    }


def _tell_posted(tx: Tx, job: Job) -> None:
    fact = OrderChanged(
        order_id=job.order.id,
        line=LINE,
        status=IN_POOL,
        version=job.order.version,
        who="customer",
        verb="post",
        worker_id=None,
    )
    tx.tell(fact, to=[f"customer:{job.order.customer_id}", "ops"])


async def reschedule(tx: Tx, order_id: str, account_id: str, start_at: datetime) -> Job:
    """Move an unpaid pool order to another time: its grabs are void and it is pushed again (HS-100).

    Raises TimePast, TimeTooFar, WrongState.
    """
    job = await orders.lock_for_customer(tx, HOMESERVICE, order_id, account_id)
    return await _move_time(tx, job, By(Role.CUSTOMER, account_id), start_at, {})


async def reschedule_for(
    tx: Tx, order_id: str, staff_id: str, start_at: datetime, note: str, *, case_id: str | None = None
) -> Job:
    """The same, by support on the customer's word (HS-098). Raises TimePast, TimeTooFar, WrongState, CaseNotOpen."""
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    return await _move_time(tx, job, By(Role.STAFF, staff_id), start_at, {"note": note, "case_id": case_id})


async def _move_time(tx: Tx, job: Job, by: By, start_at: datetime, said: Mapping[str, Any]) -> Job:
    HOMESERVICE.machine.decide(job.order.status, "reschedule", by)
    check_start(job.rules, tx.now, start_at)
    assert job.order.call_id is not None  # noqa: S101 - every order of this line is posted with a call
    await dispatch.renew(
        tx,
        job.order.call_id,
        start_at=start_at,
        busy_until=busy_until(job.rules, start_at, job.visit.minutes),
        void_grabs=True,
    )
    visit = replace(
        enter_pool(job.visit, job.rules, tx.now),
        start_at=start_at,
        pool_close_due_at=pool_close_due(job.rules, start_at),
        push_round=job.visit.push_round + 1,
        grab_id=None,
        worker_id=None,
    )
    data = {"start_at": start_at, **said}
    return await orders.apply(tx, HOMESERVICE, job, "reschedule", by, after=replace(job, visit=visit), data=data)
