"""The effects that rows of the transition table name: calls down to dispatch, money and cases.

Each is a function of the step alone. In a row they stand in lock order: call and booking, the coupon, ledger accounts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import NamedTuple

import dispatch
from chat import cases
from rest.edge.values import Money
from rest.lines.homeservice.facts import OrderClock, OrderOffered, PaymentSettled
from rest.lines.homeservice.model import LINE, PENDING_PAYMENT, POOL, POOL_CASES, REJECTED, Job
from rest.lines.homeservice.prices import agreed_lines
from rest.marketing import coupons, rewards
from rest.marketing.rewards import Event
from rest.money import payments, settlement
from rest.trade import orders
from rest.trade.orders import Order, Role, Step, TrackingEnded
from rest.trade.orders.executor import Effect
from storage.tx import Tx

ROUGH_DEGREES = 2
"""Decimals of a place before acceptance: about 1 km (HS-059)."""


def customer(order: Order) -> str:
    return f"customer:{order.customer_id}"


def watchers(order: Order) -> str:
    """People with a share link."""
    return f"order:{order.id}"


def technician(order: Order) -> list[str]:
    return [f"worker:{order.provider_id}"] if order.provider_id else []


# Dispatch


async def push_wider(tx: Tx, step: Step[Job]) -> None:
    """Offer the order again, also to technicians further away (HS-078)."""
    await dispatch.renew(tx, _call(step), radius_factor=step.after.rules.radius_grow)


async def win_call(tx: Tx, step: Step[Job]) -> None:
    """The chosen technician has the order; the others lose (HS-085)."""
    await dispatch.win(tx, _call(step), _worker(step))


async def pause_call(tx: Tx, step: Step[Job]) -> None:
    await dispatch.pause(tx, _call(step), reason="cancel_requested")


async def restore(tx: Tx, step: Step[Job]) -> None:
    """A kept order goes back to where it was (HS-090): the pool, a payment window that starts anew, its case."""
    status = step.after.order.status
    if status in POOL:
        await dispatch.resume(tx, _call(step))
    elif status == PENDING_PAYMENT and step.after.visit.lock_expires_at is not None:
        await dispatch.relock(tx, _call(step), until=step.after.visit.lock_expires_at)
    elif status == REJECTED:
        await _open(tx, step, "rejected")


async def cancel_call(tx: Tx, step: Step[Job]) -> None:
    """Everybody who offered, was locked or won is free again and told (part 5.4)."""
    await dispatch.close_call(tx, _call(step), reason="order_cancelled")


async def finish_call(tx: Tx, step: Step[Job]) -> None:
    await dispatch.finish(tx, _call(step))


def _call(step: Step[Job]) -> str:
    call_id = step.after.order.call_id
    assert call_id is not None  # noqa: S101 - every order of this line is posted with a call
    return call_id


def _worker(step: Step[Job]) -> str:
    worker_id = step.after.order.provider_id
    assert worker_id is not None  # noqa: S101 - the row is only reachable with a technician
    return worker_id


# Price and coupon


async def fix_price(tx: Tx, step: Step[Job]) -> None:
    """Keep what the price of this lock is made of."""
    after = step.after
    await orders.write_lines(tx, after.order.id, after.visit.lock_epoch, agreed_lines(after))


async def use_coupon(tx: Tx, step: Step[Job]) -> None:
    if step.after.visit.coupon_id is not None:
        await coupons.use(tx, step.after.visit.coupon_id, step.after.order.id)


async def return_coupon(tx: Tx, step: Step[Job]) -> None:
    """The order ended and keeps nothing: its coupon is free again (HS-091, HS-185). A penalty keeps it (HS-129)."""
    coupon_id = step.after.visit.coupon_id
    if coupon_id is not None and step.after.order.kept_fen == 0:
        await coupons.give_back(tx, coupon_id, step.after.order.id)


# Points


async def earn_points(tx: Tx, step: Step[Job]) -> None:
    """What the rule in force gives for what the order keeps; without one, nothing."""
    order = step.after.order
    await rewards.reward(
        tx, order.customer_id, Event.ORDER_COMPLETED, ref=_earned(order), line=LINE, paid_fen=order.kept_fen
    )


async def take_points_back(tx: Tx, step: Step[Job]) -> None:
    """Money goes back, and with it what was given for it (RV-332)."""
    await rewards.keep(tx, _earned(step.after.order), step.after.order.kept_fen)


def _earned(order: Order) -> str:
    return f"{order.id}:completed"


# Money


async def take_money(tx: Tx, step: Step[Job]) -> None:
    """Book the payment the step names into the order's escrow, unless its channel's news has done so already."""
    payment_id = step.data["payment_id"]
    if payment_id is None:  # nothing was left to pay
        return
    if step.data.get("late"):
        await payments.restore_late(tx, payment_id, lock_epoch=step.after.visit.lock_epoch)
    elif not step.data.get("received"):
        await payments.settle_paid(tx, payment_id)


async def return_late_money(tx: Tx, step: Step[Job]) -> None:
    """Money nobody waits for any more goes back in full (HS-058, HS-088)."""
    await payments.return_late(tx, step.data["payment_id"])


async def refund_all(tx: Tx, step: Step[Job]) -> None:
    """Everything that was paid goes back, and nobody waits for more (HS-091)."""
    await payments.close_open(tx, step.after.order.id, step.verb)
    returned = await payments.refund_all(tx, step.after.order.id, reason=step.verb)
    promised = step.after.order.refunded_fen - step.before.order.refunded_fen
    assert returned == promised, f"{step.after.order.id}: {returned} returned, {promised} promised"  # noqa: S101


async def refund_part(tx: Tx, step: Step[Job]) -> None:
    """What the order no longer keeps: everybody with a line gives his part back, then the customer has it (HS-161)."""
    order, reason = step.after.order, step.data["reason"]
    await settlement.reverse(tx, order.id, order.kept_fen, reason=reason)
    left = order.refunded_fen - step.before.order.refunded_fen
    for payment in await payments.of_order(tx, order.id):
        part = min(left, payment.refundable_fen)
        if part > 0:
            await payments.refund(tx, payment.id, part, ref=f"{payment.id}:refund:{payment.version}", reason=reason)
            left -= part
    assert left == 0, f"{order.id}: {left} fen promised beyond its payments"  # noqa: S101


async def settle(tx: Tx, step: Step[Job]) -> None:
    """Share out what the order holds by the rule and the region's rate of its posting (HS-153 to HS-155)."""
    job = step.after
    basis = settlement.Basis(
        kept=job.order.kept_fen,
        rate_bps=job.order.snapshot["technician_rate_bps"],
        item=job.visit.item_fen,
        travel=job.visit.travel_fen or 0,
        coupon=job.visit.coupon_fen,
        voucher=job.visit.voucher_fen,
    )
    ended = settlement.Ended(
        order_id=job.order.id,
        line=LINE,
        worker_id=_worker(step),
        split_version=job.rules.split_version,
        basis=basis,
        hold_s=job.rules.settle_hold_s,
    )
    await settlement.settle(tx, ended)


