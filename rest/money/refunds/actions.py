"""Verbs of refund requests. Lock order: the order (by its line) → the request → ledger accounts.

The order's part (reserving, giving, releasing) is its line's: `Lines` says who that is. A step is one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

from rest.edge.values import Money
from rest.money.refunds import store
from rest.money.refunds.facts import RefundChanged
from rest.money.refunds.ladder import Policy
from rest.money.refunds.model import (
    SYSTEM,
    Asker,
    Event,
    OwnRefund,
    Reason,
    Request,
    RequestState,
    Subject,
    TooManyRefunds,
)
from rest.money.refunds.rules import RefundRules
from storage.base.errors import NotFound
from storage.tx import Tx

REVIEW_DUE = "refunds.review_due"


class OrderSide(Protocol):
    """What a line does with its order when a request of it moves."""

    async def lock(self, tx: Tx, order_id: str) -> None:
        """Lock the order and whatever is locked before it."""

    async def give(self, tx: Tx, request: Request, by: str) -> None:
        """Give what was approved, out of the reserve, as `request.id`; those who have it bear it. Needs the lock."""

    async def release(self, tx: Tx, request: Request, by: str) -> None:
        """What was reserved for the request is not. Needs the lock."""


Lines = Mapping[str, OrderSide]
"""By name of the business line."""


async def ask(
    tx: Tx,
    rules: RefundRules,
    policy: Policy,
    subject: Subject,
    asker: Asker,
    *,
    amount_fen: int,
    reason: Reason,
    note: str,
) -> Request:
    """Ask for money of an ended order; the line reserves it in the same transaction, under the order's lock.

    Raises TooManyRefunds.
    """
    if await store.count_open(tx, subject.order_id) >= rules.open_max:
        raise TooManyRefunds
    reviewed = policy.provider_review and subject.worker_id is not None
    request = Request(
        id=tx.new_id("rfq"),
        subject=subject,
        asker=asker,
        amount_fen=amount_fen,
        approved_fen=None,
        reason=reason,
        note=note,
        policy=policy.name,
        policy_version=policy.version,
        second_over_fen=rules.second_over_fen if policy.second_over_fen is None else policy.second_over_fen,
        opinion=None,
        approved_by=None,
        state=RequestState.REVIEW if reviewed else RequestState.REQUESTED,
        version=1,
        requested_at=tx.now,
        changed_at=tx.now,
        executed_at=None,
    )
    await store.insert(tx, request)
    if reviewed:
        due_at = tx.now + timedelta(seconds=rules.review_s)
        tx.schedule(REVIEW_DUE, _review_key(request.id), due_at, {"refund_id": request.id})
    await _record(tx, None, request, actor=str(asker), verb="ask", detail=note)
    return request


async def review(tx: Tx, refund_id: str, *, worker_id: str, agrees: bool, comment: str) -> Request:
    """The provider says what he thinks; finance decides (FR-151). Raises NotFound, WrongRefundState."""
    before = await _lock(tx, refund_id)
    if before.subject.worker_id != worker_id:
        raise NotFound
    opinion = "agrees" if agrees else "objects"
    moved = replace(before.after("review", tx.now), opinion=opinion)
    tx.unschedule(_review_key(refund_id))
    await store.save(tx, moved)
    await _record(tx, before, moved, actor=f"worker:{worker_id}", verb="review", detail=f"{opinion}: {comment}")
    return moved


async def miss_review(tx: Tx, payload: dict[str, Any]) -> None:
    """The provider has said nothing in time: finance decides without him (FR-159)."""
    before = await _lock(tx, payload["refund_id"])
    if before.state is RequestState.REVIEW:
        moved = before.after("miss_review", tx.now)
        await store.save(tx, moved)
        await _record(tx, before, moved, actor=SYSTEM, verb="miss_review", detail=None)


async def approve(
    tx: Tx, lines: Lines, refund_id: str, *, by: str, amount_fen: int | None = None, note: str
) -> Request:
    """Finance gives it, all or a part; above the limit only with the word of a second person (FR-153).

    The last word gives the money in the same transaction. Raises NotFound, WrongRefundState, OwnRefund, SameApprover,
    ApprovedAmount.
    """
    before = await _lock_with_order(tx, lines, refund_id)
    moved = before.approved(by, amount_fen, tx.now)
    await store.save(tx, moved)
    verb = "execute" if moved.state is RequestState.EXECUTED else "approve_first"
    await _record(tx, before, moved, actor=f"staff:{by}", verb=verb, detail=note)
    if moved.state is RequestState.EXECUTED:
        await lines[moved.subject.line].give(tx, moved, by)
    return moved


async def reject(tx: Tx, lines: Lines, refund_id: str, *, by: str, reason: str) -> Request:
    """Finance does not give it; the reserve is free again. Raises NotFound, WrongRefundState, OwnRefund."""
    before = await _lock_with_order(tx, lines, refund_id)
    if by == before.subject.customer_id:
        raise OwnRefund
    return await _close(tx, lines, before, "reject", actor=f"staff:{by}", by=by, detail=reason)


async def withdraw(tx: Tx, lines: Lines, refund_id: str, *, account_id: str) -> Request:
    """The customer does not want it any more. Again, it changes nothing. Raises NotFound, WrongRefundState."""
    before = await _lock_with_order(tx, lines, refund_id)
    if before.subject.customer_id != account_id or before.asker.role != "customer":
        raise NotFound
    if before.state is RequestState.WITHDRAWN:
        return before
    return await _close(tx, lines, before, "withdraw", actor=f"customer:{account_id}", by=account_id, detail=None)


async def _close(
    tx: Tx, lines: Lines, before: Request, verb: str, *, actor: str, by: str, detail: str | None
) -> Request:
    moved = before.after(verb, tx.now)
    tx.unschedule(_review_key(before.id))
    await store.save(tx, moved)
    await _record(tx, before, moved, actor=actor, verb=verb, detail=detail)
    await lines[moved.subject.line].release(tx, moved, by)
    return moved


async def find(tx: Tx, refund_id: str) -> Request:
    """For staff. Raises NotFound."""
    found = await store.read(tx, refund_id)
    if found is None:
        raise NotFound
    return found


async def of_customer(tx: Tx, refund_id: str, account_id: str) -> Request:
    """The customer's own. Raises NotFound."""
    found = await find(tx, refund_id)
    if found.subject.customer_id != account_id:
        raise NotFound
    return found


