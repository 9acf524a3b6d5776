"""The effects that rows of the transition table name: calls down to dispatch and money.

Each is a function of the step alone. In a row they stand in lock order: call and booking, coupon, voucher,
ledger accounts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import dispatch
from rest.edge.values import Money
from rest.lines.homeservice import breaks, vouchers
from rest.lines.homeservice.casework.effects import opens
from rest.lines.homeservice.facts import OrderClock, OrderOffered, PartMoved, PaymentSettled
from rest.lines.homeservice.model import CLOSED_PENALTY, LINE, PENDING_PAYMENT, POOL, REJECTED, Job
from rest.lines.homeservice.prices import agreed_lines, settled_basis
from rest.marketing import coupons, rewards
from rest.marketing.rewards import Event
from rest.money import payments, settlement
from rest.trade import orders
from rest.trade.orders import Order, Role, Step, TrackingEnded
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
    await dispatch.renew(tx, call_of(step), radius_factor=step.after.rules.radius_grow)


async def win_call(tx: Tx, step: Step[Job]) -> None:
    """The chosen technician has the order; the others lose (HS-085)."""
    await dispatch.win(tx, call_of(step), worker_of(step))


async def pause_call(tx: Tx, step: Step[Job]) -> None:
    await dispatch.pause(tx, call_of(step), reason="cancel_requested")


async def restore(tx: Tx, step: Step[Job]) -> None:
    """A kept order goes back to where it was (HS-090): the pool, a payment window that starts anew, its case."""
    status = step.after.order.status
    if status in POOL:
        await dispatch.resume(tx, call_of(step))
    elif status == PENDING_PAYMENT and step.after.visit.lock_expires_at is not None:
        await relock(tx, step)
    elif status == REJECTED:
        await opens("rejected")(tx, step)


async def relock(tx: Tx, step: Step[Job]) -> None:
    """The payment window starts anew."""
    until = step.after.visit.lock_expires_at
    assert until is not None  # noqa: S101 - set by this step
    await dispatch.relock(tx, call_of(step), until=until)


async def seek_again(tx: Tx, step: Step[Job]) -> None:
    """The technician is let go for good and told, his voucher with him; others are asked (HS-068)."""
    former = step.before.order.provider_id
    assert former is not None  # noqa: S101 - the row is only reachable with a technician
    await dispatch.reopen(tx, call_of(step), exclude=[former], reason="changed")
    if step.before.visit.voucher_id is not None:
        await vouchers.release(tx, step.after.order.id)


async def cancel_call(tx: Tx, step: Step[Job]) -> None:
    """Everybody who offered, was locked or won is free again and told (part 5.4)."""
    await dispatch.close_call(tx, call_of(step), reason="order_cancelled")


async def finish_call(tx: Tx, step: Step[Job]) -> None:
    await dispatch.finish(tx, call_of(step))


def call_of(step: Step[Job]) -> str:
    call_id = step.after.order.call_id
    assert call_id is not None  # noqa: S101 - every order of this line is posted with a call
    return call_id


def worker_of(step: Step[Job]) -> str:
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


async def return_voucher(tx: Tx, step: Step[Job]) -> None:
    """The order ended and keeps nothing: its technician's voucher has a piece more. A penalty keeps it."""
    if step.after.visit.voucher_id is not None and step.after.order.kept_fen == 0:
        await vouchers.release(tx, step.after.order.id)


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
    payment = step.payment
    if payment is None:  # nothing was left to pay
        return
    if step.data.get("late"):
        await payments.restore_late(tx, payment.id, lock_epoch=step.after.visit.lock_epoch)
    elif not step.data.get("received"):
        await payments.settle_paid(tx, payment)


async def return_late_money(tx: Tx, step: Step[Job]) -> None:
    """Money nobody waits for any more goes back in full (HS-058, HS-088)."""
    await payments.return_late(tx, step.data["payment_id"])


async def refund_all(tx: Tx, step: Step[Job]) -> None:
    """Everything that was paid goes back, and nobody waits for more (HS-091)."""
    await payments.close_open(tx, step.after.order.id, step.verb)
    await refund_rest(tx, step)
    left = sum(payment.refundable_fen for payment in await payments.of_order(tx, step.after.order.id))
    assert left == 0, f"{step.after.order.id}: {left} fen are kept of what was promised"  # noqa: S101


async def refund_rest(tx: Tx, step: Step[Job]) -> None:
    """What the order no longer keeps goes back to how it was paid (HS-116, HS-150)."""
    order = step.after.order
    amount_fen = order.refunded_fen - step.before.order.refunded_fen
    if amount_fen:
        reason = step.data.get("reason") or step.verb
        await payments.give_back(tx, order.id, amount_fen, ref=_refund_ref(step), reason=reason)


