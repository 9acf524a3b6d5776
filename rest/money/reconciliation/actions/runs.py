"""The life of a comparison up to its bill: begun each morning or by a person, claimed by a job, put off.

A job works on a run for longer than its lease, so the run itself says until when somebody is at it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta

from rest.money.reconciliation import matching, store
from rest.money.reconciliation.facts import BillOverdue
from rest.money.reconciliation.model import (
    ASK_AGAIN,
    ASK_SELDOM,
    CATCH_UP_DAYS_MAX,
    CLAIMED_FOR,
    DAY,
    IDLE_AFTER,
    OVERDUE_AFTER,
    UNFINISHED,
    NotOver,
    Run,
    RunKind,
    RunState,
    after_period,
)
from storage.base.clock import business_day
from storage.base.errors import NotFound
from storage.base.log import log
from storage.tx import Tx

FETCH = "reconciliation.fetch"
MONTH = "reconciliation.month"
SYSTEM = "system"


async def start(tx: Tx, kind: RunKind, channel: str, period_on: date, *, by: str = SYSTEM) -> Run:
    """Begin to compare a period that is over; the one there is, if there is one. Raises NotOver."""
    period_on = period_on if kind is RunKind.DAILY else period_on.replace(day=1)
    if business_day(tx.now) < after_period(kind, period_on):
        raise NotOver
    run_id = tx.new_id("rec")
    if await store.insert_run(tx, run_id, kind, channel, period_on):
        await store.insert_event(
            tx, run_id, actor=by, verb="start", from_state=None, to_state=RunState.WAITING.value, detail=None
        )
        schedule(tx, run_id, kind, tx.now)
    found = await store.run_of(tx, kind, channel, period_on)
    if found is None:
        raise NotFound
    return found


def schedule(tx: Tx, run_id: str, kind: RunKind, due_at: datetime) -> None:
    """Have the run worked on then; one row for each run, so that the later word counts."""
    tx.schedule(FETCH if kind is RunKind.DAILY else MONTH, f"{run_id}:fetch", due_at, {"run_id": run_id})


async def begin_days(tx: Tx, channels: Iterable[str]) -> None:
    """Begin yesterday's comparison of each channel, and those of days that a stopped program has let pass."""
    yesterday = business_day(tx.now) - DAY
    for channel in sorted(channels):
        last = await store.last_day(tx, channel)
        first = yesterday if last is None else min(last + DAY, yesterday)
        days = min((yesterday - first).days, CATCH_UP_DAYS_MAX)
        for back in range(days, -1, -1):
            day = yesterday - timedelta(days=back)
            await start(tx, RunKind.DAILY, channel, day)
            if (day + DAY).day == 1:
                await start(tx, RunKind.MONTHLY, channel, day)


async def claim(tx: Tx, run_id: str) -> Run | None:
    """The run, for whoever works on it now; None when it is finished, or must wait: it is then looked at again."""
    run = await store.lock_run(tx, run_id)
    if run is None or run.state not in UNFINISHED:
        return None
    if run.claimed_until is not None and run.claimed_until > tx.now:
        schedule(tx, run.id, run.kind, run.claimed_until)
        return None
    if run.kind is RunKind.DAILY and await store.earlier_is_waiting(tx, run):
        schedule(tx, run.id, run.kind, tx.now + ASK_AGAIN)
        return None
    claimed = replace(run, claimed_until=tx.now + CLAIMED_FOR, version=run.version + 1)
    await store.save_run(tx, claimed)
    schedule(tx, run.id, run.kind, tx.now + CLAIMED_FOR)  # whatever becomes of the job, somebody comes back
    return claimed


async def is_idle(tx: Tx, run: Run) -> bool:
    """Whether there is no bill because there was no business."""
    if tx.now < run.created_at + IDLE_AFTER:
        return False
    sums = await matching.sums(tx, run)
    return sums.book_paid_fen == sums.book_refunded_fen == 0


async def delay(tx: Tx, run_id: str, problem: str) -> None:
    """There is no bill yet, or none that can be read: again later. After a day of that the desk is told, once."""
    run = await store.lock_run(tx, run_id)
    if run is None or run.state not in UNFINISHED:
        return
    is_late = tx.now >= run.created_at + OVERDUE_AFTER
    verb = "give_notice" if is_late and run.state is RunState.WAITING else "delay"
    after = replace(run.after(verb), problem=problem[:200], claimed_until=None)
    await store.save_run(tx, after)
    schedule(tx, run.id, run.kind, tx.now + (ASK_SELDOM if is_late else ASK_AGAIN))
    if verb == "give_notice":
        await record(tx, run, after, actor=SYSTEM, verb=verb, detail=problem[:200])
        fact = BillOverdue(reconciliation_id=run.id, channel=run.channel, period_on=run.period_on.isoformat())
        tx.tell(fact, to=["desk"])
        log("reconciliation.bill_overdue", level="error", run_id=run.id, channel=run.channel, reason=problem[:200])


async def start_again(tx: Tx, run_id: str, *, by: str, reason: str) -> Run:
    """A person has it compared anew: differences are forgotten and found again, but for those that have moved money
    or that a person has resolved.

    Raises NotFound, WrongReconciliationState while it is under way.
    """
    run = await store.lock_run(tx, run_id)
    if run is None:
        raise NotFound
    again = replace(run.after("start_again"), problem=None, claimed_until=None, ended_at=None)
    await store.save_run(tx, again)
    await store.forget_differences(tx, run_id)
    await record(tx, run, again, actor=f"account:{by}", verb="start_again", detail=reason)
    schedule(tx, run_id, run.kind, tx.now)
    log("reconciliation.started_again", run_id=run_id, by=by)
    return again


async def record(tx: Tx, before: Run, after: Run, *, actor: str, verb: str, detail: str | None) -> None:
    await store.insert_event(
        tx, before.id, actor=actor, verb=verb, from_state=before.state.value, to_state=after.state.value, detail=detail
    )
