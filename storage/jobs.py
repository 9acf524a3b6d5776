"""Deadlines and jobs: time as data.

A deadline is a row with `due_at`, written in the business transaction. The runner *claims* due rows with a short lease
(one small statement, no other lock held), then runs each handler in a transaction that deletes the row last. So

* effect and removal are one commit: a deadline that fired is gone, one that failed is still there;
* a runner that dies loses only its lease: another takes the row when it runs out;
* business code may replace or remove a row while holding its own locks, because the handler takes the job row
  after them too (see the lock order in `storage.tx`);
* a row replaced or claimed anew under a running handler makes that handler's transaction roll back (Superseded).

A handler is `async (tx, payload) -> None` and re-checks the state: a timer is a hint, the state is the truth.
Work that talks to the outside is `async (payload) -> None`, registered with `outside=True`, and runs with no
transaction open, at least once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from storage.base import codec
from storage.base.ids import new_id
from storage.base.log import log
from storage.base.settings import Settings
from storage.postgres import OUTAGE, Database, RetryTx, TryAgain
from storage.tx import Superseded, Tx, Wants

Payload = dict[str, Any]
Handler = Callable[[Tx, Payload], Awaitable[None]]
OutsideHandler = Callable[[Payload], Awaitable[None]]

SUBSCRIBERS_KIND = "fact.subscribers"
BACKOFF_MAX_S = 300


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Runs with the fields of each committed fact that it wants."""

    run: Handler
    wants: Wants = lambda _fact: True


Subscribers = Mapping[str, Sequence[Subscriber]]
"""By topic."""


def join_subscribers(*tables: Subscribers) -> Subscribers:
    """One table of several domains'; a topic two of them want runs the subscribers of both, in this order."""
    joined: dict[str, list[Subscriber]] = {}
    for table in tables:
        for topic, known in table.items():
            joined.setdefault(topic, []).extend(known)
    return joined


def subscribe(db: Database, subscribers: Subscribers) -> None:
    """Have this process write a job for every fact that somebody wants. Every process that commits must do so."""
    for topic, known in subscribers.items():
        db.subscribed[topic] = lambda fact, known=known: any(one.wants(fact) for one in known)  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class Job:
    """One claimed row."""

    id: int
    kind: str
    key: str
    payload: Payload
    due_at: datetime
    first_due_at: datetime
    attempts: int
    lease: str


def backoff_s(attempts: int) -> int:
    """Seconds to wait after the given number of failures: 1, 2, 4 … up to five minutes."""
    return int(min(2 ** max(attempts - 1, 0), BACKOFF_MAX_S))


