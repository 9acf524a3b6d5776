"""Money that goes back after the end of an order: asked for, agreed to, taken from who has it, given (HS-150, HS-161).

`refund` is the one verb that gives; people reach it through a request (`rest.money.refunds`), which reserves its amount
on the order until it is given or released, so that requests together never exceed what the order keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256

from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import LINE, Job
from rest.money import penalties, refunds
from rest.money.penalties import Penalty
from rest.money.refunds import Asker, OrderSide, PreviewChanged, Reason, RefundRules, RefundWindow, Request, Subject
from rest.money.refunds.ladder import HASH_DIGITS
from rest.money.wallet import RefundExceedsPaid
from rest.trade import orders
from rest.trade.orders import By, Role
from storage.base.errors import NotFound
from storage.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks back of an ended order. `amount_fen` None: all that can be. `shown` names a preview."""

    amount_fen: int | None
    reason: Reason
    note: str
    shown: str | None = None


def refundable_fen(job: Job) -> int:
    """What is kept and nobody has asked back yet."""
    return job.order.kept_fen - job.order.refund_reserved_fen


def preview_refund(job: Job, amount_fen: int | None) -> tuple[int, str]:
    """How much a request for this would ask back of the ended order, and the name of that preview.

    Raises RefundExceedsPaid.
    """
    free_fen = refundable_fen(job)
    fen = free_fen if amount_fen is None else amount_fen
    if not 0 < fen <= free_fen:
        raise RefundExceedsPaid(free_fen)
    named = f"{job.order.id} {job.order.kept_fen} {job.order.refund_reserved_fen} {fen}"
    return fen, sha256(named.encode()).hexdigest()[:HASH_DIGITS]


async def ask_refund(
    tx: Tx, rules: RefundRules, job: Job, by: By, wish: Wish, *, case_id: str | None = None
) -> Request:
    """Ask for money of an ended order; it is reserved until people have decided. Needs the lock.

    Raises WrongState, RefundExceedsPaid, PreviewChanged, RefundWindow (of customers), TooManyRefunds; CaseNotOpen.
    """
    HOMESERVICE.machine.decide(job.order.status, "ask_refund", by)
    _check_window(tx, rules, job, by)
    fen, name = preview_refund(job, wish.amount_fen)
    if wish.shown is not None and wish.shown != name:
        raise PreviewChanged(preview={"refund_fen": fen, "preview_hash": name})
    order = job.order
    request = await refunds.ask(
        tx,
        rules,
        job.policy,
        Subject(order_id=order.id, line=LINE, customer_id=order.customer_id, worker_id=order.provider_id),
        Asker(by.role.value, by.id),
        amount_fen=fen,
        reason=wish.reason,
        note=wish.note,
    )
    after = replace(job, order=replace(order, refund_reserved_fen=order.refund_reserved_fen + fen))
    data = {"refund_id": request.id, "reserved_fen": fen, "reason": wish.reason.value}
    if case_id is not None:
        data |= {"case_id": case_id, "note": wish.note}
    await orders.apply(tx, HOMESERVICE, job, "ask_refund", by, after=after, data=data)
    return request


def _check_window(tx: Tx, rules: RefundRules, job: Job, by: By) -> None:
    ended_at = job.order.closed_at
    until = None if ended_at is None else ended_at + timedelta(days=rules.window_days)
    if by.role is Role.CUSTOMER and until is not None and tx.now > until:
        raise RefundWindow


async def refund(
    tx: Tx,
    order_id: str,
    staff_id: str,
    amount_fen: int,
    reason: str,
    *,
    reserved_fen: int = 0,
    refund_id: str | None = None,
) -> Job:
    """Give a part or all of an ended order back; everybody with a line bears his part.

    `reserved_fen` is what its request has reserved, and no longer does. Each call is a refund of its own. Raises
    NotFound, WrongState, RefundExceedsPaid.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    by = By(Role.STAFF, staff_id)
    HOMESERVICE.machine.decide(job.order.status, "refund", by)
    free_fen = refundable_fen(job) + reserved_fen
    if not 0 < amount_fen <= free_fen:
        raise RefundExceedsPaid(free_fen)
    order = replace(
        job.order,
        refunded_fen=job.order.refunded_fen + amount_fen,
        refund_reserved_fen=job.order.refund_reserved_fen - reserved_fen,
    )
    data = {"amount_fen": amount_fen, "reason": reason} | ({"refund_id": refund_id} if refund_id else {})
    return await orders.apply(tx, HOMESERVICE, job, "refund", by, after=replace(job, order=order), data=data)


class _Side(OrderSide):
    """This line's part of a refund request."""

    async def lock(self, tx: Tx, order_id: str) -> None:
        await orders.lock_for_system(tx, HOMESERVICE, order_id)

    async def give(self, tx: Tx, request: Request, by: str) -> None:
        assert request.approved_fen is not None  # noqa: S101 - an executed request has been approved
        await refund(
            tx,
            request.subject.order_id,
            by,
            request.approved_fen,
            request.reason.value,
            reserved_fen=request.amount_fen,
            refund_id=request.id,
        )

    async def release(self, tx: Tx, request: Request, by: str) -> None:
        job = await orders.lock_for_system(tx, HOMESERVICE, request.subject.order_id)
        order = replace(job.order, refund_reserved_fen=job.order.refund_reserved_fen - request.amount_fen)
        role = Role.CUSTOMER if by == order.customer_id else Role.STAFF
        data = {"refund_id": request.id, "released_fen": request.amount_fen}
        await orders.apply(
            tx, HOMESERVICE, job, "release_refund", By(role, by), after=replace(job, order=order), data=data
        )


SIDE = _Side()


async def reverse_penalty(
    tx: Tx, penalty_id: str, staff_id: str, reason: str, *, case_id: str | None = None
) -> Penalty:
    """A penalty was a mistake: the technician's goes back to his wallet, the customer's to the customer (HS-132).

    In a case it closes that, which must be about the penalty's order. Raises NotFound, PenaltyReversed, RefundOpen,
    CaseNotOpen.
    """
    seen = await penalties.find(tx, penalty_id)
    if seen.line != LINE:
        raise NotFound
    job = await orders.lock_for_system(tx, HOMESERVICE, seen.order_id)
    penalty = await penalties.reverse(tx, penalty_id, by=f"staff:{staff_id}", reason=reason)
    by, data = By(Role.STAFF, staff_id), {"penalty_id": penalty.id, "reason": reason}
    if case_id is not None:  # what is said in a case stays there
        data |= {"case_id": case_id, "note": reason, "reason": "waived", "outcome": "waive_penalty"}
    if penalty.payer.kind != "customer" or job.order.kept_fen == 0:
        if case_id is not None:
            await orders.apply(tx, HOMESERVICE, job, "leave_as_is", by, data=data)
        return penalty
    if job.order.refund_reserved_fen:
        raise refunds.RefundOpen
    after = replace(job, order=replace(job.order, refunded_fen=job.order.paid_fen))
    await orders.apply(tx, HOMESERVICE, job, "reverse_penalty", by, after=after, data=data)
    return penalty
