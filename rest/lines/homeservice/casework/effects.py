"""What the order's state machine does with cases: opens them, closes them with support's word, compensates in them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from chat import cases
from rest.lines.homeservice.casework.outcomes import ANSWERS, RECORDED
from rest.lines.homeservice.casework.types import CASE_TYPES, POOL_CASES, Whose
from rest.lines.homeservice.model import LINE, Job
from rest.marketing import coupons
from rest.trade.orders import By, Order, Role, Step
from rest.trade.orders.executor import Effect
from storage.tx import Tx

SUBJECT = "order"


def opens(kind: str) -> Effect[Job]:
    """The effect that opens a case of this type; who asks, if a person did, is known by it."""

    async def open_it(tx: Tx, step: Step[Job]) -> None:
        await open_case(tx, step.after, kind, step.by)

    return open_it


async def open_case(tx: Tx, job: Job, kind: str, asker: By, *, note: str | None = None) -> cases.Case:
    """A case of this type about the order, or the one that is open (HS-190). Support opens by hand (HS-197)."""
    known = CASE_TYPES[kind]
    return await cases.open_case(
        tx,
        type=kind,
        line=LINE,
        subject_kind=SUBJECT,
        subject_id=job.order.id,
        due_at=tx.now + timedelta(seconds=known.due_s),
        priority=known.priority,
        stage=cases.Stage.ALL if known.calls_all else cases.Stage.QUEUE,
        title=known.title,
        parties=_parties(job.order, known.whose, asker),
        by=asker.id if asker.role is Role.STAFF else None,
        note=note,
    )


def _parties(order: Order, whose: Whose, asker: By) -> list[str]:
    """Whose own case it is (HS-196)."""
    if whose is Whose.ASKER:
        return [f"{asker.role}:{asker.id}"] if asker.role in {Role.CUSTOMER, Role.WORKER} else []
    sides = []
    if whose in {Whose.CUSTOMER, Whose.BOTH}:
        sides.append(f"customer:{order.customer_id}")
    if whose in {Whose.WORKER, Whose.BOTH} and order.provider_id is not None:
        sides.append(f"worker:{order.provider_id}")
    return sides


async def raise_no_grab(tx: Tx, step: Step[Job]) -> None:
    """Second stage: the lead is called (HS-079)."""
    order_id = step.after.order.id
    await cases.raise_case(tx, subject_kind=SUBJECT, subject_id=order_id, type="no_grab", stage=cases.Stage.LEAD)


async def ask_after_unbinds(tx: Tx, step: Step[Job]) -> None:
    """The third unbind of one order is a case of its own (HS-099)."""
    if step.after.visit.unbinds >= step.after.rules.unbinds_max:
        await open_case(tx, step.after, "no_choice", step.by)


async def close_pool_cases(tx: Tx, step: Step[Job]) -> None:
    """The customer has moved the time: what was asked about the old one no longer stands."""
    await cases.resolve_cases(tx, SUBJECT, step.after.order.id, POOL_CASES)


async def decide_case(tx: Tx, step: Step[Job]) -> None:
    """Support's word closes the case it was given in, and every other that asked the same (HS-192).

    A verb that answers a question needs one that is open. Who is no support has simply moved the order on (HS-194).
    Raises CaseNotOpen.
    """
    answered, case_id = ANSWERS.get(step.verb), step.data.get("case_id")
    outcome = step.data.get("outcome") or RECORDED[step.verb]
    if step.by.role is not Role.STAFF:
        if step.verb in _ALSO_BY_THE_SIDES:
            await cases.resolve_cases(tx, SUBJECT, step.after.order.id, answered, outcome)
        return
    if answered is None and case_id is None:
        return
    await cases.close_case(
        tx,
        subject_kind=SUBJECT,
        subject_id=step.after.order.id,
        types=answered or (),
        outcome=outcome,
        by=step.by.id,
        note=step.data.get("note"),
        case_id=case_id,
    )


_ALSO_BY_THE_SIDES = frozenset({"find_customer", "leave_unmet"})
"""What the sides themselves decide so: their own word is the outcome."""


async def give_coupon(tx: Tx, step: Step[Job]) -> None:
    """The customer gets a coupon for his trouble, up to what a case may give (HS-189)."""
    await coupons.give(
        tx,
        step.data["template_id"],
        [step.after.order.customer_id],
        by_id=step.by.id,
        reason=step.data["note"],
        case_id=step.data["case_id"],
        limited=True,
    )


EFFECTS: Mapping[str, Callable[[Tx, Step[Job]], Awaitable[None]]] = {
    **{f"open_{kind}": opens(kind) for kind in CASE_TYPES},
    "raise_no_grab": raise_no_grab,
    "ask_after_unbinds": ask_after_unbinds,
    "close_pool_cases": close_pool_cases,
    "decide_case": decide_case,
    "give_coupon": give_coupon,
}