class JobRunner:
    """Fires what is due. `handlers` maps a kind to its handler; unknown kinds are left for a newer version."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        handlers: Mapping[str, Handler],
        *,
        outside: Mapping[str, OutsideHandler] | None = None,
        subscribers: Subscribers | None = None,
        is_poked: bool = True,
    ) -> None:
        """A runner without `subscribers` leaves facts to another. One that is not poked looks when it polls."""
        self._db = db
        self._settings = settings
        self._subscribers: Subscribers = subscribers or {}
        self._handlers = dict(handlers)
        if subscribers is not None:
            self._handlers[SUBSCRIBERS_KIND] = self._tell_subscribers
        self._outside = dict(outside or {})
        self._kinds = [*self._handlers, *self._outside]
        self._wake = asyncio.Event()
        self.lateness_s: list[float] = []
        subscribe(db, self._subscribers)
        if is_poked:
            db.on_commit(self._committed)

    def _committed(self, facts: bool, due_at: datetime | None) -> None:  # noqa: ARG002 - listener signature
        if due_at is not None and due_at <= self._db.clock.now() + timedelta(milliseconds=self._settings.jobs_poll_ms):
            self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Fire due rows until `stop` is set; several at once, the rest in due order."""
        slots = asyncio.Semaphore(self._settings.jobs_parallel_max)
        running: set[asyncio.Task[None]] = set()
        while not stop.is_set():
            self._wake.clear()
            jobs = await self._claim_or_nothing()
            for job in jobs:
                await slots.acquire()
                task = asyncio.create_task(self.fire(job))
                running.add(task)
                task.add_done_callback(running.discard)
                task.add_done_callback(lambda _done: slots.release())
            if not jobs:
                await self._sleep(stop)
        await asyncio.gather(*running)

    async def _sleep(self, stop: asyncio.Event) -> None:
        waits = [asyncio.create_task(self._wake.wait()), asyncio.create_task(stop.wait())]
        await asyncio.wait(waits, timeout=self._settings.jobs_poll_ms / 1000, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _claim_or_nothing(self) -> list[Job]:
        try:
            return await self.claim(limit=2 * self._settings.jobs_parallel_max)
        except OUTAGE as problem:
            log("jobs.claim_failed", level="warning", error=problem)
            await asyncio.sleep(1)
            return []

    async def claim(self, *, limit: int) -> list[Job]:
        """Lease up to `limit` due rows of known kinds, the most overdue first.

        Each claim is a lease of its own: a row that was replaced and claimed again, be it by this very runner, is not
        the row an older handler may remove. The rows are found once, before any is leased: a plain subquery may be
        run anew for each row of the outer scan, and then more than `limit` are leased.
        """
        lease = new_id("job", self._db.clock.now())
        async with self._db.look() as tx:
            rows = await tx.fetch(
                """
                WITH due AS MATERIALIZED (
                    SELECT id FROM jobs
                     WHERE due_at <= $3 AND parked_at IS NULL AND kind = ANY($5)
                       AND (leased_until IS NULL OR leased_until <= $3)
                     ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED)
                UPDATE jobs SET lease = $1, leased_until = $2 FROM due WHERE jobs.id = due.id
                RETURNING jobs.id, kind, key, payload, due_at, first_due_at, attempts
                """,
                lease,
                tx.now + timedelta(seconds=self._settings.jobs_lease_s),
                tx.now,
                limit,
                self._kinds,
            )
        jobs = [
            Job(
                r["id"],
                r["kind"],
                r["key"],
                codec.loads(r["payload"]),
                r["due_at"],
                r["first_due_at"],
                r["attempts"],
                lease,
            )
            for r in rows
        ]
        return sorted(jobs, key=lambda job: (job.due_at, job.id))

    async def fire(self, job: Job) -> None:
        """Run one claimed row; on failure it comes back after a back-off, in the end it is parked for a person."""
        self.lateness_s.append((self._db.clock.now() - job.due_at).total_seconds())
        del self.lateness_s[:-1000]
        try:
            if job.kind in self._outside:
                await self._outside[job.kind](job.payload)
                await self._db.run(_end, job)
            else:
                await self._db.run(self._handle, job)
        except Superseded:
            log("job.superseded", kind=job.kind, job_key=job.key)
        except Exception as problem:  # noqa: BLE001 - one of the four loops: log and go on
            await self._failed(job, problem)

    async def _handle(self, tx: Tx, job: Job) -> None:
        await self._handlers[job.kind](tx, job.payload)
        await _end(tx, job)

    async def _tell_subscribers(self, tx: Tx, payload: Payload) -> None:
        for subscriber in self._subscribers.get(payload["topic"], ()):
            await subscriber.run(tx, payload["fact"])

    async def _failed(self, job: Job, problem: Exception) -> None:
        attempts = job.attempts + 1
        parked = attempts >= self._settings.jobs_attempts_max
        waited = isinstance(problem, RetryTx | TryAgain | asyncpg.PostgresConnectionError | OSError)
        log(
            "job.parked" if parked else "job.failed",
            level="warning" if waited and not parked else "error",
            error=problem,
            kind=job.kind,
            job_key=job.key,
            attempts=attempts,
        )
        try:
            await self._db.run(_put_back, job, attempts, parked, f"{type(problem).__name__}: {problem}"[:500])
        except OUTAGE as second:
            log("job.not_put_back", level="warning", error=second, kind=job.kind, job_key=job.key)

    async def drain(self) -> int:
        """Fire everything due now, one after another, until nothing is; the number fired. For tests and shutdown."""
        fired = 0
        while jobs := await self.claim(limit=1):
            await self.fire(jobs[0])
            fired += 1
        return fired


async def _end(tx: Tx, job: Job) -> None:
    tx.end_job(job.id, job.lease)


async def _put_back(tx: Tx, job: Job, attempts: int, parked: bool, problem: str) -> None:
    await tx.execute(
        """
        UPDATE jobs SET attempts = $3, last_error = $4, lease = NULL, leased_until = NULL,
                        due_at = $5, parked_at = $6
         WHERE id = $1 AND lease = $2
        """,
        job.id,
        job.lease,
        attempts,
        problem,
        tx.now + timedelta(seconds=backoff_s(attempts)),
        tx.now if parked else None,
    )
