"""A line as those see it who wait in it, and those who watch over it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chat.desk.model import Expected, expected_wait

WAIT_STEP_S = 30
"""A wait that is expected to be shorter or longer by less than this is no news."""


@dataclass(frozen=True, slots=True)
class Queuer:
    """One who waits: where he is heard at, and since when he does."""

    conversation_id: str
    audience: tuple[str, ...]
    queued_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A queue in numbers. `at_risk`: threads of it with four fifths of a promise gone; `broken`: with one not kept.

    `online`: those of its `members` who take work now; `free`: those of them with room for a chat. `oldest_at`: whoever
    waits longest came then. `zone`: of its hours.
    """

    queue_id: str
    name: str
    tenant_id: str | None
    is_active: bool
    calendar_id: str | None
    zone: str
    accept_s: int
    waiting: int
    offered: int
    serving: int
    oldest_at: datetime | None
    members: int
    online: int
    free: int
    at_risk: int
    broken: int


@dataclass(frozen=True, slots=True)
class Line:
    """A queue at one instant: its numbers, who waits, in their order, and how long others waited lately."""

    board: Board
    waiting: tuple[Queuer, ...]
    waits_s: tuple[float, ...]

    def places(self, now: datetime) -> dict[str, tuple[int, Expected]]:
        """Conversation → its place, 1 for the next, and how long it may take still."""
        return {
            one.conversation_id: (place, expected_wait(self.waits_s, (now - one.queued_at).total_seconds()))
            for place, one in enumerate(self.waiting, 1)
        }


Told = tuple[int, Expected]


def is_news(before: Told | None, now: Told) -> bool:
    """Whether somebody who was told `before` shall hear of his place again."""
    if before is None or before[0] != now[0]:
        return True
    waits = ((before[1].p50_s, now[1].p50_s), (before[1].p90_s, now[1].p90_s))
    return any(_differ(one, other) for one, other in waits)


def _differ(one: int | None, other: int | None) -> bool:
    if one is None or other is None:
        return one is not other
    return abs(one - other) >= WAIT_STEP_S
