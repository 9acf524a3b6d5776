"""What the hub needs from below, as types. `hub.wiring` fills them from rest, dispatch and geo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from chat.desk import Line
from geo.point import Point
from geo.positions import Fix
from hub.bus import Moved
from rest.edge.actors import Actor, Gate
from rest.edge.once import Verb


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


class DeskPort(Protocol):
    """What the hub asks of the support desk beside the verbs of those who work there."""

    async def renew(self, account_ids: Sequence[str]) -> datetime | None:
        """These have a socket here: those who are agents are present for one more lease; until when."""
        ...

    async def end(self, account_id: str, renewed_until: datetime) -> None:
        """The last socket here is gone, whose presence had been renewed until then."""
        ...

    async def read_line(self, queue_id: str) -> Line | None:
        """Who waits in a queue, and its board."""
        ...


class NoDesk:
    """A hub without a support desk."""

    async def renew(self, _account_ids: Sequence[str]) -> datetime | None:
        return None

    async def end(self, _account_id: str, _renewed_until: datetime) -> None:
        return None

    async def read_line(self, _queue_id: str) -> Line | None:
        return None


class PositionSink(Protocol):
    """Takes accepted fixes: the live index, last-known positions. Must not wait; flushing is its own."""

    def accept(self, worker_id: str, fixes: Sequence[Fix]) -> None: ...


class HistorySink(Protocol):
    """Takes every fix worth a row, also those that came too late to be shown."""

    def accept(self, worker_id: str, fixes: Sequence[Fix], *, is_late: bool = False) -> None: ...


DeskCaller = tuple[str, frozenset[str] | None, str | None]
"""Account, its roles at the desk (None: it speaks for itself), its tenant."""


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
    digests: Callable[[Sequence[DeskCaller]], Awaitable[Mapping[str, Mapping[str, int]]]] = field(
        default=lambda _callers: _nothing()
    )  # → conversation → last seq
    desk: DeskPort = field(default_factory=NoDesk)
    sinks: Sequence[PositionSink] = field(default_factory=tuple)
    history: HistorySink | None = None