# Facts of their own


async def tell_payment(tx: Tx, step: Step[Job]) -> None:
    order, state = step.after.order, _PAYMENT_STATE[step.verb]
    amount = _moved(step)
    if state == "refunded" and amount == 0:
        return
    staff = ["desk"] if state == "failed" else []
    fact = PaymentSettled(order_id=order.id, amount=Money(amount), state=state)
    tx.tell(fact, to=[customer(order), *technician(order), *staff])


_PAYMENT_STATE = {
    "pay": "paid",
    "pay_late": "paid",
    "fail_payment": "failed",
    "return_money": "returned",
    "drop": "refunded",
    "refund": "refunded",
}


def _moved(step: Step[Job]) -> int:
    before, after = step.before.order, step.after.order
    if step.verb == "fail_payment":
        return after.total_fen
    return max(after.paid_fen - before.paid_fen, after.refunded_fen - before.refunded_fen)


async def offer_to_technician(tx: Tx, step: Step[Job]) -> None:
    job = step.after
    assert job.visit.answer_due_at is not None  # noqa: S101 - set by every step that pays
    fact = OrderOffered(
        order_id=job.order.id,
        item_id=job.visit.item_id,
        item_name=job.item_name,
        start_at=job.visit.start_at,
        minutes=job.visit.minutes,
        lon=round(job.visit.lon, ROUGH_DEGREES),
        lat=round(job.visit.lat, ROUGH_DEGREES),
        region_code=job.visit.region_code,
        payable=Money(job.order.total_fen),
        answer_due_at=job.visit.answer_due_at,
    )
    tx.tell(fact, to=technician(job.order))


async def tell_clock(tx: Tx, step: Step[Job]) -> None:
    ends_at = step.after.visit.ended_at or step.after.visit.ends_at
    assert ends_at is not None  # noqa: S101 - the clock runs or has just stopped
    remaining_s = max(0, round((ends_at - tx.now).total_seconds()))
    fact = OrderClock(order_id=step.after.order.id, ends_at=ends_at, remaining_s=remaining_s)
    tx.tell(fact, to=[customer(step.after.order), *technician(step.after.order), watchers(step.after.order)])


async def end_tracking(tx: Tx, step: Step[Job]) -> None:
    order = step.after.order
    tx.tell(TrackingEnded(order_id=order.id, reason=order.status), to=[customer(order), watchers(order)])


