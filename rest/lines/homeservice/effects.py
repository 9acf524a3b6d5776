"""The effects that rows of the transition table name: calls down to dispatch, money and cases.

Each is a function of the step alone. In a row they stand in lock order: call and booking, coupon, voucher,
ledger accounts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import dispatch
from chat import cases
from rest.edge.values import Money
from rest.lines.homeservice import breaks, vouchers
from rest.lines.homeservice.facts import OrderClock, OrderOffered, PartMoved, PaymentSettled
from rest.lines.homeservice.model import CLOSED_PENALTY, LINE, PENDING_PAYMENT, POOL, POOL_CASES, REJECTED, Job
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
        await dispatch.relock(tx, call_of(step), until=step.after.visit.lock_expires_at)
    elif status == REJECTED:
        await _open(tx, step, "rejected")


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
        basis=breaks.penalty_basis(job, step.data) if job.order.status == CLOSED_PENALTY else _basis(job),
        hold_s=job.rules.settle_hold_s,
    )
    await settlement.settle(tx, ended)


def _basis(job: Job) -> settlement.Basis:
    visit, own_fen = job.visit, own_voucher(job)
    return settlement.Basis(
        kept=job.order.kept_fen,
        rate_bps=job.order.snapshot["technician_rate_bps"],
        item=visit.item_fen,
        travel=(visit.travel_fen or 0) + visit.travel_extra_fen,
        coupon=visit.coupon_fen + visit.voucher_fen - own_fen,
        voucher=own_fen,
    )


def own_voucher(job: Job) -> int:
    """What the technician who came has promised himself; what one before him has is the platform's to bear."""
    return job.visit.voucher_fen if job.visit.voucher_worker_id == job.order.provider_id else 0


# Facts of their own


async def tell_payment(tx: Tx, step: Step[Job]) -> None:
    order, state = step.after.order, _PAYMENT_STATE[step.verb]
    amount = _moved(step)
    if state == "refunded" and amount == 0:
        return
    staff = ["desk"] if state == "failed" else []
    parts = await _refunded_parts(tx, step) if state == "refunded" else step.data["parts"]
    fact = PaymentSettled(order_id=order.id, amount=Money(amount), state=state, parts=[_told(part) for part in parts])
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
    "user_cancel_en_route": _Case("The customer wants to cancel; the technician is on his way", 7, 180),
    "user_cancel_on_site": _Case("The customer wants to cancel; the technician is at the door", 8, 180),
    "technician_terminate": _Case("The technician does not want to go on", 7, 180),
    "user_unreachable": _Case("The technician cannot reach the customer", 8, 180),
    "leave_unconfirmed": _Case("The customer has not confirmed that the technician left", 1, 1_800),
    "safety": _Case("A person asks for help", 9, 60, cases.Stage.ALL),
}
"""By case type: title, priority (9 is the most urgent), seconds until due, and who is called at once."""


def opens(kind: str) -> Effect[Job]:
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


OUTCOMES = {
    "save": "saved",
    "drop": "not_saved",
    "agree": "technician_accepts",
    "give_up": "customer_refuses",
    "go_on": "goes_on",
    "insist": "insists",
    "resume_trip": "goes_on",
    "change_technician": "change_technician",
    "terminate": "end_with_refund",
    "find_customer": "customer_found",
    "leave_unmet": "technician_leaves",
    "excuse": "ended_without_penalty",
}
"""The outcome (part 5.9) that a staff verb records on its case."""


def decides(kind: str) -> Effect[Job]:
    async def close_case(tx: Tx, step: Step[Job]) -> None:
        await cases.close_case(
            tx,
            subject_kind="order",
            subject_id=step.after.order.id,
            type=kind,
            outcome=OUTCOMES[step.verb],
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
    "open_no_grab": opens("no_grab"),
    "open_no_choice": opens("no_choice"),
    "open_pool_expired": opens("pool_expired"),
    "open_payment_failed": opens("payment_failed"),
    "open_accept_timeout": opens("accept_timeout"),
    "open_rejected": opens("rejected"),
    "open_cancel_confirm": opens("cancel_confirm"),
    "open_late_departure": opens("late_departure"),
    "open_leave_unconfirmed": opens("leave_unconfirmed"),
    "open_safety": opens("safety"),
    "raise_no_grab": raise_no_grab,
    "ask_after_unbinds": ask_after_unbinds,
    "close_pool_cases": close_pool_cases,
    "close_cancel_confirm": decides("cancel_confirm"),
    "close_rejected": decides("rejected"),
}


def actor_role(role: Role) -> str:
    """How facts name who acted."""
    return {"worker": "technician", "staff": "support"}.get(role.value, role.value)
