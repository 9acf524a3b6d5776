"""A desk to play with: queues, agents and customers by short names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from chat import calendars, conversations, desk
from chat.calendars import Calendar, Interval
from chat.desk import Agent, Kind, Newcomer, Queue, Request, Rule, Severity, Thread, When
from chat.desk.store import threads as thread_store
from storage.base import codec
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database

WORKDAY = ((Interval(540, 1020),),) * 5 + ((), ())


@dataclass
class Desk:
    db: Database
    clock: ManualClock
    runner: JobRunner
    queue_id: str = ""
    names: int = field(default=0)

    async def open(self, **changed: Any) -> Desk:
        """One queue that takes everything."""
        self.queue_id = (await self.queue(**changed)).id
        await self.rules(Rule(name="all", queue_id=self.queue_id))
        return self

    async def queue(self, **changed: Any) -> Queue:
        return await self.db.run(desk.create_queue, Queue(**{"id": "", "tenant_id": None, "name": "help", **changed}))

    async def rules(self, *rules: Rule) -> None:
        async with self.db.begin() as tx:
            version = await tx.fetchval("SELECT coalesce(max(version), 0) FROM routing_tables")
            await desk.publish_rules(tx, rules, by_id="acc_adam", over=version)

    async def hours(self, week: Any = WORKDAY, zone: str = "Asia/Shanghai", **overrides: Any) -> str:
        async with self.db.begin() as tx:
            return (await calendars.create_calendar(tx, Calendar(zone, week, overrides), name="hours")).id

    async def agent(
        self, name: str, *, chats: int = 2, skills: dict[str, int] | None = None, online: bool = True,
        queues: list[str] | None = None, **changed: Any,
    ) -> str:  # fmt: skip
        """Present for the next lease only; `stay` keeps everybody there."""
        async with self.db.begin() as tx:
            await desk.add_agent(tx, f"acc_{name}", name=name.title(), chats_max=chats, **changed)
            await desk.set_queues(tx, f"acc_{name}", queues if queues is not None else [self.queue_id])
            await desk.set_skills(tx, f"acc_{name}", skills or {})
            if online:
                await desk.renew_presence(tx, f"acc_{name}")
                await desk.set_state(tx, f"acc_{name}", "online")
        return f"acc_{name}"

    async def come(
        self, customer: str = "ann", *, kind: Kind = Kind.CHAT, severity: Severity = Severity.NORMAL, rank: int = 0,
        category: str = "order", **more: Any,
    ) -> Thread:  # fmt: skip
        self.names += 1
        self.clock.advance(seconds=0.001)  # nobody comes at the same instant as somebody else
        async with self.db.begin() as tx:
            conversation, _ = await conversations.open_conversation(
                tx,
                customer_id=f"acc_{customer}",
                subject=("order", f"ord_{self.names}"),
                tenant_id=more.get("tenant_id"),
            )
        request = Request(kind=kind, category=category, severity=severity, **more)
        return await self.db.run(
            desk.submit,
            Newcomer(conversation_id=conversation.id, customer_id=f"acc_{customer}", request=request, rank=rank),
        )

    async def stay(self, *agents: str, **time: float) -> None:
        """Let time pass in steps short enough for the leases, and everything due happen."""
        left = float(time.get("seconds", 0) + 60 * time.get("minutes", 0) + 3600 * time.get("hours", 0))
        while left > 0:
            step = min(left, 5.0)
            self.clock.advance(seconds=step)
            left -= step
            for agent in agents:
                await self.db.run(desk.renew_presence, agent)
            await self.runner.drain()

    async def settle(self) -> None:
        await self.runner.drain()

    async def thread(self, thread: Thread | str) -> Thread:
        async with self.db.begin() as tx:
            return await desk.find_thread(tx, thread if isinstance(thread, str) else thread.conversation_id)

    async def load(self, agent_id: str) -> Agent:
        async with self.db.begin() as tx:
            return await desk.agent_of(tx, agent_id)

    async def live(self, thread: Thread) -> Any:
        async with self.db.begin() as tx:
            return await thread_store.live_assignment(tx, thread.conversation_id)

    async def serve(self, thread: Thread) -> str:
        """Accept what is offered; who did."""
        await self.settle()
        offer = await self.live(thread)
        assert offer is not None, await self.thread(thread)
        await self.db.run(desk.accept, offer.id, offer.agent_id)
        return str(offer.agent_id)

    async def told(self, topic: str) -> list[dict[str, Any]]:
        async with self.db.begin() as tx:
            rows = await tx.fetch("SELECT body, audience FROM outbox WHERE topic = $1 ORDER BY id", topic)
        return [{**codec.loads(row["body"]), "to": row["audience"]} for row in rows]

    async def events(self, thread: Thread) -> list[str]:
        async with self.db.begin() as tx:
            rows = await tx.fetch("SELECT verb FROM desk_events WHERE conversation_id = $1 ORDER BY no",
                                  thread.conversation_id)  # fmt: skip
        return [row["verb"] for row in rows]


@pytest.fixture
async def place(db: Database, clock: ManualClock, settings: Settings) -> Desk:
    """A desk with no queue yet."""
    return Desk(db, clock, JobRunner(db, settings, desk.DEADLINES, subscribers=desk.SUBSCRIBERS))


__all__ = ["WORKDAY", "Desk", "When"]
