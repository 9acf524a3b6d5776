"""The send buffer of one socket.

Facts wait in order and are never dropped: a socket that cannot take them is told to come back (`Put.FULL`), and the
feed gives it the rest when it resumes. Live messages carry a key: a newer one takes the place of the older one that
still waits, and all of them leave first when room is short. Nothing here waits, so one slow socket delays nobody.

Units   bytes are payload bytes of whole frames, without the few bytes of WebSocket framing.
"""

from __future__ import annotations

import base64
from collections import deque
from dataclasses import dataclass
from enum import Enum


class Frame:
    """One Engine.IO message, encoded once and shared by every socket it goes to; text unless it `is_binary`."""

    __slots__ = ("_text", "_wire", "data", "is_binary")

    def __init__(self, data: bytes, *, is_binary: bool = False) -> None:
        self.data = data
        self.is_binary = is_binary
        self._text: str | None = None
        self._wire: bytes | None = None

    def __len__(self) -> int:
        return len(self.data)

    @property
    def wire(self) -> bytes:
        """As one unmasked WebSocket frame (RFC 6455 §5.2)."""
        if self._wire is None:
            size = len(self.data)
            kind = 0x82 if self.is_binary else 0x81
            if size < 126:
                head = bytes((kind, size))
            elif size < 65_536:
                head = bytes((kind, 126)) + size.to_bytes(2, "big")
            else:
                head = bytes((kind, 127)) + size.to_bytes(8, "big")
            self._wire = head + self.data
        return self._wire

    @property
    def text(self) -> str:
        """For long-polling, where messages are joined as text and binary ones are base64."""
        if self._text is None:
            self._text = "b" + base64.b64encode(self.data).decode() if self.is_binary else self.data.decode()
        return self._text


class Put(Enum):
    """What became of a frame offered to a buffer."""

    QUEUED = "queued"  # or written at once
    REPLACED = "replaced"  # took the place of an older live message with the same key
    DROPPED = "dropped"  # a live message found no room
    FULL = "full"  # a fact found no room: close with reason `slow`
    CLOSED = "closed"  # the socket is on its way out


@dataclass(frozen=True, slots=True)
class OutboundLimits:
    """How much may wait for one socket."""

    bytes_max: int
    count_max: int = 1_000  # twice the longest replay, so that a resume never fills the buffer by itself

    @property
    def live_bytes_max(self) -> int:
        """Live messages get a quarter: they must never be why a fact finds no room."""
        return self.bytes_max // 4


class _Entry:
    __slots__ = ("frame", "key")

    def __init__(self, frame: Frame, key: str | None) -> None:
        self.frame = frame
        self.key = key


class Outbound:
    """Frames waiting for one socket, oldest first."""

    __slots__ = ("_entries", "_limits", "_live", "bytes", "closed", "live_bytes", "live_lost")

    def __init__(self, limits: OutboundLimits) -> None:
        self._limits = limits
        self._entries: deque[_Entry] = deque()
        self._live: dict[str, _Entry] = {}
        self.bytes = 0
        self.live_bytes = 0
        self.live_lost = 0
        """Live messages dropped for want of room, ever; senders of differences watch it."""
        self.closed = False

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, frame: Frame) -> Put:
        """Queue a fact, an ack or a control message."""
        if self.closed:
            return Put.CLOSED
        if not self._fits(len(frame)):
            self.live_lost += self.drop_live()
            if not self._fits(len(frame)):
                return Put.FULL
        self._entries.append(_Entry(frame, None))
        self.bytes += len(frame)
        return Put.QUEUED

    def put_live(self, key: str, frame: Frame) -> Put:
        """Queue a live message, in the place of a waiting one with the same key if there is one."""
        if self.closed:
            return Put.CLOSED
        waiting = self._live.get(key)
        if waiting is not None:
            grown = len(frame) - len(waiting.frame)
            if self._has_live_room(grown):
                waiting.frame = frame
                self.bytes += grown
                self.live_bytes += grown
                return Put.REPLACED
            self.drop_live(key)  # the old value must not arrive as if it were the latest
        if not (self._has_live_room(len(frame)) and self._fits(len(frame))):
            self.live_lost += 1
            return Put.DROPPED
        entry = _Entry(frame, key)
        self._entries.append(entry)
        self._live[key] = entry
        self.bytes += len(frame)
        self.live_bytes += len(frame)
        return Put.QUEUED

    def take(self, bytes_max: int) -> list[Frame]:
        """The oldest frames, about `bytes_max` of them, at least one if any waits."""
        taken: list[Frame] = []
        size = 0
        while self._entries and (not taken or size < bytes_max):
            entry = self._entries.popleft()
            size += len(entry.frame)
            taken.append(entry.frame)
            if entry.key is not None:
                del self._live[entry.key]
                self.live_bytes -= len(entry.frame)
        self.bytes -= size
        return taken

    def drop_live(self, key: str | None = None) -> int:
        """Drop the live message with this key, or all of them; the number dropped."""
        keys = set(self._live) if key is None else {key} & self._live.keys()
        if keys:
            kept = deque(entry for entry in self._entries if entry.key not in keys)
            size = sum(len(self._live.pop(gone).frame) for gone in keys)
            self._entries = kept
            self.bytes -= size
            self.live_bytes -= size
        return len(keys)

    def clear(self) -> None:
        """Drop everything; the feed still has the facts."""
        self._entries.clear()
        self._live.clear()
        self.bytes = self.live_bytes = 0

    def _has_live_room(self, more: int) -> bool:
        return self.live_bytes + more <= self._limits.live_bytes_max and self.bytes + more <= self._limits.bytes_max

    def _fits(self, size: int) -> bool:
        # An empty buffer takes any one frame: a fact larger than the buffer must not lock its reader out for ever.
        if not self._entries:
            return True
        return self.bytes + size <= self._limits.bytes_max and len(self._entries) < self._limits.count_max
