"""Links: one client in one namespace, as the hub sees it, and the interface of the hub to clients."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Awaitable, Collection, Coroutine, Sequence
from typing import Any, Protocol

from hub.transport.classes import FACT, LIVE, LIVE_BYTES_MAX, LIVE_COUNT_MAX, DeliveryClass
from hub.transport.outbound import Put
from hub.transport.packets import Frame
from hub.transport.session import Session

Answer = dict[str, Any] | list[Any]
"""What a request is answered: the ack's one argument, or the list of all of them."""


class Refused(Exception):
    """`Edge.admit` says no; `error` is what the client gets as connect_error data."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("code"))
        self.error = error


class Edge(Protocol):
    """What the hub does with clients; called in order for each link."""

    @property
    def namespaces(self) -> Collection[str]: ...

    def admit(self, link: Link, auth: object) -> Coroutine[Any, Any, None] | None:
        """Decide, at once where nothing has to be waited for. Raises Refused; any other exception refuses too.

        Nothing sent before the decision arrives.
        """

    def admitted(self, link: Link) -> Awaitable[None] | None:
        """The client knows it is in. What is returned is awaited before its next message is handled."""

    def ask(self, link: Link, event: str, args: Sequence[object], *, size: int) -> Answer | Awaitable[Answer]:
        """Answer one request, at once where nothing has to be waited for. Never raises."""

    def full(self, link: Link) -> None:
        """An ack found no room."""

    def left(self, link: Link, reason: str) -> None:
        """The link is gone. Called for each link `admit` was called for; twice when it goes in that very moment."""


class Link:
    """One client in one namespace."""

    __slots__ = ("_live", "_prefix", "_session", "is_in", "namespace", "pid", "sid")

    def __init__(self, session: Session, namespace: str) -> None:
        self._session = session
        self.namespace = namespace
        self._live: dict[str, Frame] | None = None
        """Live values of this window, not yet written."""
        self._prefix = sys.intern(f"{namespace} ")
        self.sid = secrets.token_urlsafe(15)
        self.pid: str | None = None
        """Private id for connection state recovery; told to clients that asked for it."""
        self.is_in = False

    @property
    def is_open(self) -> bool:
        """Whether what is sent now can arrive."""
        return self.is_in and not self._session.closing

    @property
    def address(self) -> str:
        """Where the client is, as far as believed proxies tell. No proof of identity."""
        return self._session.address

    def send(self, frame: Frame, kind: DeliveryClass = FACT) -> Put:
        """Send a frame of this class."""
        return self._session.put(frame, kind) if self.is_in else Put.CLOSED

    def send_all(self, frames: Sequence[Frame], kind: DeliveryClass = FACT) -> Put:
        """Send frames that are one message; a part without the rest would break the stream, so the session ends."""
        outcomes = [self.send(frame, kind) for frame in frames]
        if Put.FULL in outcomes[1:]:
            self.hang_up("slow")
        return Put.FULL if Put.FULL in outcomes else outcomes[-1]

    def send_live(self, key: str, frame: Frame) -> Put:
        """Send a live message; a newer one with the same key replaces it while it waits."""
        live = self._live
        if live is None or len(frame.wire) > LIVE_BYTES_MAX:
            return self._begin_live(key, frame)
        live[key] = frame
        if len(live) > LIVE_COUNT_MAX:
            self.flush()
        return Put.QUEUED

    def _begin_live(self, key: str, frame: Frame) -> Put:
        """The first value of a window; a large one is none of a burst of small ones and leaves at once."""
        if not self.is_in:
            return Put.CLOSED
        if len(frame.wire) > LIVE_BYTES_MAX or not self._session.is_clear:
            self.flush()
            return self._session.put(frame, LIVE, self._prefix + key)
        self._live = {key: frame}
        self._session.flush_soon(self)
        return Put.QUEUED

    def flush(self) -> None:
        """Write the live values of this window, all at once."""
        live, self._live = self._live, None
        if live and self.is_in and not self._session.put_together([frame.wire for frame in live.values()]):
            for key, frame in live.items():
                self._session.put(frame, LIVE, self._prefix + key)

    def forget_live(self, key: str) -> None:
        """A waiting live message with this key will not be sent."""
        if self._live is not None:
            self._live.pop(key, None)
        self._session.forget(self._prefix + key)

    def forget_all(self) -> None:
        """Drop everything that waits for this client; it is about to be told to come back."""
        self._live = None
        self._session.forget()

    @property
    def live_lost(self) -> int:
        """Live messages this client did not get, ever."""
        return self._session.live_lost

    async def has_room(self) -> bool:
        """Wait until at most half of the buffer is taken; False when the client does not read or has gone."""
        return bool(self.is_open and await self._session.has_room() and self.is_open)

    def hang_up(self, reason: str) -> None:
        """End the whole session after what is queued; official clients reconnect by themselves."""
        self._session.close(reason=reason)

    @property
    def session_sid(self) -> str:
        """Two links of one client share a session."""
        return self._session.sid