# Cases


class _Case(NamedTuple):
    title: str
    priority: int
    due_s: int
    stage: cases.Stage = cases.Stage.QUEUE


CASE_TYPES: Mapping[str, _Case] = {
    "no_grab": _Case("No technician has answered", 4, 180),
    "no_choice": _Case("The customer has not chosen a technician", 2, 900),
    "pool_expired": _Case("The start is near and no technician is paid for", 4, 600),
    "payment_failed": _Case("A payment failed", 4, 180),
    "accept_timeout": _Case("The technician has not answered", 6, 300),
    "rejected": _Case("The technician rejected a paid order", 6, 300),
    "cancel_confirm": _Case("The customer wants to cancel", 5, 300),
    "late_departure": _Case("The technician has not departed", 7, 300),
    "leave_unconfirmed": _Case("The customer has not confirmed that the technician left", 1, 1_800),
    "safety": _Case("A person asks for help", 9, 60, cases.Stage.ALL),
}
"""By case type: title, priority (9 is the most urgent), seconds until due, and who is called at once."""


def _opens(kind: str) -> Effect[Job]:
    async def open_case(tx: Tx, step: Step[Job]) -> None:
        await _open(tx, step, kind)

    return open_case


async def _open(tx: Tx, step: Step[Job], kind: str) -> None:
    case = CASE_TYPES[kind]
    await cases.open_case(
        tx,
        type=kind,
        line=LINE,
        subject_kind="order",
        subject_id=step.after.order.id,
        due_at=tx.now + timedelta(seconds=case.due_s),
        priority=case.priority,
        stage=case.stage,
        title=case.title,
    )


async def raise_no_grab(tx: Tx, step: Step[Job]) -> None:
    """Second stage: the lead is called (HS-079)."""
    order_id = step.after.order.id
    await cases.raise_case(tx, subject_kind="order", subject_id=order_id, type="no_grab", stage=cases.Stage.LEAD)


async def ask_after_unbinds(tx: Tx, step: Step[Job]) -> None:
    """The third unbind of one order is a case of its own (HS-099)."""
    if step.after.visit.unbinds >= step.after.rules.unbinds_max:
        await _open(tx, step, "no_choice")


async def close_pool_cases(tx: Tx, step: Step[Job]) -> None:
    await cases.resolve_cases(tx, "order", step.after.order.id, POOL_CASES)


_OUTCOMES = {"save": "saved", "drop": "not_saved", "agree": "technician_accepts", "give_up": "customer_refuses"}
"""The outcome (part 5.9) that a staff verb records on its case."""


def _decides(kind: str) -> Effect[Job]:
    async def close_case(tx: Tx, step: Step[Job]) -> None:
        await cases.close_case(
            tx,
            subject_kind="order",
            subject_id=step.after.order.id,
            type=kind,
            outcome=_OUTCOMES[step.verb],
            by=step.by.id,
            note=step.data.get("note"),
        )

    return close_case


EFFECTS: Mapping[str, Callable[[Tx, Step[Job]], Awaitable[None]]] = {
    "push_wider": push_wider,
    "win_call": win_call,
    "pause_call": pause_call,
    "restore": restore,
    "cancel_call": cancel_call,
    "finish_call": finish_call,
    "fix_price": fix_price,
    "use_coupon": use_coupon,
    "return_coupon": return_coupon,
    "take_money": take_money,
    "return_late_money": return_late_money,
    "refund_all": refund_all,
    "refund_part": refund_part,
    "settle": settle,
    "earn_points": earn_points,
    "take_points_back": take_points_back,
    "tell_payment": tell_payment,
    "offer_to_technician": offer_to_technician,
    "tell_clock": tell_clock,
    "end_tracking": end_tracking,
    "open_no_grab": _opens("no_grab"),
    "open_no_choice": _opens("no_choice"),
    "open_pool_expired": _opens("pool_expired"),
    "open_payment_failed": _opens("payment_failed"),
    "open_accept_timeout": _opens("accept_timeout"),
    "open_rejected": _opens("rejected"),
    "open_cancel_confirm": _opens("cancel_confirm"),
    "open_late_departure": _opens("late_departure"),
    "open_leave_unconfirmed": _opens("leave_unconfirmed"),
    "open_safety": _opens("safety"),
    "raise_no_grab": raise_no_grab,
    "ask_after_unbinds": ask_after_unbinds,
    "close_pool_cases": close_pool_cases,
    "close_cancel_confirm": _decides("cancel_confirm"),
    "close_rejected": _decides("rejected"),
}


def actor_role(role: Role) -> str:
    """How facts name who acted."""
    return {"worker": "technician", "staff": "support"}.get(role.value, role.value)
