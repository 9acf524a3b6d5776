"""Lines of the desk, live: everybody who waits hears his place, supervisors who look hear the board.

A fact about a thread says that its queue has changed. A queue that changed is read once, in one statement, at most
every two seconds, and of what was read only what is new is told: to each who waits here his own place, to watchers of
the queue its numbers. Nothing is kept for who is away: how it stands is read over REST.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from chat.desk import Board, Expected, Line, is_news
from hub.members import DESK, Audiences, Member
from hub.transport.packets import Frame, event_frame
from storage.base import codec
from storage.base.clock import Clock
from storage.outbox import FeedFact

EVERY = timedelta(seconds=2)

THREAD_TOPICS = ("thread.queued", "thread.offered", "thread.assigned", "thread.changed", "thread.resolved",
                 "thread.closed")  # fmt: skip
OTHER_TOPICS = ("agent.changed", "promise.warned", "promise.broken")
"""Of agents and promises: the queue is not named, so all that is watched is looked at."""

ReadLine = Callable[[str], Awaitable[Line | None]]


class QueuePosition(msgspec.Struct, frozen=True):
    """`queue.position`: your place in the line, 1 for the next. Waits in seconds still to go, of `samples` like this
    one: half, and nine of ten, were answered by then; null: too few to tell."""

    conversation_id: str
    position: int
    wait_p50_s: int | None
    wait_p90_s: int | None
    samples: int


class QueueBoard(msgspec.Struct, frozen=True):
    """`queue.board`: a queue in numbers. `online`: agents who take work, `free`: with room for a chat; `at_risk`:
    threads with four fifths of a promise gone, `broken`: with one not kept."""

    queue_id: str
    name: str
    tenant_id: str | None
    waiting: int
    offered: int
    serving: int
    oldest_at: str | None
    members: int
    online: int
    free: int
    at_risk: int
    broken: int

    @classmethod
    def of(cls, board: Board) -> QueueBoard:
        values: dict[str, Any] = {name: getattr(board, name) for name in cls.__struct_fields__}
        values["oldest_at"] = None if board.oldest_at is None else codec.instant(board.oldest_at)
        return cls(**values)


class Lines:
    """The queues somebody here waits in or looks at."""

    def __init__(self, audiences: Audiences, clock: Clock, read: ReadLine) -> None:
        self._audiences = audiences
        self._clock = clock
        self._read = read
        self._changed: dict[str, None] = {}
        self._read_at: dict[str, datetime] = {}
        self._told: dict[str, dict[str, tuple[int, Expected]]] = {}
        self._queue_of: dict[str, str] = {}
        self._boards: dict[str, QueueBoard] = {}
        self._watchers: dict[str, dict[Member, None]] = {}
        self.reads = 0

    def thread_changed(self, _fact: FeedFact, body: dict[str, Any]) -> None:
        """Its queue is another, and so is the one it came from."""
        before = self._queue_of.get(body["conversation_id"])
        for queue_id in (body["queue_id"], before):
            if queue_id is not None:
                self._changed[queue_id] = None

    def staff_changed(self, _fact: FeedFact, _body: dict[str, Any]) -> None:
        self._changed.update(dict.fromkeys(self._watchers))

    @property
    def is_behind(self) -> bool:
        """Whether a queue has changed that has not been read since."""
        return bool(self._changed)

    def watch(self, member: Member, boards: list[QueueBoard]) -> None:
        """Let the member hear of these queues from now on; it has been told how they stand."""
        self.unwatch(member)
        if member.is_closing:
            return
        for board in boards:
            self._watchers.setdefault(board.queue_id, {})[member] = None
            self._boards.setdefault(board.queue_id, board)

    def watch_again(self, member: Member, boards: list[QueueBoard]) -> None:
        """The same for one who comes back with old numbers: he is told how they stand with the next reading."""
        self.watch(member, boards)
        for board in boards:
            self._boards.pop(board.queue_id, None)
            self._changed[board.queue_id] = None

    def is_watched_by(self, member: Member) -> bool:
        return any(member in watchers for watchers in self._watchers.values())

    def unwatch(self, member: Member) -> None:
        for queue_id, watchers in list(self._watchers.items()):
            watchers.pop(member, None)
            if not watchers:
                del self._watchers[queue_id]
                self._boards.pop(queue_id, None)

    async def flush(self) -> None:
        """Read the queues that changed and are due, and tell what is new."""
        now = self._clock.now()
        for queue_id in list(self._changed):
            last = self._read_at.get(queue_id)
            if last is not None and now - last < EVERY:
                continue
            del self._changed[queue_id]
            self._read_at[queue_id] = now
            try:
                line = await self._read(queue_id)
            except BaseException:
                self._changed[queue_id] = None
                raise
            self.reads += 1
            if line is not None:
                self._tell(line, now)

    def _tell(self, line: Line, now: datetime) -> None:
        queue_id = line.board.queue_id
        before, places = self._told.get(queue_id, {}), line.places(now)
        for one in line.waiting:
            here = places[one.conversation_id]
            if is_news(before.get(one.conversation_id), here):
                place, expected = here
                body = QueuePosition(one.conversation_id, place, expected.p50_s, expected.p90_s, expected.samples)
                self._send(
                    self._audiences.listeners(one.audience), f"queue {one.conversation_id}", "queue.position", body
                )
            else:
                places[one.conversation_id] = before[one.conversation_id]
        for gone in before.keys() - places.keys():
            if self._queue_of.get(gone) == queue_id:
                del self._queue_of[gone]
        self._queue_of.update(dict.fromkeys(places, queue_id))
        self._told[queue_id] = places
        board = QueueBoard.of(line.board)
        if queue_id in self._watchers and self._boards.get(queue_id) != board:
            self._boards[queue_id] = board
            self._send(list(self._watchers[queue_id]), f"board {queue_id}", "queue.board", board)

    def _send(self, members: list[Member], key: str, event: str, body: msgspec.Struct) -> None:
        frames: dict[str, Frame] = {}
        raw = codec.dumps(body)
        for member in members:
            if member.buffered is not None or (event == "queue.position" and member.namespace == DESK):
                continue
            if member.namespace not in frames:
                frames[member.namespace] = event_frame(member.namespace, event, raw)
            member.send_live(key, frames[member.namespace])
