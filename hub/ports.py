"""What the hub needs from below, as types. `hub.wiring` fills them from rest, dispatch and geo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from geo.point import Point
from geo.positions import Fix
from hub.bus import Moved
from rest.edge.actors import Actor, Gate
from storage.postgres import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """What tracking must know of an order. `tracked_since`: the instant of departure while the trip is on."""

    order_id: str
    customer_id: str
    worker_id: str | None
    version: int
    tracked_since: datetime | None
    destination: Point | None


class SocketGate(Gate, Protocol):
    """The gate of a hub: most of a crowd that comes back need not wait at it."""

    def admit_at_once(self, token: str) -> Actor | None:
        """As `admit`; None when that would have to wait."""
        ...


Verb = Callable[[Database, Any, Any], Awaitable[Mapping[str, Any]]]
"""A business verb behind a request: (db, principal, body) → fields of the ack. Opens its own transaction."""


class PositionSink(Protocol):
    """Takes accepted fixes: the live index, last-known positions. Must not wait; flushing is its own."""

    def accept(self, worker_id: str, fixes: Sequence[Fix]) -> None: ...


class HistorySink(Protocol):
    """Takes every fix worth a row, also those that came too late to be shown."""

    def accept(self, worker_id: str, fixes: Sequence[Fix], *, is_late: bool = False) -> None: ...


async def _nothing() -> Mapping[str, Mapping[str, int]]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything the hub calls down into."""

    gate: SocketGate
    worker_id_of: Callable[[str], Awaitable[str | None]]  # account → worker
    known_worker_id: Callable[[str], str | None] = lambda _account_id: None  # the same from memory; None: must be asked
    open_share: Callable[[str], Awaitable[str]]  # token of a share link → order id; raises NotFound when it is dead
    view_order: Callable[[str], Awaitable[OrderView]]  # order id → view; raises NotFound
    verbs: Mapping[str, Verb]
    on_silent: Callable[[str], Awaitable[None]]  # worker id: no socket and no fix for longer than the lease
    last_known: Callable[[str], Awaitable[Moved | None]]  # worker id → last position, of any hub or HTTP
    area_of: Callable[[Point], str | None] = lambda _point: None
    digests: Callable[[Sequence[tuple[str, frozenset[str] | None]]], Awaitable[Mapping[str, Mapping[str, int]]]] = (
        field(default=lambda _callers: _nothing())
    )  # (account, roles at the desk or None) → conversation → last seq
    sinks: Sequence[PositionSink] = field(default_factory=tuple)
    history: HistorySink | None = None
