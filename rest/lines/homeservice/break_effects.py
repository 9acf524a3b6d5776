"""Effects of an order that breaks off: penalties, and the wait at a closed door (part 4.9)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from rest.lines.homeservice import breaks, effects
from rest.lines.homeservice.facts import WaitEnded, WaitOver, WaitStarted
from rest.lines.homeservice.model import LINE, Job
from rest.lines.homeservice.prices import agreed_lines
from rest.money import penalties
from rest.money.penalties import Broken
from rest.trade import orders
from rest.trade.orders import Step
from storage.tx import Tx


async def keep_penalty(tx: Tx, step: Step[Job]) -> None:
    """Write the customer's penalty down, and give both sides a receipt (HS-129)."""
    data = step.data
    await penalties.keep(
        tx,
        _broken(step, step.after, cause="no_show" if step.verb == "leave_unmet" else "cancelled"),
        item_fen=data["penalty_item_fen"],
        travel_fen=data["penalty_travel_fen"],
    )


async def debit_technician(tx: Tx, step: Step[Job]) -> None:
    """The technician who would not go on pays (HS-120, HS-130)."""
    broken = _broken(step, step.before, cause="would_not_go_on")
    await penalties.debit(tx, broken, amount_fen=breaks.technician_penalty(step.before))


def _broken(step: Step[Job], job: Job, *, cause: str) -> Broken:
    assert job.order.provider_id is not None  # noqa: S101 - a departed order has a technician
    return Broken(
        order_id=job.order.id,
        line=LINE,
        customer_id=job.order.customer_id,
        worker_id=job.order.provider_id,
        cause=cause,
        by=str(step.by),
        note=step.data.get("note"),
    )


async def fix_cheaper_price(tx: Tx, step: Step[Job]) -> None:
    """A changed technician whose way is shorter: the price is fixed again, lower."""
    if step.after.visit.lock_epoch != step.before.visit.lock_epoch:
        await orders.write_lines(tx, step.after.order.id, step.after.visit.lock_epoch, agreed_lines(step.after))


async def tell_wait_started(tx: Tx, step: Step[Job]) -> None:
    visit = step.after.visit
    assert visit.wait_started_at is not None  # noqa: S101 - set by this step
    assert visit.wait_due_at is not None  # noqa: S101 - set by this step
    fact = WaitStarted(order_id=step.after.order.id, started_at=visit.wait_started_at, over_at=visit.wait_due_at)
    tx.tell(fact, to=_sides(step))


async def tell_wait_over(tx: Tx, step: Step[Job]) -> None:
    tx.tell(WaitOver(order_id=step.after.order.id), to=_sides(step))


async def tell_wait_ended(tx: Tx, step: Step[Job]) -> None:
    tx.tell(WaitEnded(order_id=step.after.order.id, who=effects.actor_role(step.by.role)), to=_sides(step))


def _sides(step: Step[Job]) -> list[str]:
    return [effects.customer(step.after.order), *effects.technician(step.after.order), "desk"]


EFFECTS: Mapping[str, Callable[[Tx, Step[Job]], Awaitable[None]]] = {
    "keep_penalty": keep_penalty,
    "debit_technician": debit_technician,
    "fix_cheaper_price": fix_cheaper_price,
    "tell_wait_started": tell_wait_started,
    "tell_wait_over": tell_wait_over,
    "tell_wait_ended": tell_wait_ended,
}
