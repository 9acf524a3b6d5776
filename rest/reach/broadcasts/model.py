"""Broadcasts as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from storage.base.errors import Conflict, Invalid

AHEAD_MAX = timedelta(days=366)

BATCH = 200
"""Recipients of one transaction: some tenths of a second."""
PAUSE = timedelta(milliseconds=50)
"""Between two of them: the feed and its readers have others to serve."""
WAITING_MAX = 5_000
"""With more pushes of broadcasts waiting for their providers, the next recipients wait too: jobs are read by all."""
WAIT = timedelta(seconds=1)

COUNTED_FOR = timedelta(days=7)
COUNT_EVERY = timedelta(seconds=10)


class BroadcastState(StrEnum):
    """`sent`: everybody of the audience has been told."""

    SCHEDULED = "scheduled"
    SENDING = "sending"
    SENT = "sent"
    CANCELLED = "cancelled"


_SCHEDULED, _SENDING, _SENT, _CANCELLED = BroadcastState

TRANSITIONS: Mapping[tuple[BroadcastState, str], BroadcastState] = {
    (_SCHEDULED, "begin"): _SENDING,
    (_SENDING, "go_on"): _SENDING,
    (_SENDING, "end"): _SENT,
    # While it is being sent, nobody more is told; who has been told stays told
    (_SCHEDULED, "cancel"): _CANCELLED,
    (_SENDING, "cancel"): _CANCELLED,
}
"""(state, verb) → state. What is not listed is refused."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))


class WrongBroadcastState(Conflict):
    """This broadcast has been sent or cancelled."""

    code = "broadcast_state"


class AudienceEmpty(Invalid):
    """There is nobody in this audience."""

    code = "audience_empty"


class AudienceUnknown(Invalid):
    """Some of these accounts do not exist or are closed."""

    code = "audience_unknown"


class TimePast(Invalid):
    """This time has passed, or is too far away."""

    code = "send_time"


@dataclass(frozen=True, slots=True)
class Counts:
    """People, not devices. `told`: in the inbox; `failed`: no device of theirs could be reached; `opened`: read."""

    told: int = 0
    sent: int = 0
    delivered: int = 0
    failed: int = 0
    opened: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """`place`: the account told last. `title` and `body` by language tag."""

    id: str
    title: Mapping[str, str]
    body: Mapping[str, str]
    link: str | None
    audience: str
    tenant_id: str | None
    account_ids: tuple[str, ...]
    state: BroadcastState
    send_at: datetime
    created_by: str
    created_at: datetime
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    place: str = ""
    counts: Counts = Counts()
    counted_at: datetime | None = None
    version: int = 1

    def after(self, verb: str, **changes: Any) -> Broadcast:  # noqa: ANN401 - fields
        """The broadcast after this verb. Raises WrongBroadcastState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongBroadcastState(state=self.state.value, verb=verb)
        return replace(self, state=state, version=self.version + 1, **changes)


def check_time(send_at: datetime | None, now: datetime) -> datetime:
    """When to begin. Raises TimePast."""
    if send_at is None:
        return now
    if not now <= send_at <= now + AHEAD_MAX:
        raise TimePast(now=now, days_max=AHEAD_MAX.days)
    return send_at


def next_count(begun_at: datetime, now: datetime) -> datetime | None:
    """When to count again: often while much happens, seldom later, in the end not any more."""
    age = now - begun_at
    return None if age >= COUNTED_FOR else now + max(COUNT_EVERY, age / 10)