async def _lock_with_order(tx: Tx, lines: Lines, refund_id: str) -> Request:
    seen = await find(tx, refund_id)
    await lines[seen.subject.line].lock(tx, seen.subject.order_id)
    return await _lock(tx, refund_id)


async def _lock(tx: Tx, refund_id: str) -> Request:
    found = await store.lock(tx, refund_id)
    if found is None:
        raise NotFound
    return found


async def _record(tx: Tx, before: Request | None, after: Request, *, actor: str, verb: str, detail: str | None) -> None:
    event = Event(
        refund_id=after.id,
        n=after.version,
        at=tx.now,
        actor=actor,
        verb=verb,
        from_state=None if before is None else before.state.value,
        to_state=after.state.value,
        detail=detail,
    )
    await store.insert_event(tx, event)
    subject = after.subject
    fact = RefundChanged(
        refund_id=after.id,
        order_id=subject.order_id,
        state=after.state.value,
        version=after.version,
        amount=Money(after.approved_fen or after.amount_fen),
    )
    bears = [f"worker:{subject.worker_id}"] if subject.worker_id is not None else []
    tx.tell(fact, to=[f"customer:{subject.customer_id}", *bears, "desk"])


def _review_key(refund_id: str) -> str:
    return f"refund:{refund_id}:review"
