"""A hub on a real port with real PostgreSQL and Redis, and phones that talk to it.

What lies below the hub (accounts, orders, verbs) is a small truth of its own here, held in dictionaries: these tests
are about sockets. The wiring to the real business is tested with it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

import socketio
from aiohttp import web

from geo.positions import Fix
from hub.bus import Moved
from hub.ports import OrderView, Ports
from hub.relay import Relay
from hub.server import Hub
from hub.transport.front import listen
from hub.transport.options import HubOptions
from rest.edge.actors import Actor
from rest.edge.errors import SessionRevoked
from rest.people.auth import Keys
from storage.base.clock import ManualClock
from storage.base.errors import Conflict, NotFound
from storage.base.facts import Fact, declared_facts
from storage.base.settings import Settings
from storage.postgres import Database

FAST = HubOptions(
    tick_s=0.01, follow_poll_s=0.02, request_timeout_s=2, ping_interval_s=5, ping_timeout_s=5, stall_s=0.5
)


CASE = {
    "id": "cas_1", "type": "manual", "line": "homeservice", "subject_kind": "order", "subject_id": "ord_1",
    "title": "?", "state": "open", "stage": "queue", "priority": 3, "due_at": "2026-01-05T02:00:00Z",
    "opened_at": "2026-01-05T02:00:00Z", "taken_by": None, "taken_at": None, "closed_by": None, "closed_at": None,
    "outcome": None, "note": None, "version": 1,
}  # fmt: skip
NOTHING = {"amount": 0, "currency": "CNY"}
SUMS = ("customer_refund", "customer_penalty", "worker_penalty", "refund_asked", "house_pays")
CASE_ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "contact": {"conversation_id": "con_1", "call": None},
    "decide": {
        "case": CASE,
        "moved": {"status_before": "a", "status": "b", "preview_hash": "h", **dict.fromkeys(SUMS, NOTHING)},
    },
}


class BellRung(Fact):
    """A fact made for tests of the edge."""

    topic: ClassVar[str] = "order.bell_rung"
    n: int
    text: str = ""


@dataclass
class Truth:
    """Below the hub: who is who, which orders exist, what verbs do."""

    keys: Keys
    clock: ManualClock
    workers: dict[str, str] = field(default_factory=dict)
    shares: dict[str, str] = field(default_factory=dict)
    orders: dict[str, OrderView] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    last_known: dict[str, Moved] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    sunk: list[tuple[str, int]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    history: list[tuple[str, int, bool]] = field(default_factory=list)
    slow_view: Callable[[str], Awaitable[OrderView]] | None = None
    gate_delay_s: float = 0
    gate_breaks: bool = False

    async def admit(self, token: str) -> Actor:
        if self.gate_delay_s:
            await asyncio.sleep(self.gate_delay_s)
        if self.gate_breaks:
            raise RuntimeError("the gate is broken")
        actor = self.keys.verify(token, self.clock.now())
        if actor.session_id in self.revoked:
            raise SessionRevoked
        return actor

    def admit_at_once(self, token: str) -> Actor | None:
        if self.gate_delay_s or self.gate_breaks:
            return None  # it must be waited for
        actor = self.keys.verify(token, self.clock.now())
        if actor.session_id in self.revoked:
            raise SessionRevoked
        return actor

    async def worker_id_of(self, account_id: str) -> str | None:
        return self.workers.get(account_id)

    async def open_share(self, token: str) -> str:
        if token not in self.shares:
            raise NotFound
        return self.shares[token]

    async def view(self, order_id: str) -> OrderView:
        return await (self.slow_view or self.view_order)(order_id)

    async def view_order(self, order_id: str) -> OrderView:
        if order_id not in self.orders:
            raise NotFound
        return self.orders[order_id]

    async def last_position(self, worker_id: str) -> Moved | None:
        return self.last_known.get(worker_id)

    async def on_silent(self, worker_id: str) -> None:
        self.silent.append(worker_id)

    def accept(self, worker_id: str, fixes: Sequence[Fix]) -> None:
        self.sunk += [(worker_id, fix.seq) for fix in fixes]

    def keep(self, worker_id: str, fixes: Sequence[Fix], *, is_late: bool = False) -> None:
        self.history += [(worker_id, fix.seq, is_late) for fix in fixes]

    def token(
        self, account: str, *roles: str, session: str | None = None, ttl_s: int = 900, tenant_id: str | None = None
    ) -> str:
        session_id, account_id = session or f"ses_{account}", f"acc_{account}"
        given = frozenset({"user", *roles})
        return self.keys.issue(session_id, account_id, given, self.clock.now(), ttl_s, tenant_id=tenant_id).text

    def verbs(self) -> Mapping[str, Any]:
        answers: dict[str, Mapping[str, Any]] = {
            "worker.online": {"worker_id": "wrk_1", "online": True},
            "worker.offline": {"worker_id": "wrk_1", "online": False},
            "worker.grab": {"grab_id": "grb_1", "call_id": "cal_1", "state": "live"},
            "worker.decline": {},
            "worker.withdraw": {},
        }
        for name in ("accept", "reject", "depart", "arrive", "start", "leave"):
            answers[f"worker.{name}"] = {"order_id": "ord_1", "status": name, "version": 2}
        said = {"conversation_id": "con_1", "client_id": "client-1", "message_seq": 1, "prev_seq": 0,
                "said_at": "2026-01-05T02:00:00.000Z", "is_dup": False}  # fmt: skip
        for app in ("customer", "worker", "desk"):
            answers |= {f"{app}.{name}": said for name in ("say", "edit", "recall")}
            answers[f"{app}.read"] = {"conversation_id": "con_1", "read_seq": 1, "delivered_seq": 1}
            answers[f"{app}.sync"] = {"conversations": [], "digest": {}}
            answers[f"{app}.circle"] = {"role": "customer", "said": [], "noted": [], "desk": []}
        answers |= {"desk.note": said, "desk.draft": {}, "desk.follow": {}, "desk.unfollow": {}}
        thread = {"conversation_id": "con_1", "kind": "chat", "state": "open", "severity": "normal",
                  "queue_id": "que_1", "assignee_id": None, "epoch": 1, "number": None, "snoozed_until": None,
                  "version": 1}  # fmt: skip
        answers |= {f"desk.{name}": thread for name in (
            "accept", "decline", "transfer", "take_over", "resolve", "close", "convert", "snooze", "wake")}  # fmt: skip
        answers["desk.set_state"] = {"id": "acc_1", "state": "online", "cap": 4, "load": 0,
                                     "present_until": self.clock.now(), "version": 1}  # fmt: skip
        answers |= {f"desk.case.{name}": CASE_ANSWERS.get(name, {"case": CASE}) for name in (
            "open", "take", "release", "transfer", "remark", "contact", "decide")}  # fmt: skip
        answers |= {"desk.boards": {"boards": []}, "desk.may_watch": {}}
        answers["customer.choose"] = {"order_id": "ord_1", "status": "pending_payment", "version": 2}
        return {key: self._verb(key, answer) for key, answer in answers.items()}

    def _verb(self, key: str, answer: Mapping[str, Any]) -> Any:
        async def verb(_db: Database, principal: Any, body: Any) -> Mapping[str, Any]:
            self.asked.append((key, principal.account_id, body))
            call = getattr(body, "call_id", None)
            if call == "cal_gone":
                raise OrderGone
            if call == "cal_crash":
                raise ZeroDivisionError
            if call == "cal_a_moment":
                await asyncio.sleep(0.3)
            if call == "cal_slow":
                await asyncio.sleep(30)
            return answer

        return verb

    def ports(self) -> Ports:
        return Ports(
            gate=self,
            worker_id_of=self.worker_id_of,
            known_worker_id=self.workers.get,
            open_share=self.open_share,
            view_order=self.view,
            verbs=self.verbs(),
            on_silent=self.on_silent,
            last_known=self.last_position,
            area_of=lambda point: "370602" if point.lon > 121 else "370000",
            sinks=[self],
            history=_History(self),
        )


class _History:
    def __init__(self, truth: Truth) -> None:
        self.accept = truth.keep


class OrderGone(Conflict):
    """Somebody else has it."""

    code = "order_gone"


class World:
    """A running hub, its relay and its truth."""

    def __init__(
        self,
        db: Database,
        redis: Any,
        settings: Settings,
        clock: ManualClock,
        *,
        options: HubOptions,
        truth: Truth | None,
    ) -> None:
        self.db, self.redis, self.settings, self.clock = db, redis, settings, clock
        self.truth = truth or Truth(Keys(settings.secret), clock)
        self.hub = Hub(db, redis, settings, self.truth.ports(), options=options)
        self.relay = Relay(db, self.hub.hand_over, settings)
        self.url = ""
        self._phones: list[Any] = []

    async def tell(self, fact: Fact, *to: str, expires_in_s: float | None = None) -> None:
        """Commit one fact."""
        async with self.db.begin() as tx:
            until = None if expires_in_s is None else tx.now + timedelta(seconds=expires_in_s)
            tx.tell(fact, to=to, expires_at=until)

    async def ring(self, *numbers: int, to: str = "worker:wrk_1", text: str = "") -> None:
        for n in numbers:
            await self.tell(BellRung(n=n, text=text), to)

    def worker(self, account: str = "w1", worker_id: str = "wrk_1") -> str:
        """Make a technician; the token."""
        self.truth.workers[f"acc_{account}"] = worker_id
        return self.truth.token(account, "technician")

    async def phone(self, namespace: str, auth: Any, *, transport: str = "websocket", **options: Any) -> Phone:
        """A connected phone."""
        phone = Phone(self.url, namespace, transport)
        self._phones.append(phone)
        await phone.connect(auth, **options)
        return phone

    def closes(self, client: Any) -> None:
        """Close this one too when the test is over."""
        self._phones.append(client)

    async def worker_phone(self, **auth: Any) -> Phone:
        return await self.phone("/worker", {"token": self.worker(), **auth})

    async def close(self) -> None:
        for phone in self._phones:
            await phone.close()


class Phone:
    """A client in one namespace that writes down everything it hears."""

    def __init__(self, url: str, namespace: str, transport: str) -> None:
        self.client = socketio.AsyncClient(reconnection=False)
        self.namespace = namespace
        self.heard: list[tuple[str, Any]] = []
        self.refused: Any = None
        self.is_gone = asyncio.Event()
        self._url, self._transport = url, transport
        self.client.on("*", self._hear, namespace=namespace)
        self.client.on("connect_error", self._refuse, namespace=namespace)
        self.client.on("disconnect", self._leave, namespace=namespace)

    async def _hear(self, event: str, body: Any = None) -> None:
        self.heard.append((event, body))

    async def _refuse(self, data: Any) -> None:
        self.refused = data

    async def _leave(self, *_reason: Any) -> None:
        self.is_gone.set()

    async def connect(self, auth: Any, *, ready: bool = True, wait: bool = True) -> None:
        """Connect; wait for `ready` or the refusal."""
        with contextlib.suppress(socketio.exceptions.ConnectionError):
            await self.client.connect(
                self._url,
                transports=[self._transport],
                auth=auth,
                namespaces=[self.namespace],
                wait=wait,
                wait_timeout=5,
            )
        if ready and self.refused is None:
            await self.until(lambda: bool(self.bodies("ready")))

    @property
    def ready(self) -> Any:
        return self.bodies("ready")[-1]

    @property
    def error_code(self) -> str:
        return str(self.refused["data"]["error"]["code"])

    def bodies(self, event: str) -> list[Any]:
        return [body for name, body in self.heard if name == event]

    def bells(self) -> list[int]:
        return [body["n"] for body in self.bodies("order.bell_rung")]

    def last_seq(self) -> int:
        """Its place in the feed. A `ready` that has recovered names the end of a gap that is still to come."""
        places = [
            body["seq"]
            for name, body in self.heard
            if isinstance(body, dict) and "seq" in body and not (name == "ready" and body["recovered"])
        ]
        return max(places, default=0)

    async def ask(self, event: str, body: Any = None) -> Any:
        return await self.client.call(event, body, namespace=self.namespace, timeout=5)

    async def until(self, done: Callable[[], bool], seconds: float = 5) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not done():
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"it did not happen; heard {str(self.heard)[-1_500:]}") from None

    async def gone(self, seconds: float = 5) -> None:
        await asyncio.wait_for(self.is_gone.wait(), seconds)

    async def close(self) -> None:
        with contextlib.suppress(Exception):
            await self.client.disconnect()
        with contextlib.suppress(Exception):
            await self.client.eio.http.close()


@contextlib.asynccontextmanager
async def running(
    db: Database,
    redis: Any,
    settings: Settings,
    clock: ManualClock,
    *,
    options: HubOptions = FAST,
    truth: Truth | None = None,
) -> AsyncIterator[World]:
    """A world that runs; beside another one when it shares its truth."""
    world = World(db, redis, settings, clock, options=options, truth=truth)
    app = web.Application()
    world.hub.attach_to(app)
    await world.hub.start()
    runner = web.AppRunner(app)
    await runner.setup()
    assert runner.server is not None
    server = await listen(runner.server, world.hub.emitter.engine, "127.0.0.1", 0)
    world.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    tasks = [asyncio.create_task(world.hub.run()), asyncio.create_task(world.relay.run())]
    try:
        yield world
    finally:
        await world.close()
        await world.hub.emitter.finish()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        server.close()
        await runner.cleanup()


def topics() -> list[str]:
    return list(declared_facts())
