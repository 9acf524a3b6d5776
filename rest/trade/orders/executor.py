"""The one executor of every line's state machine: lock, guard, write, tell, and the timeline.

A line brings its table (`Machine`), how its job is read, locked and saved, and its effects by name. A verb of
the line locks the job, computes what the job will be (pure), and calls `apply`, which

1. looks the verb up in the table: wrong state and wrong actor are refused here and nowhere else,
2. writes the order under its version together with the timeline event, and the line's own row,
3. runs the effects the row names, in that order (calls down: dispatch, money, cases),
4. lets the line follow up (deadlines and facts are functions of the step).

Lock order: the order's gate → worker rows (sorted) → order → call → booking → ledger accounts. A line's `lock` does the
first three in one trip; verbs that cannot change the order's worker need no gate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from rest.money.payments import Payment
from rest.trade.orders import store
from rest.trade.orders.facts import OrderRefunded
from rest.trade.orders.model import By, Event, Machine, Order, WrongState
from storage.postgres import RetryTx
from storage.tx import Tx


class Job(Protocol):
    """An order with what its line adds; a frozen dataclass."""

    @property
    def order(self) -> Order: ...


J = TypeVar("J", bound=Job)


@dataclass(frozen=True, slots=True)
class Step(Generic[J]):
    """One step being made: the job as it was and as it is now, who did what, and the verb's own values.

    The timeline keeps `data`; `payment` is what the verb has just opened, for the effect that books it.
    """

    before: J
    after: J
    verb: str
    by: By
    data: Mapping[str, Any]
    payment: Payment | None = None


Effect = Callable[[Tx, Step[J]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Line(Generic[J]):
    """What a line brings to the kernel.

    `read(tx, order_id)` reads the job. `lock(tx, order_id, owner, workers)` passes the gate of this customer's order
    (anybody's without an owner), locks its worker and these others, then the job's rows, and reads them.
    `lock_bound(tx, order_id, worker_id)` locks this worker, then the job's rows. None where there is no such order.
    `save` writes the line's own row; `follow` runs last in every step: deadlines, cases, facts.
    """

    machine: Machine
    read: Callable[[Tx, str], Awaitable[J | None]]
    lock: Callable[[Tx, str, str | None, Sequence[str]], Awaitable[J | None]]
    lock_bound: Callable[[Tx, str, str], Awaitable[J | None]]
    save: Callable[[Tx, J, J], Awaitable[None]]
    effects: Mapping[str, Effect[J]]
    follow: Callable[[Tx, Step[J]], Awaitable[None]]

    def __post_init__(self) -> None:
        named = {name for row in self.machine.table.values() for name in row.effects}
        if missing := named - self.effects.keys():
            raise ValueError(f"{self.machine.line}: no such effects: {sorted(missing)}")


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
    payment: Payment | None = None,
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
    step = Step(job, moved, verb, by, data or {}, payment)
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