def _refund_ref(step: Step[Job]) -> str:
    """What money of this step is given as: its request, or the step itself."""
    order = step.after.order
    return step.data.get("refund_id") or f"{order.id}:refund:{order.version}"


async def refund_part(tx: Tx, step: Step[Job]) -> None:
    """What the order no longer keeps: everybody with a line gives his part back, then the customer has it (HS-161)."""
    order = step.after.order
    await settlement.reverse(tx, order.id, order.kept_fen, reason=step.data["reason"])
    await refund_rest(tx, step)


async def settle(tx: Tx, step: Step[Job]) -> None:
    """Share out what the order holds by the rule and the region's rate of its posting (HS-153 to HS-155)."""
    job = step.after
    ended = settlement.Ended(
        order_id=job.order.id,
        line=LINE,
        worker_id=worker_of(step),
        split_version=job.rules.split_version,
        basis=breaks.penalty_basis(job, step.data) if job.order.status == CLOSED_PENALTY else settled_basis(job),
        hold_s=job.rules.settle_hold_s,
    )
    await settlement.settle(tx, ended)


# Facts of their own


async def tell_payment(tx: Tx, step: Step[Job]) -> None:
    """What has moved; a payment may leave something of before to give back (HS-068)."""
    state, back_fen = _PAYMENT_STATE[step.verb], step.after.order.refunded_fen - step.before.order.refunded_fen
    if state != "refunded":
        _tell_settled(tx, step, state, _moved(step), step.data["parts"])
    if state in {"refunded", "paid"} and back_fen:
        _tell_settled(tx, step, "refunded", back_fen, await _refunded_parts(tx, step))


def _tell_settled(tx: Tx, step: Step[Job], state: str, amount_fen: int, parts: list[dict[str, Any]]) -> None:
    order = step.after.order
    fact = PaymentSettled(
        order_id=order.id, amount=Money(amount_fen), state=state, parts=[_told(part) for part in parts]
    )
    # Support hears of money that did not come, and of money nobody waited for (HS-053, HS-058).
    staff = ["desk"] if state in {"failed", "returned"} else []
    tx.tell(fact, to=[customer(order), *technician(order), *staff])


async def _refunded_parts(tx: Tx, step: Step[Job]) -> list[dict[str, Any]]:
    legs = await payments.legs(tx, ref=_refund_ref(step))
    return [{"method": leg.tender.value, "amount_fen": leg.amount_fen, "points": leg.points} for leg in legs]


def _told(part: Mapping[str, Any]) -> PartMoved:
    return PartMoved(method=part["method"], amount=Money(part["amount_fen"]), points=part.get("points") or None)


_PAYMENT_STATE = {
    "pay": "paid",
    "pay_late": "paid",
    "fail_payment": "failed",
    "return_money": "returned",
    "drop": "refunded",
    "cancel": "refunded",
    "call_off": "refunded",
    "refund": "refunded",
    "insist": "refunded",
    "leave_unmet": "refunded",
    "terminate": "refunded",
    "excuse": "refunded",
    "change_technician": "refunded",
    "reverse_penalty": "refunded",
}


def _moved(step: Step[Job]) -> int:
    before, after = step.before.order, step.after.order
    return after.total_fen if step.verb == "fail_payment" else after.paid_fen - before.paid_fen


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


EFFECTS: Mapping[str, Callable[[Tx, Step[Job]], Awaitable[None]]] = {
    "push_wider": push_wider,
    "win_call": win_call,
    "pause_call": pause_call,
    "restore": restore,
    "relock": relock,
    "seek_again": seek_again,
    "cancel_call": cancel_call,
    "finish_call": finish_call,
    "fix_price": fix_price,
    "use_coupon": use_coupon,
    "return_coupon": return_coupon,
    "return_voucher": return_voucher,
    "take_money": take_money,
    "return_late_money": return_late_money,
    "refund_all": refund_all,
    "refund_rest": refund_rest,
    "refund_part": refund_part,
    "settle": settle,
    "earn_points": earn_points,
    "take_points_back": take_points_back,
    "tell_payment": tell_payment,
    "offer_to_technician": offer_to_technician,
    "tell_clock": tell_clock,
    "end_tracking": end_tracking,
}


def actor_role(role: Role) -> str:
    """How facts name who acted."""
    return {"worker": "technician", "staff": "support"}.get(role.value, role.value)
