"""A hundred agents, four connections for each, thousands of chats: does anybody ever hold more than the cap?

`python -m tests.chaos.assignment` races the desk's own function, and beside it the way it is usually done: count what
an agent holds, then write. The same race with the same agents; the control must fail, or the race was none.

Every connection does the same over and over: give the next thread of a queue to somebody, and end one that is served.
While they do, another one keeps asking the database whether anybody holds more than his cap (A2), or one thread has two
assignees (A1): not only in the end, at any moment.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from storage import engines, migrate
from storage.base.ids import new_id
from storage.postgres import Database

NOW = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
CAP = 8
UNITS = 4
QUEUES = 4

NAIVE = """
    WITH next AS (SELECT conversation_id, queued_at, epoch FROM desk_threads
                   WHERE queue_id = $1 AND state = 'queued' ORDER BY priority DESC, queued_at, conversation_id
                   LIMIT 1 FOR UPDATE SKIP LOCKED),
    best AS (SELECT m.agent_id FROM queue_members m
              WHERE m.queue_id = $1 AND (SELECT coalesce(sum(units), 0) FROM assignments a
                                          WHERE a.agent_id = m.agent_id AND a.ended_at IS NULL) + 4 <= $4
              ORDER BY (SELECT coalesce(sum(units), 0) FROM assignments a
                         WHERE a.agent_id = m.agent_id AND a.ended_at IS NULL), m.agent_id LIMIT 1),
    given AS (UPDATE desk_threads t SET state = 'offered', assignee_id = best.agent_id, epoch = t.epoch + 1
                FROM next, best WHERE t.conversation_id = next.conversation_id RETURNING t.conversation_id)
    INSERT INTO assignments (id, conversation_id, queue_id, agent_id, epoch, units, reason, queued_at, offered_at)
    SELECT $2, next.conversation_id, $1, best.agent_id, next.epoch + 1, 4, 'naive', next.queued_at, $3
      FROM next, best, given
    RETURNING agent_id
"""

HELD = """
    SELECT count(*) FROM (SELECT agent_id FROM assignments WHERE ended_at IS NULL
                           GROUP BY agent_id HAVING sum(units) > $1) over
"""
TWICE = """
    SELECT count(*) FROM (SELECT conversation_id FROM assignments WHERE ended_at IS NULL
                           GROUP BY 1 HAVING count(*) > 1) twice
