"""The one executor of every line's state machine: lock, guard, write, tell, and the timeline.

A line brings its table (`Machine`), how its job is read, locked and saved, and its effects by name. A verb of
the line locks the job, computes what the job will be (pure), and calls `apply`, which

1. looks the verb up in the table: wrong state and wrong actor are refused here and nowhere else,
2. writes the order under its version together with the timeline event, and the line's own row,
3. runs the effects the row names, in that order (calls down: dispatch, money, cases),
4. lets the line follow up (deadlines and facts are functions of the step).

Lock order: the order's gate → worker rows (sorted) → order → call → booking → ledger accounts. `lock` does the first
three; verbs that cannot change the order's worker need no gate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import dispatch
from rest.trade.orders import store
from rest.trade.orders.facts import OrderRefunded
from rest.trade.orders.model import By, Event, Machine, Order, WrongState
from storage.base.errors import NotFound
from storage.postgres import RetryTx
from storage.tx import Tx


class Job(Protocol):
    """An order with what its line adds; a frozen dataclass."""

    @property
    def order(self) -> Order: ...


J = TypeVar("J", bound=Job)


@dataclass(frozen=True, slots=True)
class Step(Generic[J]):
    """One step being made: the job as it was and as it is now, who did what, and the verb's own values."""

    before: J
    after: J
    verb: str
    by: By
    data: Mapping[str, Any]


Effect = Callable[[Tx, Step[J]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Line(Generic[J]):
    """What a line brings to the kernel.

    `load(tx, order_id, lock)` reads the job, locking its rows when asked; `save` writes the line's own row;
    `follow` runs last in every step: deadlines, cases, facts.
    """

    machine: Machine
    load: Callable[[Tx, str, bool], Awaitable[J | None]]
    save: Callable[[Tx, J, J], Awaitable[None]]
    effects: Mapping[str, Effect[J]]
    follow: Callable[[Tx, Step[J]], Awaitable[None]]

    def __post_init__(self) -> None:
        named = {name for row in self.machine.table.values() for name in row.effects}
        if missing := named - self.effects.keys():
            raise ValueError(f"{self.machine.line}: no such effects: {sorted(missing)}")


async def lock(tx: Tx, line: Line[J], order_id: str, *, owner: str | None = None, workers: Iterable[str] = ()) -> J:
    """Lock the order's worker (and these others), then the order, and read it.

    A worker must be locked before the order, and who it is must be read before that; the order's gate keeps it from
    changing in between. Raises NotFound, also when `owner` is given and is not the customer, before anything is locked.
    """
    found, provider_id = await store.gate(tx, order_id, owner)
    if not found:
        raise NotFound
    held = {*workers, *([provider_id] if provider_id else [])}
    for worker_id in sorted(held):
        await dispatch.lock_worker(tx, worker_id)
    job = await line.load(tx, order_id, True)
    if job is None:
        raise NotFound
    if job.order.provider_id is not None and job.order.provider_id not in held:
        raise AssertionError(f"{order_id}: the worker changed behind the gate")
    return job


async def apply(
    tx: Tx,
    line: Line[J],
    job: J,
    verb: str,
    by: By,
    *,
    after: J | None = None,
    to: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> J:
    """Make one step; needs the lock. `after` is the job with what the verb changes beside the status.

    Raises WrongState, WrongActor; RetryTx when the order moved although it was not locked.
    """
    row, status = line.machine.decide(job.order.status, verb, by, to)
    wanted = job if after is None else after
    order = dataclasses.replace(
        wanted.order,
        status=status,
        version=job.order.version + 1,
        updated_at=tx.now,
        closed_at=(job.order.closed_at or tx.now) if status in line.machine.terminal else None,
    )
    moved: J = dataclasses.replace(wanted, order=order)  # type: ignore[type-var]  # a Job is a dataclass
    event = Event(order.id, order.version, tx.now, str(by), verb, job.order.status, status, data or {})
    if not await store.write_step(tx, job.order, order, event):
        raise RetryTx
    await line.save(tx, job, moved)
    if _leaving(order) > _leaving(job.order):
        tx.tell(OrderRefunded(order_id=order.id, kept_fen=order.paid_fen - _leaving(order)), to=())
    step = Step(job, moved, verb, by, data or {})
    for name in row.effects:
        await line.effects[name](tx, step)
    await line.follow(tx, step)
    return moved


def _leaving(order: Order) -> int:
    """What has gone back, and what is promised to."""
    return order.refunded_fen + order.refund_reserved_fen


async def is_repeat(tx: Tx, order: Order, verb: str, by: By) -> bool:
    """Whether this actor made the order's last step with this verb: an answer got lost on the way.

    Source: transition conventions (a repeat of the same event in its target state answers with the resource).
    """
    last = await store.last_event(tx, order.id, order.version)
    return last is not None and last.verb == verb and last.actor == str(by)


async def guard(tx: Tx, line: Line[J], job: J, verb: str, by: By) -> bool:
    """True when the verb is allowed now, False when it repeats the last step. Raises WrongState."""
    try:
        line.machine.decide(job.order.status, verb, by, _any_target(line.machine, job.order.status, verb))
    except WrongState:
        if await is_repeat(tx, job.order, verb, by):
            return False
        raise
    return True


def _any_target(machine: Machine, status: str, verb: str) -> str | None:
    row = machine.table.get((status, verb))
    return row.to[0] if row else None
