"""Who is connected, as whom, and what they may hear."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from geo.datum import Crs
from hub import metrics
from hub.gap import Gap
from hub.transport.links import Link
from hub.transport.outbound import Put
from hub.transport.packets import Frame

WORKER, CUSTOMER, DESK = "/worker", "/customer", "/desk"
"""One namespace per app."""

Dialect = tuple[str, Crs, bool]
"""Namespace, coordinate system, and whether facts end with their seq as an offset (`hub.recovery`)."""

SHARE_ROLE = "share"
"""The role of a visitor who holds a share link; no account has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever is behind a socket. A share link has no account and opens one order."""

    account_id: str
    session_id: str
    roles: frozenset[str]
    expires_at: datetime
    crs: Crs = "wgs84"
    worker_id: str | None = None
    order_id: str | None = None
    tenant_id: str | None = None

    @property
    def name(self) -> str:
        """Whose rate limits count: the account, or the order a share link opens."""
        return self.account_id or f"share:{self.order_id}"

    def has_any(self, roles: tuple[str, ...]) -> bool:
        return not self.roles.isdisjoint(roles)


@dataclass(slots=True, eq=False)
class Member:
    """One admitted link.

    `buffered` holds facts while the gap before them is still being read; None means live. `replayed_to` is the head
    that gap was read at: the hub may be behind it for a moment, and must not hand out those facts a second time.
    `gap` is there when it was read before the client was let in, `joined_at` the epoch and seq of a recoverable one.
    """

    link: Link
    principal: Principal
    since: int | None = None
    epoch: str | None = None
    share: str | None = None
    audiences: set[str] = field(default_factory=set)
    watching: set[str] = field(default_factory=set)
    buffered: list[tuple[int, Frame]] | None = field(default_factory=list)
    replayed_to: int = -1
    gap: Gap | None = None
    joined_at: tuple[str, int] = ("", 0)
    is_present: bool = False
    is_closing: bool = False

    @property
    def namespace(self) -> str:
        return self.link.namespace

    @property
    def dialect(self) -> Dialect:
        """How facts are written for it; one frame serves all who speak the same."""
        return (self.link.namespace, self.principal.crs, self.link.pid is not None)

    def send_live(self, key: str, frame: Frame) -> Put:
        """Of a value that is only live the last one counts; what a slow socket has no room for is dropped, counted."""
        outcome = self.link.send_live(key, frame)
        if outcome is Put.DROPPED:
            metrics.SEND_DROPS.labels("live").inc()
        return outcome


class Audiences:
    """Audience name to members: the only answer to "who hears this"."""

    def __init__(self) -> None:
        self._members: dict[str, dict[Member, None]] = {}

    def join(self, member: Member, audience: str) -> None:
        member.audiences.add(audience)
        self._members.setdefault(audience, {})[member] = None

    def leave(self, member: Member, audience: str) -> None:
        member.audiences.discard(audience)
        listeners = self._members.get(audience)
        if listeners is not None:
            listeners.pop(member, None)
            if not listeners:
                del self._members[audience]

    def drop(self, member: Member) -> None:
        """The member hears nothing more."""
        for audience in tuple(member.audiences):
            self.leave(member, audience)

    def is_heard(self, audiences: Iterable[str]) -> bool:
        """Whether anybody is in any of these."""
        return not self._members.keys().isdisjoint(audiences)

    def listeners(self, audiences: Iterable[str]) -> list[Member]:
        """Everybody in any of these, each once."""
        found: dict[Member, None] = {}
        for audience in audiences:
            found.update(self._members.get(audience, {}))
        return list(found)
