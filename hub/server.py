"""The socket edge on one screen: what may be asked, who is let in, what runs beside.

`REGISTRY` is the one visible list of handlers. `Hub` is the `Edge` the wall calls; it holds sockets and nothing else
that matters: stop it and every client finds its facts again on another hub.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from redis.exceptions import RedisError

from geo.lastknown import load_positions
from hub import asyncapi, auth, metrics
from hub.access import ACCESS_TOPICS, Access
from hub.asking import Answerer
from hub.attendance import Attendance
from hub.bus import Bus, Moved
from hub.closing import CLOSINGS, ClosingNotice
from hub.delivery import Delivery, Listener
from hub.earshot import Earshot
from hub.follower import Follower
from hub.handlers import customer, desk, worker
from hub.limits import Limiter
from hub.lines import OTHER_TOPICS, THREAD_TOPICS, Lines
from hub.loops import forever
from hub.members import DESK, Audiences, Member, Principal
from hub.notices import NOTICES, TokenExpiring
from hub.opsmap import OpsMap
from hub.ports import Ports
from hub.presence import Presence
from hub.recovery import Recovery
from hub.registry import Registry
from hub.resume import Resumer, Resync
from hub.services import Services
from hub.talking import Digests, Talking
from hub.tokens import Tokens
from hub.tracking import Tracker, move_of
from hub.transport.admission import spread_ms
from hub.transport.classes import NOTICE
from hub.transport.emitter import Emitter
from hub.transport.links import Link, Refused
from hub.transport.options import HubOptions, engine_options
from hub.transport.packets import event_frame
from hub.watching import Watching
from rest.edge.request_ids import request_id_of
from storage.base import codec
from storage.base.errors import Busy, HubError
from storage.base.log import log, request_id
from storage.base.settings import Settings
from storage.outbox import FeedFact, FeedHead
from storage.postgres import Database

REGISTRY = Registry([*worker.REQUESTS, *customer.REQUESTS, *desk.REQUESTS], NOTICES)
"""Everything a client can ask or hear besides facts."""

VERSION = "0.1.0"


class Hub:
    """One hub: build it, `attach_to` an application, `start`, and `run` beside the web server."""

    def __init__(
        self,
        db: Database,
        redis: Any,  # noqa: ANN401 - redis-py's generics differ by release
        settings: Settings,
        ports: Ports,
        *,
        options: HubOptions | None = None,
        address_of: Callable[[Any], str] = lambda request: request.remote or "",
    ) -> None:
        self.db, self.clock, self.settings, self.ports = db, db.clock, settings, ports
        self.options = options or HubOptions()
        self.members: dict[str, Member] = {}
        self.audiences = Audiences()
        self._redis = redis
        self.bus = Bus(redis, self.clock, settings.secret)
        self.watching = Watching(self.clock)
        self.map = OpsMap(ports, self.clock)
        self.talking = Talking(self.audiences, self.bus)
        self.digests = Digests(self.members.values, ports.digests, every_s=self.options.digest_s)
        self.lines = Lines(self.audiences, self.clock, ports.desk.read_line)
        self.tracker = Tracker(ports.sinks, ports.history, self._moved_here)
        self.emitter = Emitter(self, engine_options(settings, self.options, address_of))
        self.delivery = Delivery(self.audiences, self.clock, self.close)
        self.resumer = Resumer(db, self.delivery, settings, self._here)
        self.follower = Follower(
            db, self.deliver, self.everybody_resyncs, poll_s=self.options.follow_poll_s, is_wanted=self.hears
        )
        self.earshot = Earshot(self.bus, redis, self.watching, self.map)
        self.tokens = Tokens(ports, self.clock, self.close, self._warn, recheck_s=self.options.recheck_s)
        self.recovery = self._recovery()
        self.services = self._services()
        self.access = Access(self.members.values, self.services)
        self.answerer = self._answerer()
        self.presence = Presence(
            redis,
            self.clock,
            on_silent=ports.on_silent,
            last_fix_at=self._last_fix_at,
            lease_s=settings.presence_lease_s,
            fix_fresh_s=settings.position_ttl_s,
        )
        self.attendance = Attendance(self.clock, renew=ports.desk.renew, end=ports.desk.end)
        self.is_draining = False
        self._of_account: dict[tuple[str, str], dict[Member, None]] = {}
        self._listeners: dict[str, Listener] = {
            "order.changed": self.watching.order_changed,
            "tracking.ended": self.watching.tracking_ended,
            "worker.changed": self.map.worker_changed,
            "session.revoked": self._session_revoked,
            "account.roles_changed": self._roles_changed,
            **dict.fromkeys(ACCESS_TOPICS, self.access.changed),
            **dict.fromkeys(THREAD_TOPICS, self.lines.thread_changed),
            **dict.fromkeys(OTHER_TOPICS, self.lines.staff_changed),
        }
        self._listen()

    def _recovery(self) -> Recovery:
        return Recovery(
            self._redis,
            keep_s=self.settings.feed_window_s,
            read=self.resumer.read,
            watch=lambda member, order_id: desk.show_again(self.services, member, order_id),
            open_map=lambda member, area_code: desk.open_map(self.services, member, area_code),
            map_area=self.map.area_of,
            open_board=lambda member: desk.open_board_again(self.services, member),
            has_board=self.lines.is_watched_by,
            unwatch=self._unwatch,
        )

    def _services(self) -> Services:
        return Services(
            db=self.db,
            ports=self.ports,
            audiences=self.audiences,
            tracker=self.tracker,
            watching=self.watching,
            map=self.map,
            talking=self.talking,
            lines=self.lines,
            refresh=self.tokens.refresh,
            remember=self.recovery.remember,
        )

    def _answerer(self) -> Answerer:
        return Answerer(
            REGISTRY,
            self.services,
            Limiter(),
            payload_bytes_max=self.settings.socket_payload_bytes_max,
            timeout_s=self.options.request_timeout_s,
        )

    def _listen(self) -> None:
        for topic, listener in self._listeners.items():
            self.delivery.listen(topic, listener)
        self.bus.follow(self.follower.hear)

    # -- life ---------------------------------------------------------------------------------------------------

    def attach_to(self, app: web.Application) -> None:
        """Serve `/socket.io/` and `/asyncapi.json`."""
        self.emitter.attach_to(app)
        contract = codec.dumps(asyncapi.document(REGISTRY, version=VERSION, host=f"{self.settings.host}"))

        async def answer(_request: web.Request) -> web.Response:
            return web.Response(body=contract, content_type="application/json")

        app.router.add_get("/asyncapi.json", answer)

    async def start(self) -> None:
        """Take the place in the feed and fill the map; before this nobody may connect."""
        await self.follower.start()
        try:
            known = await load_positions(self._redis)
        except (RedisError, OSError) as problem:
            log("hub.map_starts_empty", level="warning", error=problem)
        else:
            self.map.load(move_of(worker_id, fix) for worker_id, fix in known.items())

    async def run(self) -> None:
        """Follow the feed, talk to other hubs, keep time. Runs until cancelled."""
        tick_s = self.options.tick_s
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.follower.run())
            tasks.create_task(self.bus.run())
            tasks.create_task(self.earshot.run())
            tasks.create_task(forever("hub.digests_failed", self.digests.run_once))
            tasks.create_task(forever("hub.tick_failed", self._tick, every_s=tick_s))
            tasks.create_task(forever("hub.presence_failed", self.presence.tick, every_s=tick_s))
            tasks.create_task(forever("hub.attendance_failed", self.attendance.tick, every_s=tick_s))
            tasks.create_task(forever("hub.lines_failed", self.lines.flush, every_s=tick_s))
            tasks.create_task(forever("hub.access_failed", self.access.tick, every_s=tick_s))

    def hand_over(self, batch: Sequence[FeedFact]) -> None:
        """What a relay in this process calls with each batch: this hub at once, the others by Redis."""
        self.follower.receive(batch)
        self.bus.tell(self.follower.epoch, batch)

    def hears(self, topic: str, audience: Sequence[str]) -> bool:
        """Whether anybody here wants such a fact: a member, or the hub itself."""
        return topic in self._listeners or self.audiences.is_heard(audience)

    def _here(self) -> FeedHead:
        seq = self.follower.seq
        return FeedHead(epoch=self.follower.epoch, last_seq=seq, told_seq=seq, floor_seq=0)

    def deliver(self, fact: FeedFact) -> None:
        self.delivery.deliver(fact)

    async def _tick(self) -> None:
        now = self.clock.now()
        self.tokens.sweep(now)
        self.watching.flush()
        self.map.flush()
        self.tracker.forget_idle(now)

    # -- the edge of the wall -----------------------------------------------------------------------------------

    @property
    def namespaces(self) -> Collection[str]:
        return REGISTRY.namespaces

    def admit(self, link: Link, value: object) -> Coroutine[Any, Any, None] | None:
        """Let a client in or not; from here on its facts are collected."""
        try:
            if self.is_draining:
                raise Busy(retry_after_ms=spread_ms())
            given = auth.read_auth(value)
            principal = auth.identify_at_once(self.ports, link.namespace, given)
        except HubError as refusal:
            raise _refused(link, refusal) from None
        if principal is None or given.recover:
            return self._admit_later(link, given, principal)
        self._enter(link, given, principal)
        return None

    async def _admit_later(self, link: Link, given: auth.ConnectAuth, principal: Principal | None) -> None:
        request_id.set(request_id_of(None, self.clock.now()))
        try:
            who = principal or await auth.identify(self.ports, link.namespace, given, self.clock.now())
        except HubError as refusal:
            raise _refused(link, refusal) from None
        member = self._enter(link, given, who)
        if given.recover:
            await self._recover(member, given)

    def _enter(self, link: Link, given: auth.ConnectAuth, principal: Principal) -> Member:
        share = given.share if principal.order_id else None
        member = Member(link=link, principal=principal, since=given.since, epoch=given.epoch, share=share)
        self._make_room_for(member)
        self.members[link.sid] = member
        for audience in auth.audiences_of(link.namespace, principal):
            self.audiences.join(member, audience)
        if given.token is not None and share is None:
            self.tokens.recheck_soon(member, given.token)
        return member

    async def _recover(self, member: Member, given: auth.ConnectAuth) -> None:
        """Let the member be again who it was, if nothing of that is missing."""
        key = member.link.sid
        await self.recovery.begin(member, given)
        if self.members.pop(key, None) is None:
            self._unwatch(member)  # gone while we read; nobody else will clean up
            return
        former = self.members.get(member.link.sid)
        if former is not None:
            self.close(former, "replaced")
            self._forget(former, "replaced")
        self.members[member.link.sid] = member

    def _make_room_for(self, member: Member) -> None:
        """Of too many sockets of one account the oldest goes: it is the one whose phone has forgotten it."""
        if not member.principal.account_id:
            return
        own = self._of_account.setdefault((member.namespace, member.principal.account_id), {})
        for oldest in list(own)[: max(0, len(own) + 1 - self.settings.socket_per_account_max)]:
            self.close(oldest, "replaced")
            own.pop(oldest, None)
        own[member] = None

    def admitted(self, link: Link) -> Awaitable[None] | None:
        """Treat the client as present, and replay what it missed."""
        member = self.members.get(link.sid)
        if member is None or member.is_closing:
            return None
        metrics.SOCKETS.counts[link.namespace,] += 1
        self.tokens.watch(member)
        if member.principal.worker_id is not None:
            self.presence.arrived(member.principal.worker_id)
            self.tracker.arrived(member.principal.worker_id)
        if member.namespace == DESK:
            self.attendance.arrived(member.principal.account_id)
        member.is_present = True
        return None if self.resumer.join_at_once(member) else self._resume(member)

    async def _resume(self, member: Member) -> None:
        try:
            await self.resumer.join(member)
        except Exception as problem:  # noqa: BLE001 - the socket loop: a client that cannot resume comes back
            log("socket.resume_failed", level="error", error=problem, namespace=member.namespace)
            self.close(member, "internal")

    def ask(
        self, link: Link, event: str, args: Sequence[object], *, size: int
    ) -> dict[str, Any] | Awaitable[dict[str, Any]]:
        member = self.members.get(link.sid)
        if member is None or member.is_closing:
            return {"error": Busy().as_dict()}
        return self.answerer.answer(member, event, args, size=size)

    def full(self, link: Link) -> None:
        member = self.members.get(link.sid)
        if member is not None:
            self.delivery.give_up(member)

    def left(self, link: Link, reason: str) -> None:
        """Forget the member; the presence lease runs on."""
        member = self.members.get(link.sid)
        if member is not None and member.link is link:
            self._forget(member, reason)

    def _forget(self, member: Member, reason: str) -> None:
        if self.members.get(member.link.sid) is not member:
            return
        del self.members[member.link.sid]
        member.is_closing = True
        self.audiences.drop(member)
        self._unwatch(member)
        principal = member.principal
        own = self._of_account.get((member.namespace, principal.account_id), {})
        own.pop(member, None)
        if not own:
            self._of_account.pop((member.namespace, principal.account_id), None)
        if member.is_present:
            metrics.SOCKETS.counts[member.namespace,] -= 1
            if principal.worker_id is not None:
                self.presence.left(principal.worker_id)
            if member.namespace == DESK:
                self.attendance.left(principal.account_id)
        log("socket.left", namespace=member.namespace, account_id=principal.account_id, reason=reason)

    def _unwatch(self, member: Member) -> None:
        for order_id in member.watching:
            self.watching.unwatch(member, order_id)
        member.watching.clear()
        desk.close_map(self.services, member)
        self.lines.unwatch(member)

    # -- closing ------------------------------------------------------------------------------------------------

    def close(self, member: Member, code: str, *, after_ms: int = 0) -> None:
        """Tell the client why, then end its socket the way `hub.closing` says."""
        if member.is_closing:
            return
        member.is_closing = True
        self.audiences.drop(member)
        closing = CLOSINGS[code]
        metrics.CLOSED.labels(closing.code).inc()
        if closing.loses_queue:
            member.link.forget_all()
        notice = ClosingNotice(closing.code, closing.reason, closing.reconnect, after_ms)
        member.link.send(event_frame(member.namespace, "closing", codec.dumps(notice)))
        if closing.reconnect:
            member.link.hang_up(closing.code)
        else:
            self.emitter.dismiss(member.link, closing.code)

    def everybody_resyncs(self, reason: str) -> None:
        """The feed lost its place: what clients have no longer joins on."""
        body = codec.dumps(Resync(reason, self.follower.seq, self.follower.epoch))
        self.access.look_again()
        for member in list(self.members.values()):
            if member.buffered is not None:
                self.close(member, "internal")  # half-way through a replay of what no longer is
                continue
            member.replayed_to = self.follower.seq
            self.delivery.send(member, event_frame(member.namespace, "resync", body))

    def _session_revoked(self, fact: FeedFact, _body: dict[str, Any]) -> None:
        for member in self.audiences.listeners(fact.audience):
            self.close(member, "session_revoked")

    def _roles_changed(self, fact: FeedFact, body: dict[str, Any]) -> None:
        """Roles hold at once, not at the next refresh; a socket without its role is closed."""
        roles = frozenset(body["roles"])
        for member in self.audiences.listeners(fact.audience):
            before = auth.audiences_of(member.namespace, member.principal)
            member.principal = replace(member.principal, roles=roles, tenant_id=body.get("tenant_id"))
            if member.namespace == DESK:
                self._unwatch(member)  # what it may look at is asked for anew
            after = auth.audiences_of(member.namespace, member.principal)
            for audience in before - after:
                self.audiences.leave(member, audience)
            for audience in after - before:
                self.audiences.join(member, audience)
            if not member.principal.has_any(auth.ROLES[member.namespace]):
                self.close(member, "forbidden")

    def _warn(self, member: Member) -> None:
        body = codec.dumps(TokenExpiring(codec.instant(member.principal.expires_at)))
        member.link.send(event_frame(member.namespace, "token.expiring", body), NOTICE)

    # -- positions ----------------------------------------------------------------------------------------------

    def _moved_here(self, move: Moved) -> None:
        self.bus.moved(move)
        self._moved_elsewhere([move])

    def _moved_elsewhere(self, moves: Sequence[Moved]) -> None:
        for move in moves:
            self.watching.moved(move)
            self.map.moved(move)

    async def _last_fix_at(self, worker_id: str) -> datetime | None:
        known = self.tracker.last(worker_id) or await self.ports.last_known(worker_id)
        return None if known is None else datetime.fromtimestamp(known.at_ms / 1000, UTC)


def _refused(link: Link, refusal: HubError) -> Refused:
    metrics.REFUSED.labels(link.namespace, refusal.code).inc()
    return Refused(refusal.as_dict())