"""


@dataclass
class Outcome:
    """What a race did."""

    given: int = 0
    ended: int = 0
    over_cap: int = 0
    looks: int = 0
    overtaken: int = 0
    took_s: float = 0.0
    over_agents: set[str] = field(default_factory=set)

    def line(self, name: str) -> str:
        rate = self.given / self.took_s if self.took_s else 0
        return (
            f"{name:<8} {self.given:>7} given, {self.ended:>7} ended in {self.took_s:6.1f} s ({rate:6.0f}/s), "
            f"{self.looks} looks: {len(self.over_agents)} agents over their cap"
        )


async def build(db: Database, agents: int, chats: int) -> None:
    """Agents in one to three of the queues, all online; chats waiting in all of them."""
    queues = [f"que_{n}" for n in range(QUEUES)]
    picks = random.Random(7)  # noqa: S311 - the same race every time
    async with db.begin() as tx:
        await tx.executemany(
            """
            INSERT INTO desk_queues (id, name, accept_s, reply_s, relax_s, offer_ticket_s, idle_warn_s, idle_close_s,
                                     overflow_s, sla, created_at, changed_at)
            VALUES ($1, $1, 25, 180, 60, 120, 600, 900, 60, '{}', $2, $2)
            """,
            [(queue, NOW) for queue in queues],
        )
        names = [f"acc_{n:04d}" for n in range(agents)]
        await tx.executemany(
            "INSERT INTO desk_agents (id, name, created_at, changed_at) VALUES ($1, $1, $2, $2)",
            [(name, NOW) for name in names],
        )
        ever = NOW + timedelta(days=3650)
        await tx.executemany(
            """
            INSERT INTO agent_load (agent_id, cap, state, present_until, duty_from, duty_until)
            VALUES ($1, $2, 'online', $4, $3, $4)
            """,
            [(name, CAP, NOW, ever) for name in names],
        )
        members = [(queue, name) for name in names for queue in picks.sample(queues, picks.randint(1, 3))]
        await tx.executemany("INSERT INTO queue_members (queue_id, agent_id) VALUES ($1, $2)", members)
        rows = [(f"con_{n:07d}", queues[n % QUEUES], NOW + timedelta(milliseconds=n)) for n in range(chats)]
        await tx.executemany(
            "INSERT INTO conversations (id, kind, status, opened_at, last_at) VALUES ($1, 'chat', 'open', $2, $2)",
            [(name, at) for name, _, at in rows],
        )
        await tx.executemany(
            """
            INSERT INTO desk_threads (conversation_id, kind, state, customer_id, audience, category, severity, rank,
                                      priority, queue_id, required_skills, optional_skills, units, opened_at, queued_at,
                                      state_at)
            VALUES ($1, 'chat', 'queued', $1, '{}', 'order', 'normal', 0, 100, $2, '{}', '{}', 4, $3, $3, $3)
            """,
            rows,
        )
    async with db.pool.acquire() as connection:
        await connection.execute("ANALYZE")


Give = Callable[[Any, str], Awaitable[str | None]]


async def give_locked(connection: Any, queue_id: str) -> str | None:
    found: str | None = await connection.fetchval(
        "SELECT agent_id FROM desk_assign($1, $2, $3)", queue_id, new_id("asg", NOW), NOW + timedelta(hours=1)
    )
    return found


async def give_naive(connection: Any, queue_id: str) -> str | None:
    found: str | None = await connection.fetchval(NAIVE, queue_id, new_id("asg", NOW), NOW, CAP)
    return found


async def end_one(connection: Any, picks: random.Random, *, counted: bool) -> bool:
    """End what somebody serves: the thread first, then the assignment, then the room, as `end_service` does."""
    agent = await connection.fetchval(
        "SELECT agent_id FROM assignments WHERE ended_at IS NULL ORDER BY md5(id || $1) LIMIT 1", str(picks.random())
    )
    if agent is None:
        return False
    async with connection.transaction():
        row = await connection.fetchrow(
            """
            SELECT t.conversation_id, a.id FROM desk_threads t
              JOIN assignments a ON a.conversation_id = t.conversation_id AND a.ended_at IS NULL
             WHERE t.assignee_id = $1 LIMIT 1 FOR NO KEY UPDATE OF t SKIP LOCKED
            """,
            agent,
        )
        if row is None:
            return False
        done = await connection.execute(
            "UPDATE assignments SET ended_at = $2, end_reason = 'resolved' WHERE id = $1 AND ended_at IS NULL",
            row["id"], NOW,
        )  # fmt: skip
        if done == "UPDATE 0":
            return False
        await connection.execute(
            """
            UPDATE desk_threads SET state = 'resolved', assignee_id = NULL, epoch = epoch + 1
             WHERE conversation_id = $1
            """,
            row["conversation_id"],
        )
        if counted:
            await connection.execute("UPDATE agent_load SET load = load - $2 WHERE agent_id = $1", agent, UNITS)
    return True


async def race(db: Database, give: Give, *, connections: int, seconds: float, counted: bool) -> Outcome:
    """All connections at once until no chat waits or time is up."""
    outcome = Outcome()
    stop = asyncio.Event()
    begun = time.monotonic()

    async def worker(n: int) -> None:
        picks = random.Random(n)  # noqa: S311 - the same race every time
        idle = 0
        async with db.pool.acquire() as connection:
            while not stop.is_set() and idle < 20:
                agent = await give(connection, f"que_{picks.randrange(QUEUES)}")
                outcome.given += agent is not None
                is_ended = (agent is None or picks.random() < 0.8) and await end_one(connection, picks, counted=counted)
                outcome.ended += is_ended
                idle = 0 if agent is not None or is_ended else idle + 1

    async def look() -> None:
        async with db.pool.acquire() as connection:
            while not stop.is_set():
                over = await connection.fetch(
                    "SELECT agent_id FROM assignments WHERE ended_at IS NULL GROUP BY 1 HAVING sum(units) > $1", CAP
                )
                outcome.over_agents |= {row["agent_id"] for row in over}
                outcome.looks += 1
                assert await connection.fetchval(TWICE) == 0
                await asyncio.sleep(0.01)

    watching = asyncio.create_task(look())
    workers = [asyncio.create_task(worker(n)) for n in range(connections)]
    done, _ = await asyncio.wait(workers, timeout=seconds)
    stop.set()
    await asyncio.gather(*workers)
    await watching
    outcome.took_s = time.monotonic() - begun
    async with db.pool.acquire() as connection:
        outcome.over_cap = await connection.fetchval(HELD, CAP)
    return outcome


async def check(db: Database) -> list[str]:
    """After the race of the function: the load is what is held, and each queue went in order."""
    async with db.begin() as tx:
        loads = await tx.fetch(
            """
            SELECT l.agent_id FROM agent_load l
             WHERE l.load <> (SELECT coalesce(sum(units), 0) FROM assignments a
                               WHERE a.agent_id = l.agent_id AND a.ended_at IS NULL)
            """
        )
        jumped = await tx.fetchval(
            """
            SELECT count(*) FROM desk_threads w
             WHERE w.state = 'queued' AND EXISTS (SELECT FROM desk_threads s WHERE s.queue_id = w.queue_id
                                                     AND s.epoch > 0 AND s.queued_at > w.queued_at)
            """
        )
    wrong = [f"load of {row['agent_id']} is not what is held" for row in loads]
    return wrong + ([f"{jumped} waiting were overtaken"] if jumped else [])


async def run(
    url: str, *, agents: int, connections: int, chats: int, seconds: float
) -> tuple[Outcome, Outcome, list[str]]:
    """The control and the function, on databases of their own under this server; what is wrong with the second."""
    outcomes = []
    wrong: list[str] = []
    for name, give, counted in (("naive", give_naive, False), ("locked", give_locked, True)):
        here = await _database(url, f"race_{name}")
        db = await Database.connect(here, pool_size=connections + 4)
        try:
            await build(db, agents, chats)
            outcomes.append(await race(db, give, connections=connections, seconds=seconds, counted=counted))
            if counted:
                wrong = await check(db)
        finally:
            await db.close()
    return outcomes[0], outcomes[1], wrong


async def _database(server: str, name: str) -> str:
    import asyncpg

    connection: Any = await asyncpg.connect(server)
    await connection.execute(f"DROP DATABASE IF EXISTS {name}")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    url = server.replace("/postgres?", f"/{name}?")
    await migrate.migrate(url)
    return url


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--agents", type=int, default=100)
    parser.add_argument("--connections", type=int, default=4, help="for each ten agents")
    parser.add_argument("--chats", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=120)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fieldhub-race-", ignore_cleanup_errors=True) as folder:
        engine = engines.start_postgres(Path(folder), durable=False)
        try:
            connections = asked.connections * max(asked.agents // 10, 1)
            naive, locked, wrong = asyncio.run(
                run(engine.url, agents=asked.agents, connections=connections, chats=asked.chats, seconds=asked.seconds)
            )
        finally:
            engine.stop()
    sys.stdout.write(naive.line("naive") + "\n" + locked.line("locked") + "\n" + "\n".join(wrong) + "\n")
    return int(bool(locked.over_agents or wrong))


if __name__ == "__main__":
    sys.exit(main())
