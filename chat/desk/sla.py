"""Promises of time: a first reply, the next one, a resolution. Pure.

A timer is a value. While it runs, its due time follows from what it has used up and from the calendar; while it is
paused there is none. Every change of the due time is a new version, so that a deadline that fires late for an old one
changes nothing. Marks at half, four fifths and all of the target are passed upwards only: each fires once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chat.calendars import Calendar, add_business, business_between

MARKS = (50, 80, 100)
ZERO = timedelta(0)


class Promise(StrEnum):
    """First reply: queued to a human's public answer. Next reply: a customer's message to the answer. Resolve: all."""

    FIRST_REPLY = "first_reply"
    NEXT_REPLY = "next_reply"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Targets in seconds, None: not promised. `in_hours`: the clock stands while the queue is closed."""

    first_reply_s: int | None = 1800
    next_reply_s: int | None = 1800
    resolve_s: int | None = 86_400
    in_hours: bool = True
    pauses_for_customer: bool = True

    def target_s(self, kind: Promise) -> int | None:
        targets = {
            Promise.FIRST_REPLY: self.first_reply_s,
            Promise.NEXT_REPLY: self.next_reply_s,
            Promise.RESOLVE: self.resolve_s,
        }
        return targets[kind]


class TimerState(StrEnum):
    """Running and paused are live."""

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """One promise. `consumed` is what had run by `running_since`; `warned` the highest mark passed."""

    conversation_id: str
    kind: Promise
    no: int
    state: TimerState
    target: timedelta
    consumed: timedelta
    calendar_id: str | None
    started_at: datetime
    running_since: datetime | None
    due_at: datetime | None
    warned: int
    breached_at: datetime | None
    ended_at: datetime | None
    version: int


def begin(conversation_id: str, kind: Promise, no: int, target_s: int, now: datetime) -> Timer:
    """A timer that does not run yet."""
    return Timer(
        conversation_id=conversation_id,
        kind=kind,
        no=no,
        state=TimerState.PAUSED,
        target=timedelta(seconds=target_s),
        consumed=ZERO,
        calendar_id=None,
        started_at=now,
        running_since=None,
        due_at=None,
        warned=0,
        breached_at=None,
        ended_at=None,
        version=1,
    )


def resume(timer: Timer, now: datetime, calendar: Calendar) -> Timer:
    """Let a paused timer run; any other stays as it is."""
    if timer.state is not TimerState.PAUSED:
        return timer
    running = replace(timer, state=TimerState.RUNNING, running_since=now, version=timer.version + 1)
    return replace(running, due_at=running.breached_at or mark_at(running, 100, calendar))


def pause(timer: Timer, now: datetime, calendar: Calendar) -> Timer:
    """Stop a running timer; any other stays as it is. What is used up is counted in open time."""
    if timer.state is not TimerState.RUNNING:
        return timer
    stopped = passed(timer, now, calendar)
    return replace(
        stopped,
        state=TimerState.PAUSED,
        consumed=used(timer, now, calendar),
        running_since=None,
        due_at=None,
        version=timer.version + 1,
    )


def end(timer: Timer, now: datetime, calendar: Calendar, state: TimerState) -> Timer:
    """The promise was kept, or nobody waits for it any more. A breach that nobody saw yet is seen now."""
    if timer.state not in (TimerState.RUNNING, TimerState.PAUSED):
        return timer
    stopped = passed(timer, now, calendar)
    consumed = used(timer, now, calendar)
    return replace(
        stopped, state=state, consumed=consumed, running_since=None, due_at=None, ended_at=now,
        version=timer.version + 1,
    )  # fmt: skip


def rebase(timer: Timer, now: datetime, old: Calendar, new: Calendar) -> Timer:
    """Other hours from now on; what ran before was counted by the old ones."""
    return resume(pause(timer, now, old), now, new) if timer.state is TimerState.RUNNING else timer


def used(timer: Timer, now: datetime, calendar: Calendar) -> timedelta:
    """Open time used up by now."""
    if timer.running_since is None:
        return timer.consumed
    return timer.consumed + business_between(calendar, timer.running_since, now)


def mark_at(timer: Timer, percent: int, calendar: Calendar) -> datetime | None:
    """When a running timer passes this share of its target; None when paused, or if the calendar never opens."""
    if timer.running_since is None:
        return None
    return add_business(calendar, timer.running_since, timer.target * percent / 100 - timer.consumed)


def passed(timer: Timer, now: datetime, calendar: Calendar) -> Timer:
    """The timer with every mark it has passed by now. A breach is dated when it was due, not when it was seen."""
    if timer.running_since is None:
        return timer
    warned = max([timer.warned, *(m for m in MARKS if _is_past(timer, m, now, calendar))])
    if warned == timer.warned:
        return timer
    breached_at = mark_at(timer, 100, calendar) if warned == 100 else None
    return replace(timer, warned=warned, breached_at=breached_at)


def next_mark(timer: Timer, calendar: Calendar) -> datetime | None:
    """When to look again; None when nothing is left to pass."""
    ahead = [m for m in MARKS if m > timer.warned]
    return mark_at(timer, ahead[0], calendar) if ahead else None


def _is_past(timer: Timer, percent: int, now: datetime, calendar: Calendar) -> bool:
    at = mark_at(timer, percent, calendar)
    return at is not None and at <= now
