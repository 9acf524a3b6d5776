"""How a socket joins the feed without a gap, a repeat or a reordering.

The member is in its audiences, buffering, before anything is read. Then the head and the gap are read in one snapshot.
What was handed out before the member joined is committed, so the snapshot has it; what is handed out later is in its
buffer. So: `ready`, the gap up to the head of the snapshot, the buffer above that head, live. A hub that is behind the
head for a moment hands out facts the gap had; `replayed_to` keeps them from the member.

When the gap cannot be replayed whole it is not replayed at all: `resync` tells the client to read its state over REST
and go on from the head.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from hub import metrics
from hub.delivery import Delivery, fact_frame
from hub.gap import Gap, read_gap
from hub.members import Member
from hub.transport.packets import Frame, event_frame
from storage.base import codec
from storage.base.settings import Settings
from storage.outbox import FeedHead
from storage.postgres import Database


class Ready(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`ready`: the socket is in. `recovered`: everything since your `since` follows; false on a first connect too."""

    epoch: str
    seq: int
    recovered: bool
    server_time: str
    limits: dict[str, int]
    account_id: str
    worker_id: str | None = None
    order_id: str | None = None


class Resync(msgspec.Struct, frozen=True):
    """`resync`: what you missed cannot be replayed (epoch, too_old, too_many, ahead). Read your state over REST, then
    go on: facts above `seq` follow on this socket."""

    reason: str
    seq: int
    epoch: str


class Resumer:
    """Brings members from buffering to live."""

    def __init__(
        self, db: Database, delivery: Delivery, settings: Settings, here: Callable[[], FeedHead]
    ) -> None:
        """`here` is the place of this hub in the feed."""
        self._db = db
        self._here = here
        self._delivery = delivery
        self._settings = settings

    def join_at_once(self, member: Member) -> bool:
        """As `join`, for who says no place and has been told nothing since; False when there is more to do."""
        if member.since is not None or member.gap is not None or member.buffered:
            return False
        gap = Gap(self._here())
        member.replayed_to = gap.head.last_seq
        self._say_ready(member, gap)
        member.buffered = None
        return True

    async def join(self, member: Member) -> None:
        """Say `ready`, replay what was missed, go live."""
        gap, member.gap = member.gap or await self.read(member), None
        member.replayed_to = gap.head.last_seq
        self._say_ready(member, gap)
        for fact in gap.facts:
            if not await self._send(member, fact_frame(fact, *member.dialect)):
                return
        while member.buffered:
            seq, frame = member.buffered.pop(0)
            if seq > gap.head.last_seq and not await self._send(member, frame):
                return
        member.buffered = None  # nothing was awaited since the buffer was seen empty

    async def _send(self, member: Member, frame: Frame) -> bool:
        """Send at the pace of the reader; False when the socket has gone or does not read at all."""
        if not await member.link.has_room():
            self._delivery.give_up(member)
        if member.is_closing:
            return False
        self._delivery.send(member, frame)
        return not member.is_closing

    async def read(self, member: Member) -> Gap:
        """What the member missed, as it is now; one who says no place misses nothing, and nothing need be read."""
        if member.since is None:
            return Gap(self._here())
        async with self._db.begin() as tx:
            if member.is_closing:  # while it waited for its turn; a storm of returns must not feed itself
                return Gap(self._here(), reason="gone")
            # One snapshot for both reads: the floor may not rise between them.
            await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return await read_gap(
                tx,
                sorted(member.audiences),
                since=member.since,
                epoch=member.epoch,
                gap_max=self._settings.feed_gap_max,
            )

    def _say_ready(self, member: Member, gap: Gap) -> None:
        principal, head = member.principal, gap.head
        recovered = member.since is not None and gap.reason is None
        ready = Ready(
            epoch=head.epoch,
            seq=head.last_seq,
            recovered=recovered,
            server_time=codec.instant(self._db.clock.now()),
            limits={"payload_bytes_max": self._settings.socket_payload_bytes_max},
            account_id=principal.account_id,
            worker_id=principal.worker_id,
            order_id=principal.order_id,
        )
        self._delivery.send(member, event_frame(member.namespace, "ready", msgspec.json.encode(ready)))
        if gap.reason is not None:
            resync = codec.dumps(Resync(gap.reason, head.last_seq, head.epoch))
            self._delivery.send(member, event_frame(member.namespace, "resync", resync))
        metrics.REPLAYS.counts[gap.reason or ("replayed" if recovered else "fresh"),] += 1
