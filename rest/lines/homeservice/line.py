"""The home-service line as the kernel sees it: table, store, effects, and what follows every step."""

from __future__ import annotations

from datetime import datetime, timedelta

from chat import cases
from rest.lines.homeservice import break_effects, effects, store
from rest.lines.homeservice.casework.effects import EFFECTS as CASEWORK
from rest.lines.homeservice.casework.effects import SUBJECT
from rest.lines.homeservice.casework.types import cases_left
from rest.lines.homeservice.model import BOUND, DEPARTED, MACHINE, Job, timers
from rest.trade.orders import Line, Order, OrderChanged, Step
from storage.base.codec import instant
from storage.tx import Tx

SILENCE = "silence"
"""The deadline that no state of the order gives: positions move it."""


async def follow(tx: Tx, step: Step[Job]) -> None:
    """After every step: deadlines and open cases are brought to what the new state says, and everybody is told."""
    set_timers(tx, step.before, step.after)
    listen(tx, step.before, step.after)
    settled = cases_left(step.before.order.status, step.after.order.status)
    if settled:
        await cases.resolve_cases(tx, SUBJECT, step.after.order.id, settled)
    tell_changed(tx, step)


def set_timers(tx: Tx, before: Job | None, after: Job) -> None:
    """Schedule what is newly due and take back what no longer is; `before` None for a new order."""
    old = timers(before) if before is not None else {}
    new = timers(after)
    for name in old.keys() - new.keys():
        tx.unschedule(timer_key(after.order.id, name))
    for name, due_at in new.items():
        if old.get(name) != due_at:
            tx.schedule(timer_kind(name), timer_key(after.order.id, name), due_at, {"order_id": after.order.id})


def listen(tx: Tx, before: Job, after: Job) -> None:
    """Whoever is under way is listened for (`silence`): from his departure until he is there, or the trip is over."""
    was, now = before.order.status == DEPARTED, after.order.status == DEPARTED
    if now and not was:
        listen_until(tx, after.order.id, tx.now + timedelta(seconds=after.rules.silent_s))
    elif was and not now:
        tx.unschedule(timer_key(after.order.id, SILENCE))


def listen_until(tx: Tx, order_id: str, due_at: datetime) -> None:
    """Have `silence` look whether a position has come by then."""
    payload = {"order_id": order_id, "due_at": instant(due_at)}
    tx.schedule(timer_kind(SILENCE), timer_key(order_id, SILENCE), due_at, payload)


def timer_kind(name: str) -> str:
    return f"homeservice.{name}"


def timer_key(order_id: str, name: str) -> str:
    return f"{order_id}:{name}"


def tell_changed(tx: Tx, step: Step[Job]) -> None:
    """`order.changed` to the customer, the technician (also the one let go), link holders and operations."""
    before, order = step.before.order, step.after.order
    workers = {worker for worker in (before.provider_id, order.provider_id) if worker}
    shared = [effects.watchers(order)] if is_shared(before) or is_shared(order) else []
    fact = OrderChanged(
        order_id=order.id,
        line=order.line,
        status=order.status,
        version=order.version,
        who=effects.actor_role(step.by.role),
        verb=step.verb,
        worker_id=order.provider_id,
        lock_expires_at=step.after.visit.lock_expires_at,
        ends_at=step.after.visit.ends_at,
        reason=step.data.get("reason"),
    )
    tx.tell(fact, to=[effects.customer(order), *(f"worker:{worker}" for worker in sorted(workers)), *shared, "ops"])


def is_shared(order: Order) -> bool:
    """Link holders hear of an order from payment on."""
    return order.status in BOUND


HOMESERVICE: Line[Job] = Line(
    machine=MACHINE,
    read=store.read,
    lock=store.lock,
    lock_bound=store.lock_bound,
    save=store.save,
    effects={**effects.EFFECTS, **break_effects.EFFECTS, **CASEWORK},
    follow=follow,
)
