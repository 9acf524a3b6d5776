"""A post office: people with phones, facts told to them, and pretended providers over real HTTP.

A test says `ann = await post.person("ann")`, `await post.tell(fact, to=[ann.audience])`, `await post.run()` and asks
`post.pushed()`, `await post.inbox(ann)`, `await post.deliveries()`.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import dispatch
from rest.people.operators import create_accounts
from rest.reach import Listener, Senders, bulk_jobs, deadlines, open_senders, outside_jobs
from rest.reach.actions import inbox
from rest.reach.model import Delivery, Device, Notice, Wishes
from rest.reach.simulator import Identity, NoticeSimulator, make_identity, settings_of
from rest.reach.simulator.providers import Sending
from rest.reach.store import deliveries as delivery_store
from rest.reach.store import notices as notice_store
from rest.trade.orders.facts import OrderChanged
from storage import outbox
from storage.base import codec, log
from storage.base.clock import ManualClock
from storage.base.facts import Fact
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database


@dataclass(frozen=True)
class Person:
    name: str
    account_id: str
    session_id: str
    phone: str
    token: str
    worker_id: str | None = None

    @property
    def customer(self) -> str:
        return f"customer:{self.account_id}"

    @property
    def worker(self) -> str:
        return f"worker:{self.worker_id}"


@dataclass
class Post:
    db: Database
    clock: ManualClock
    settings: Settings
    simulator: NoticeSimulator
    senders: Senders
    listener: Listener
    runner: JobRunner
    people: dict[str, Person] = field(default_factory=dict)

    # People

    async def person(self, name: str, *, platform: str | None = "android", is_worker: bool = False) -> Person:
        """Somebody signed in, on a phone unless told otherwise."""
        made = (await create_accounts(self.db, self.settings, "user", 1))[0]
        worker_id = None
        if is_worker:
            async with self.db.begin() as tx:
                worker = await dispatch.create_worker(
                    tx, account_id=made["account_id"], display_name=name, services=["a"], area_code="510104"
                )
                worker_id = worker.id
        keys = ("account_id", "session_id", "phone")
        person = Person(name, *(made[key] for key in keys), made["access_token"], worker_id)
        if platform is not None:
            await self.device(person, platform=platform)
        self.people[name] = person
        return person

    async def device(self, person: Person, *, platform: str = "android", token: str = "") -> Device:
        self.clock.advance(seconds=0.002)  # ids of one millisecond are in no order
        return await self.db.run(
            inbox.register, person.account_id, person.session_id,
            platform=platform, token=token or f"{platform}-of-{person.name}",
        )  # fmt: skip

    async def wish(self, person: Person, **wishes: Any) -> None:
        wanted = Wishes(account_id=person.account_id, **{**wishes, "muted": frozenset(wishes.get("muted", ()))})
        await self.db.run(inbox.change_wishes, wanted)

    # Facts

    async def commit(self, *told: tuple[Fact, Sequence[str]]) -> None:
        """Facts of one transaction, up to the feed."""
        self.clock.advance(seconds=0.002)
        async with self.db.begin() as tx:
            for fact, to in told:
                tx.tell(fact, to=to)
        await self.relay()

    async def relay(self) -> None:
        async with self.db.begin() as tx:
            while await outbox.number(tx, limit=1_000):
                pass

    async def tell(self, fact: Fact, *, to: Sequence[str]) -> None:
        """Committed, relayed, heard; nothing sent yet."""
        await self.commit((fact, to))
        await self.listener.drain()

    async def run(self, **time: float) -> None:
        """Let time pass, and everything due happen."""
        self.clock.advance(**time)
        await self.runner.drain()

    async def pass_by(self, *, steps: int, seconds: float) -> None:
        for _ in range(steps):
            await self.run(seconds=seconds)

    # Looking

    def to(self, address: str) -> list[Sending]:
        return [sending for sending in self.simulator.sent if sending.address == address]

    def titles(self, person: Person, platform: str = "android") -> list[str]:
        return [sending.title for sending in self.to(f"{platform}-of-{person.name}")]

    async def inbox(self, person: Person, **query: Any) -> list[Notice]:
        asked = {"unread": False, "kind": None, "before": None, "limit": 100, **query}
        async with self.db.begin() as tx:
            return await notice_store.page(tx, person.account_id, **asked)

    async def kinds(self, person: Person) -> list[str]:
        return [notice.kind for notice in reversed(await self.inbox(person))]

    async def unread(self, person: Person) -> int:
        async with self.db.begin() as tx:
            return (await notice_store.unread(tx, [person.account_id]))[person.account_id]

    async def deliveries(self, **query: Any) -> list[Delivery]:
        asked = {"account_id": None, "state": None, "channel": None, "before_id": "~", "limit": 1_000, **query}
        async with self.db.begin() as tx:
            return list(reversed(await delivery_store.page(tx, **asked)))

    async def states(self, **query: Any) -> list[str]:
        return [one.state.value for one in await self.deliveries(**query)]

    async def told(self, topic: str) -> list[dict[str, Any]]:
        await self.relay()
        async with self.db.begin() as tx:
            facts = await outbox.after(tx, 0, limit=10_000)
        return [{**codec.loads(fact.body), "to": fact.audience} for fact in facts if fact.topic == topic]


def changed(verb: str, *, who: str = "technician", order_id: str = "ord_1", status: str = "x") -> OrderChanged:
    return OrderChanged(
        order_id=order_id, line="homeservice", status=status, version=1, who=who, verb=verb, worker_id=None
    )


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return make_identity(Path(tmp_path_factory.mktemp("notices")))


@pytest.fixture
async def simulator(identity: Identity, clock: ManualClock) -> AsyncIterator[NoticeSimulator]:
    simulator = await NoticeSimulator(identity, clock).start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def post(
    db: Database, clock: ManualClock, settings: Settings, identity: Identity, simulator: NoticeSimulator
) -> AsyncIterator[Post]:
    found = replace(settings_of(settings, identity, url=simulator.url), notice_timeout_ms=300)
    senders = open_senders(found, clock)
    sends = {**outside_jobs(db, senders), **bulk_jobs(db, senders)}
    runner = JobRunner(db, found, deadlines(senders.terms), outside=sends)
    listener = Listener(db, senders.terms)
    await listener.drain()  # it takes its place
    yield Post(db, clock, found, simulator, senders, listener, runner)
    await senders.close()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log.direct_to(stream)
    yield stream
    log.direct_to(None)
