"""The socket edge on one screen: what may be asked, who is let in, what runs beside.

`REGISTRY` is the one visible list of handlers. `Hub` is the `Edge` the wall calls; it holds sockets and nothing else
that matters: stop it and every client finds its facts again on another hub.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from redis.exceptions import RedisError

from geo.lastknown import load_positions
from hub import asyncapi, auth, metrics
from hub.asking import Answerer
from hub.bus import Bus, Moved
from hub.closing import CLOSINGS, ClosingNotice
from hub.delivery import Delivery
from hub.expiry import Expiries
from hub.follower import Follower
from hub.handlers import customer, desk, worker
from hub.limits import Limiter
from hub.loops import forever
from hub.members import Audiences, Member
from hub.notices import NOTICES, TokenExpiring
from hub.opsmap import OpsMap
from hub.ports import Ports
from hub.presence import Presence
from hub.registry import Registry
from hub.resume import Resumer, Resync
from hub.services import Services
from hub.tracking import Tracker, move_of
from hub.transport.emitter import Emitter, Link, Refused, event_frame
from hub.transport.options import HubOptions, engine_options
from hub.watching import Watching
from rest.edge.request_ids import request_id_of
from storage.base import codec
from storage.base.errors import Busy, Denied, HubError, NotFound, Unauthorized
from storage.base.log import log, request_id
from storage.base.settings import Settings
from storage.outbox import FeedFact
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
        self.bus = Bus(redis, self.clock)
        self.watching = Watching(self.clock)
        self.map = OpsMap(ports, self.clock)
        self.tracker = Tracker(ports.sinks, ports.history, self._moved_here)
        self.emitter = Emitter(self, engine_options(settings, self.options, address_of))
        self.delivery = Delivery(self.audiences, self.clock, self.close)
        self.resumer = Resumer(db, self.delivery, settings)
        self.follower = Follower(db, self.deliver, self.everybody_resyncs, poll_s=self.options.follow_poll_s)
        self.expiries = Expiries(self._warn, self._token_ended)
        self.answerer = self._answerer()
        self.presence = Presence(
            redis,
            self.clock,
            on_silent=ports.on_silent,
            last_fix_at=self._last_fix_at,
            lease_s=settings.presence_lease_s,
            fix_fresh_s=settings.position_ttl_s,
        )
        self.is_draining = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._rechecks: deque[tuple[datetime, Member, str]] = deque()
        self._listen()

    def _answerer(self) -> Answerer:
        services = Services(
            db=self.db,
            ports=self.ports,
            audiences=self.audiences,
            tracker=self.tracker,
            watching=self.watching,
            map=self.map,
            refresh=self.refresh,
        )
        return Answerer(
            REGISTRY,
            services,
            Limiter(self.clock),
            payload_bytes_max=self.settings.socket_payload_bytes_max,
            timeout_s=self.options.request_timeout_s,
        )

    def _listen(self) -> None:
        self.delivery.listen("order.changed", self.watching.order_changed)
        self.delivery.listen("tracking.ended", self.watching.tracking_ended)
        self.delivery.listen("worker.changed", self.map.worker_changed)
        self.delivery.listen("session.revoked", self._session_revoked)
        self.delivery.listen("account.roles_changed", self._roles_changed)
        self.bus.on_feed = self.follower.wake
        self.bus.on_moves = self._moved_elsewhere

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
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.follower.run())
            tasks.create_task(self.bus.run())
            tasks.create_task(forever("hub.tick_failed", self._tick))
            tasks.create_task(forever("hub.presence_failed", self._beat))

    def hand_over(self, batch: Sequence[FeedFact]) -> None:
        """What a relay in this process calls with each batch: this hub at once, the others by Redis."""
        self.follower.receive(batch)
        self.bus.feed_grew(batch[-1].seq)

    def deliver(self, fact: FeedFact) -> None:
        self.delivery.deliver(fact)

    async def _beat(self) -> None:
        await asyncio.sleep(self.options.tick_s)
        await self.presence.tick()

    async def _tick(self) -> None:
        await asyncio.sleep(self.options.tick_s)
        now = self.clock.now()
        self.expiries.sweep(now)
        self.watching.flush()
        self.map.flush()
        self.tracker.forget_idle(now)
        while self._rechecks and self._rechecks[0][0] <= now:
            _, member, token = self._rechecks.popleft()
            self._beside(self._recheck(member, token))

    # -- the edge of the wall -----------------------------------------------------------------------------------

    @property
    def namespaces(self) -> Collection[str]:
        return REGISTRY.namespaces

    async def admit(self, link: Link, value: object) -> None:
        """Let a client in or not; from here on its facts are collected."""
        request_id.set(request_id_of(None, self.clock.now()))
        try:
            if self.is_draining:
                raise Busy
            given = auth.read_auth(value)
            principal = await auth.identify(self.ports, link.namespace, given, self.clock.now())
        except HubError as refusal:
            metrics.REFUSED.labels(link.namespace, refusal.code).inc()
            raise Refused(refusal.as_dict()) from None
        share = given.share if principal.order_id else None
        member = Member(link=link, principal=principal, since=given.since, epoch=given.epoch, share=share)
        self.members[link.sid] = member
        for audience in auth.audiences_of(link.namespace, principal):
            self.audiences.join(member, audience)
        if given.token is not None and share is None:
            due = self.clock.now() + timedelta(seconds=self.options.recheck_s)
            self._rechecks.append((due, member, given.token))

    async def admitted(self, link: Link) -> None:
        """Replay what the client missed, then treat it as present."""
        member = self.members.get(link.sid)
        if member is None or member.is_closing:
            return
        metrics.SOCKETS.labels(link.namespace).inc()
        self.expiries.watch(member)
        if member.principal.worker_id is not None:
            self.presence.arrived(member.principal.worker_id)
            self.tracker.arrived(member.principal.worker_id)
        member.is_present = True
        try:
            await self.resumer.join(member)
        except Exception as problem:  # noqa: BLE001 - the socket loop: a client that cannot resume comes back
            log("socket.resume_failed", level="error", error=problem, namespace=link.namespace)
            self.close(member, "internal")

    async def ask(self, link: Link, event: str, args: Sequence[object], *, size: int) -> dict[str, Any]:
        member = self.members.get(link.sid)
        if member is None or member.is_closing:
            return {"error": Busy().as_dict()}
        return await self.answerer.answer(member, event, args, size=size)

    def full(self, link: Link) -> None:
        member = self.members.get(link.sid)
        if member is not None:
            self.delivery.give_up(member)

    async def left(self, link: Link, reason: str) -> None:
        """Forget the member; the presence lease runs on."""
        member = self.members.pop(link.sid, None)
        if member is None:
            return
        member.is_closing = True
        self.audiences.drop(member)
        for order_id in member.watching:
            self.watching.unwatch(member, order_id)
        self.map.unwatch(member)
        if member.is_present:
            metrics.SOCKETS.labels(link.namespace).dec()
            if member.principal.worker_id is not None:
                self.presence.left(member.principal.worker_id)
        log("socket.left", namespace=link.namespace, account_id=member.principal.account_id, reason=reason)

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
            member.principal = replace(member.principal, roles=roles)
            if not member.principal.has_any(auth.ROLES[member.namespace]):
                self.close(member, "forbidden")

    # -- tokens -------------------------------------------------------------------------------------------------

    async def refresh(self, member: Member, token: str) -> None:
        """Go on with a fresh token of the same account and session. Raises Unauthorized, Denied."""
        principal = member.principal
        if principal.order_id is not None:
            raise Denied
        given = auth.ConnectAuth(token=token, crs=principal.crs)
        renewed = await auth.identify(self.ports, member.namespace, given, self.clock.now())
        if (renewed.account_id, renewed.session_id) != (principal.account_id, principal.session_id):
            raise auth.OtherSession
        if renewed.worker_id != principal.worker_id:
            raise auth.NoWorker
        member.principal = renewed
        self.expiries.watch(member)

    def _warn(self, member: Member) -> None:
        body = codec.dumps(TokenExpiring(codec.instant(member.principal.expires_at)))
        self.delivery.send(member, event_frame(member.namespace, "token.expiring", body))

    def _token_ended(self, member: Member) -> None:
        if member.share is None:
            self.close(member, "token_expired")
        else:
            self._beside(self._look_at_share(member, member.share))

    async def _look_at_share(self, member: Member, token: str) -> None:
        """Go on while the link lives; when it cannot be read, look again later."""
        member.principal = replace(member.principal, expires_at=self.clock.now() + auth.SHARE_CHECK)
        self.expiries.watch(member)
        try:
            order_id = await self.ports.open_share(token)
        except NotFound:
            order_id = None
        if order_id != member.principal.order_id:
            self.close(member, "share_ended")

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside the tick, so that one slow read does not delay everybody's timers."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(_settle(self._tasks))

    async def _recheck(self, member: Member, token: str) -> None:
        """A session revoked in the moment it connected: its fact came too early, the gate's cache said yes."""
        if member.is_closing:
            return
        try:
            await self.ports.gate.admit(token)
        except Unauthorized as refusal:
            if refusal.code != "token_expired":  # expiry has its own place
                self.close(member, "session_revoked")

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


def _settle(tasks: set[asyncio.Task[None]]) -> Callable[[asyncio.Task[None]], None]:
    def settle(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log("hub.side_task_failed", level="error", error=task.exception())

    return settle
