"""PostgreSQL: the only file that opens, commits or rolls back a transaction."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import asyncpg

from storage.base.clock import Clock, SystemClock
from storage.base.errors import Busy
from storage.base.log import log
from storage.batches import Batches
from storage.light import LightTx
from storage.turns import Turns
from storage.tx import Tx, Wants

P = ParamSpec("P")
T = TypeVar("T")

STATEMENTS_MAX = 1_000
"""Statements a connection keeps prepared; far more than there are."""

PLANNING = {"enable_seqscan": "off", "jit": "off"}
"""Everything here is found by an index. A plan made while a table was empty would read all of it and be kept for good
(measured: half the orders a second after a minute); without that choice there is nothing to keep. Compiling plans pays
for long queries only, of which a hub has none."""

OUTAGE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a database that is away, or going, looks like to those who wait it out. The last is a pooled connection that was
told of its end and is not closed yet."""

RETRIES_MAX = 3
"""Serialization failures and deadlocks are repeated this often before the client hears `busy`."""


class RetryTx(Exception):
    """What a verb raises when it saw a state that moved before its locks were taken; the edge starts over."""


class TryAgain(Busy):
    """Others were working on the same rows; try again."""

    code = "try_again"


class Listener(Protocol):
    """Told after each commit: whether facts were written, and the earliest deadline written."""

    def __call__(self, facts: bool, due_at: datetime | None) -> None: ...


class Database:
    """A pool of connections and the clock its transactions read."""

    def __init__(self, pool: Any, clock: Clock | None = None) -> None:  # noqa: ANN401 - asyncpg has no types
        self.pool = pool
        self.clock: Clock = clock or SystemClock()
        self.subscribed: dict[str, Wants] = {}
        self.turns = Turns()
        self._listeners: list[Listener] = []
        self._batches = Batches(pool)

    @classmethod
    async def connect(
        cls, url: str, *, clock: Clock | None = None, pool_size: int = 16, open_at_once: int = 1, **options: int
    ) -> Database:
        """Open a pool. A server opens all of it at once: a connection made under load keeps somebody waiting.

        Connections keep no state between transactions, so nothing is reset on release, and they keep their statements
        prepared: a hub has some hundred, and they do not change.
        """
        server_settings = {**PLANNING, "application_name": "fieldhub"} | {k: str(v) for k, v in options.items()}
        pool = await asyncpg.create_pool(
            url,
            min_size=open_at_once,
            max_size=pool_size,
            init=_learn_types,
            reset=_nothing,
            max_queries=2**62,
            server_settings=server_settings,
            statement_cache_size=STATEMENTS_MAX,
            max_cached_statement_lifetime=0,
        )
        return cls(pool, clock)

    async def close(self) -> None:
        await self.pool.close()

    def on_commit(self, listener: Listener) -> None:
        """Call `listener` after every commit of this process that wrote facts or deadlines."""
        self._listeners.append(listener)

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """Open a transaction, commit it on the way out, roll it back on any exception."""
        async with self.pool.acquire() as connection:
            due_at: datetime | None = None
            await connection.execute("BEGIN")
            try:
                tx = Tx(connection, self.clock.now())
                yield tx
                wrote_facts = bool(tx.pending.facts)
                if tx.pending:
                    due_at = await tx.flush(self.subscribed)
                await connection.execute("COMMIT")
            except BaseException:
                await _roll_back(connection)
                raise
        self._committed(wrote_facts, due_at)

    @contextlib.asynccontextmanager
    async def look(self) -> AsyncIterator[Tx]:
        """For work that is one statement: each is a transaction of its own, without the trips to begin and end one.

        Nothing can be told or scheduled here.
        """
        async with self.pool.acquire() as connection:
            tx = Tx(connection, self.clock.now())
            yield tx
            if tx.pending:
                raise AssertionError("facts and deadlines need a transaction")

    def _committed(self, facts: bool, due_at: datetime | None) -> None:
        if facts or due_at is not None:
            for listener in self._listeners:
                listener(facts, due_at)

    async def run(self, verb: Callable[Concatenate[Tx, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb in a transaction of its own, again when others got in the way (40001, 40P01, RetryTx)."""
        return await self._repeated(self._run_once, verb, *args, **kwargs)

    async def run_light(self, verb: Callable[Concatenate[Tx, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `run`, for a verb that locks nothing and writes only with the end of its transaction (`LightTx`).

        That one statement is then the whole transaction, and those that wait at the same moment are one commit.
        """
        return await self._repeated(self._run_light_once, verb, *args, **kwargs)

    async def _run_once(self, verb: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:  # noqa: ANN401
        async with self.begin() as tx:
            return await verb(tx, *args, **kwargs)

    async def _run_light_once(self, verb: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:  # noqa: ANN401
        tx = LightTx(self.pool, self.clock.now(), self._batches, self.subscribed)
        result = await verb(tx, *args, **kwargs)
        if tx.pending:
            await tx.end()
        self._committed(tx.has_told, tx.due_at)
        return result

    async def _repeated(
        self, once: Callable[..., Awaitable[T]], verb: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any  # noqa: ANN401
    ) -> T:
        for attempt in range(RETRIES_MAX + 1):
            try:
                return await once(verb, *args, **kwargs)
            except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, RetryTx) as problem:
                log("tx.retried", level="warning", verb=verb.__name__, attempt=attempt, reason=type(problem).__name__)
                await asyncio.sleep(random.uniform(0.001, 0.01) * (attempt + 1))  # noqa: S311 - spread, not secrecy
            except asyncpg.LockNotAvailableError as problem:
                raise TryAgain from problem
        raise TryAgain


async def _learn_types(connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
    """Have asyncpg look up the array types we send now, and not in the first transaction that sends one."""
    await connection.fetchrow("SELECT $1::timestamptz[], $2::float8[], $3::real[]", [], [], [])


async def _roll_back(connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
    """End a transaction that failed. A lost connection has ended it already, and the pool drops that."""
    with contextlib.suppress(*OUTAGE):
        if connection.is_in_transaction():
            await connection.execute("ROLLBACK")


async def _nothing(_connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
    """The default reset costs a round trip per request and there is nothing to reset."""
