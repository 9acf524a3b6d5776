"""The send buffer of one socket that does not keep up, and the turn in which the others are written to.

It holds what `classes` lets it hold: commands and facts in order and never dropped (`Put.FULL` ends the socket, which
resumes from the feed), the latest live value of each key, a few notices. Nothing here waits, so one slow socket delays
nobody.

Units   bytes are payload bytes of whole frames, without the few bytes of WebSocket framing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from hub.transport.classes import FACT, LIVE, DeliveryClass
from hub.transport.packets import Frame


class Put(Enum):
    """What became of a frame offered to a buffer."""

    QUEUED = "queued"  # or written at once
    REPLACED = "replaced"  # took the place of an older live message with the same key
    DROPPED = "dropped"  # it yields, and found no room
    FULL = "full"  # it does not yield, and found no room: close with reason `slow`
    CLOSED = "closed"  # the socket is on its way out


@dataclass(frozen=True, slots=True)
class OutboundLimits:
    """How much may wait for one socket."""

    bytes_max: int
    count_max: int = 1_000  # twice the longest replay, so that a resume never fills the buffer by itself


class _Entry:
    __slots__ = ("frame", "key", "kind")

    def __init__(self, frame: Frame, kind: DeliveryClass, key: str | None) -> None:
        self.frame = frame
        self.kind = kind
        self.key = key


class Outbound:
    """Frames waiting for one socket, oldest first."""

    __slots__ = ("_entries", "_limits", "_live", "_taken", "bytes", "closed", "live_lost")

    def __init__(self, limits: OutboundLimits) -> None:
        self._limits = limits
        self._entries: deque[_Entry] = deque()
        self._live: dict[str, _Entry] = {}
        self._taken: dict[DeliveryClass, int] = {}
        self.bytes = 0
        self.live_lost = 0
        """Live messages dropped for want of room, ever; senders of differences watch it."""
        self.closed = False

    def __len__(self) -> int:
        return len(self._entries)

    def bytes_of(self, kind: DeliveryClass) -> int:
        """What waits of one class."""
        return self._taken.get(kind, 0)

    def put(self, frame: Frame, kind: DeliveryClass = FACT, key: str | None = None) -> Put:
        """Queue a frame; one with a `key` takes the place of a waiting one with the same key."""
        if self.closed:
            return Put.CLOSED
        if key is not None and (waiting := self._live.get(key)) is not None:
            if self._has_share(kind, len(frame) - len(waiting.frame)):
                self._count(kind, len(frame) - len(waiting.frame))
                waiting.frame = frame
                return Put.REPLACED
            self.drop_live(key)  # the old value must not arrive as if it were the latest
        if kind.yields:
            if not (self._has_share(kind, len(frame)) and self._fits(len(frame))):
                self.live_lost += kind is LIVE
                return Put.DROPPED
        elif not self._fits(len(frame)) and not self._make_room(len(frame)):
            return Put.FULL
        entry = _Entry(frame, kind, key)
        self._entries.append(entry)
        self._count(kind, len(frame))
        if key is not None:
            self._live[key] = entry
        return Put.QUEUED

    def take(self, bytes_max: int, count_max: int = 1_000) -> list[Frame]:
        """The oldest frames, about `bytes_max` of them and at most `count_max`; at least one if any waits."""
        taken: list[Frame] = []
        size = 0
        while self._entries and (not taken or (size < bytes_max and len(taken) < count_max)):
            entry = self._entries.popleft()
            size += len(entry.frame)
            taken.append(entry.frame)
            self._count(entry.kind, -len(entry.frame))
            if entry.key is not None:
                del self._live[entry.key]
        return taken

    def drop_live(self, key: str) -> int:
        """Drop the live message with this key; the number dropped."""
        dropped = self._live.get(key)
        return 0 if dropped is None else self._drop(lambda entry: entry is dropped)

    def clear(self) -> None:
        """Drop everything; the feed still has the facts."""
        self._entries.clear()
        self._live.clear()
        self._taken.clear()
        self.bytes = 0

    def _make_room(self, size: int) -> bool:
        """Let everything go that yields; whether that is enough."""
        self.live_lost += len(self._live)
        self._drop(lambda entry: entry.kind.yields)
        return self._fits(size)

    def _drop(self, goes: Callable[[_Entry], bool]) -> int:
        kept: deque[_Entry] = deque()
        for entry in self._entries:
            if not goes(entry):
                kept.append(entry)
                continue
            self._count(entry.kind, -len(entry.frame))
            if entry.key is not None:
                del self._live[entry.key]
        dropped, self._entries = len(self._entries) - len(kept), kept
        return dropped

    def _count(self, kind: DeliveryClass, more: int) -> None:
        self.bytes += more
        self._taken[kind] = self._taken.get(kind, 0) + more

    def _has_share(self, kind: DeliveryClass, more: int) -> bool:
        limit = self._limits.bytes_max
        return self.bytes_of(kind) + more <= limit // kind.share and self.bytes + more <= limit

    def _fits(self, size: int) -> bool:
        # An empty buffer takes any one frame: a fact larger than the buffer must not lock its reader out for ever.
        if not self._entries:
            return True
        return self.bytes + size <= self._limits.bytes_max and len(self._entries) < self._limits.count_max


class Flushed(Protocol):
    """Whoever has something to write when a turn ends."""

    def flush(self) -> None: ...


class Turn:
    """One turn of the event loop, in which whatever goes to one socket is written together."""

    def __init__(self) -> None:
        self.number = 1
        self.is_ending = False
        self.unwritten: list[Flushed] = []

    def begin(self) -> None:
        """Something is written: see to it that the turn ends."""
        self.is_ending = True
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        self.number += 1
        self.is_ending = False
        unwritten, self.unwritten = self.unwritten, []
        for session in unwritten:
            session.flush()
