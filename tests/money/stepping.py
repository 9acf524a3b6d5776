"""Actors on connections of their own, stepped one SQL statement at a time in the order a schedule says.

Before each statement an actor waits for its turn. Whoever is let go runs against the real database until his statement
is answered, or until he waits for a lock of somebody who waits for his turn (`pg_blocking_pids`, asked on a connection
of our own): then he is parked, and goes on by himself when the lock is released. `Explorer` walks all schedules depth
first, replaying each from a restored database. Schedules that differ only in the order of statements that cannot
notice each other are one, and are played once: a read is independent of what is not committed yet, and statements on
different tables are independent of each other. `docs/decisions/0021-schedules.md` says why this is enough.

A `Database` speaks through `Stage.database(actor)`; nothing of the code under test is replaced.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, NamedTuple

import asyncpg

from storage.base.clock import Clock, ManualClock
from storage.base.errors import HubError
from storage.postgres import PLANNING, Database, TryAgain

LOOK_S = 0.001
STUCK_S = 20


class Stuck(Exception):
    """Nobody gets on: a wait that is no lock of ours."""


# What a statement may notice of others


class Op(NamedTuple):
    """A statement: it reads, locks, writes or ends its transaction; and what it touches: tables, or rows of them.

    `shows` is what others see from the end of its transaction on; `holds` are locks of the transaction it belongs to.
    """

    kind: str
    touches: frozenset[str]
    shows: frozenset[str] = frozenset()
    holds: frozenset[str] = frozenset()


ALL = frozenset({"*"})
GATE = "gate"
"""The advisory lock of an order; every scene is about one order."""
CALLED: Mapping[str, frozenset[str]] = {
    "homeservice_hold(": frozenset({"orders", "homeservice_orders", "workers", GATE}),
    "ledger_post(": frozenset({"ledger_accounts", "ledger_transfers", "ledger_entries", "ledger_checkpoints"}),
    "tx_write(": frozenset({"jobs", "outbox", "idempotency_keys"}),
    "call_lock_with(": frozenset({"calls", "workers"}),
    "homeservice_lock_of_call(": frozenset({"orders", "homeservice_orders", "workers", "technicians"}),
    "pg_advisory_xact_lock(": frozenset({"advisory"}),
}
"""Functions of ours that a statement may call, and what they touch. One that is not here touches everything."""
ONLY_LOCKS = {"homeservice_hold(", "call_lock_with(", "homeservice_lock_of_call(", "pg_advisory_xact_lock("}

_HARMLESS = {"coalesce(", "count(", "sum(", "min(", "max(", "exists(", "any(", "all(", "unnest(", "values(", "in(",
             "as(", "and(", "or(", "on(", "from(", "now(", "split_part(", "format(", "materialized(", "row_number(",
             "array_position(", "lateral(", "not(", "where(", "select(", "cardinality(", "tstzrange(", "int8range(",
             "lower(", "upper(", "greatest(", "least(", "by(", "then(", "else(", "when(", "over(", "join(",
             "conflict("}  # fmt: skip
_INTO = re.compile(r"\binto\s+[a-z_.]+(?:\s+as\s+[a-z_]+)?\s*\(")
_ALIAS = re.compile(r"\bas\s+(?!(?:not\s+)?materialized)([a-z_]+)\s*\(")
_CALL = re.compile(r"\b([a-z_0-9]+)\s*\(")
_TABLE = re.compile(r"\b(?:from|join|into|(?<!do )(?<!for )(?<!key )update)\s+(?:only\s+)?([a-z_.]+)\b(?!\s*\()")
_CTE = re.compile(r"(?:\bwith|,)\s+(?:recursive\s+)?([a-z_]+)(?:\s*\([^)]*\))?\s+as\s+(?:(?:not )?materialized )?\(")
_LOCKS = re.compile(r"\bfor\s+(?:no\s+key\s+)?(?:update|share|key)")
_WRITES = re.compile(r"\b(?:insert|delete)\b|(?<!\bfor )(?<!\bkey )\bupdate\b")
_TAIL = re.compile(r"\btx_write\(\$1,")


@cache
def op_of(sql: str) -> Op:
    """What we believe of a statement from its text: rather too much than too little."""
    text = " ".join(re.sub(r"--.*", "", sql).lower().split())
    if text in {"commit", "rollback"}:
        return Op("end", frozenset())
    ctes = set(_CTE.findall(text))
    names = ctes | set(_ALIAS.findall(text))
    tables = set(_TABLE.findall(_INTO.sub(lambda found: found.group(0).rstrip("( ") + " ", text)))
    writes, locks = bool(_WRITES.search(text)), bool(_LOCKS.search(text))
    for name in set(_CALL.findall(_INTO.sub(" ", text))) - names:
        if f"{name}(" in CALLED:
            tables |= CALLED[f"{name}("]
            locks, writes = True, writes or f"{name}(" not in ONLY_LOCKS
        elif f"{name}(" not in _HARMLESS and name not in tables:
            tables |= ALL
            writes = True
    return Op("write" if writes else "lock" if locks else "read", frozenset(tables - ctes) or ALL)


def with_rows(op: Op, sql: str, args: Sequence[Any]) -> Op:
    """What a transaction writes at its end is told by its arguments: timers by key, facts that are new, one answer."""
    if not _TAIL.search(sql):
        return op
    rows = {f"jobs#{key}" for key in (*args[6], *args[7])} | {f"outbox#{fact_id}" for fact_id in args[1]}
    if args[17] is not None:
        rows.add("jobs")
    if args[12] is not None:
        rows.add(f"idempotency_keys#{args[11]} {args[12]}")
    return op._replace(touches=op.touches - CALLED["tx_write("] | rows)


def independent(one: Op, other: Op) -> bool:
    """Whether the two may change places without anybody noticing."""
    if _waits_behind(one, other) or _waits_behind(other, one):
        return True
    if "read" in {one.kind, other.kind}:
        reads, does = (one, other) if one.kind == "read" else (other, one)
        return does.kind != "end" or not _meet(reads.touches, does.shows)
    return not _meet(one.touches, other.touches)


def _waits_behind(one: Op, other: Op) -> bool:
    """He comes to a gate that the other has shut: it is all one whether he stands there or comes when it opens."""
    return GATE in one.touches and one.kind != "end" and GATE in other.holds


def _meet(one: frozenset[str], other: frozenset[str]) -> bool:
    if "*" in one | other:
        return bool(one and other)
    return any(mine in {his, his.partition("#")[0]} or his == mine.partition("#")[0] for mine in one for his in other)


# The stage


class StageClock(ManualClock):
    """A clock that can be turned back with everything else."""

    def back_to(self, at: datetime) -> None:
        self._now = at


class At(Enum):
    """Where an actor is."""

    WAITING = "waits for his turn"
    RUNNING = "runs, or is parked"
    DONE = "is done"


@dataclass
class Actor:
    name: str
    connection: Any
    at: At = At.DONE
    sql: str = ""
    args: tuple[Any, ...] = ()
    go: asyncio.Future[None] | None = None
    answer: str = ""
    touched: set[str] = field(default_factory=set)
    wrote: set[str] = field(default_factory=set)
    steps: int = 0
    """Statements of his transaction so far."""

    @property
    def op(self) -> Op:
        """His next statement. The end of a transaction lets others see what it wrote, and go on behind its locks."""
        op = with_rows(op_of(self.sql), self.sql, self.args)
        holds = frozenset(self.touched & {GATE})
        if op.kind != "end":
            return op._replace(holds=holds)
        shows = self.wrote if self.sql == "COMMIT" else ()
        return Op("end", frozenset(self.touched), frozenset(shows), holds)

    def note(self, op: Op) -> None:
        """This is done, and is his until the transaction ends."""
        if op.kind != "read":
            self.touched |= op.touches
        if op.kind == "write":
            self.wrote |= op.touches

    def anew(self) -> None:
        self.touched.clear()
        self.wrote.clear()

    @property
    def pid(self) -> int:
        return int(self.connection.get_server_pid())


class GatedConnection:
    """An asyncpg connection whose statements wait for their turn."""

    def __init__(self, stage: Stage, actor: Actor) -> None:
        self._stage, self._actor = stage, actor

    def is_in_transaction(self) -> bool:
        return bool(self._actor.connection.is_in_transaction())

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        async def call(sql: str, *args: Any) -> Any:
            await self._stage.turn(self._actor, sql, args)
            sql = self._stage.twisted(sql)
            try:
                return await getattr(self._actor.connection, method)(sql, *args)
            except asyncpg.DeadlockDetectedError:
                self._stage.deadlocks += 1
                raise

        return call


class GatedPool:
    def __init__(self, stage: Stage, actor: Actor) -> None:
        self._connection = GatedConnection(stage, actor)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[GatedConnection]:
        yield self._connection


class Choice(NamedTuple):
    """What could have been done at one moment: actors with their next statements."""

    enabled: dict[str, Op]
    sqls: dict[str, str]


class Stage:
    """Some actors, and the connection that watches them. Use with `async with Stage.open(url, names)`."""

    def __init__(self, actors: dict[str, Actor], control: Any) -> None:
        self.actors, self._control = actors, control
        self.deadlocks = 0
        self.parked = 0
        self.twists: dict[str, str] = {}
        """Bugs for tests of the harness: what is found of a statement (a pattern) is replaced before it is sent."""
        self.twisted_count = 0
        self._changed = asyncio.Event()
        self._over = False
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, names: Sequence[str]) -> AsyncIterator[Stage]:
        settings = {**PLANNING, "deadlock_timeout": "50ms"}
        connections = [await asyncpg.connect(url, server_settings=settings) for _ in range(len(names) + 1)]
        actors = {name: Actor(name, connection) for name, connection in zip(names, connections[1:], strict=True)}
        try:
            yield cls(actors, connections[0])
        finally:
            for connection in connections:
                await connection.close()

    def database(self, name: str, clock: Clock, subscribed: dict[str, Any]) -> Database:
        db = Database(GatedPool(self, self.actors[name]), clock)
        db.subscribed = subscribed
        return db

    def twisted(self, sql: str) -> str:
        for pattern, text in self.twists.items():
            sql, times = re.subn(pattern, text, sql)
            self.twisted_count += times
        return sql

    async def turn(self, actor: Actor, sql: str, args: tuple[Any, ...]) -> None:
        """Wait here before a statement. What only begins a transaction nobody can notice."""
        if self._over or sql == "BEGIN":
            actor.anew()
            actor.steps = 0
            return
        actor.sql, actor.args = sql, args
        actor.go, actor.at = asyncio.get_running_loop().create_future(), At.WAITING
        self._changed.set()
        await actor.go
        actor.steps += 1
        actor.note(actor.op)

    def begin(self, acts: Mapping[str, Callable[[], Awaitable[Any]]]) -> None:
        """Everybody comes on, and waits before his first statement."""
        self._over, self._tasks = False, []
        for actor in self._cast:
            actor.at = At.DONE  # perhaps he waited for a turn that never came
        for name, act in acts.items():
            actor = self.actors[name]
            actor.at, actor.answer, actor.sql = At.RUNNING, "", ""
            actor.anew()
            self._tasks.append(asyncio.create_task(self._play(actor, act)))

    async def _play(self, actor: Actor, act: Callable[[], Awaitable[Any]]) -> None:
        try:
            done = await act()
            actor.answer = "ok" if done is None else str(done)
        except TryAgain:
            actor.answer = "!try_again"
        except HubError as refused:
            actor.answer = refused.code
        except Exception as problem:
            actor.answer = f"!{type(problem).__name__}: {problem}"
        actor.at = At.DONE
        self._changed.set()

    def let(self, name: str) -> None:
        """This actor's next statement is run."""
        actor = self.actors[name]
        assert actor.at is At.WAITING and actor.go is not None, f"{name} does not wait"
        actor.at = At.RUNNING
        actor.go.set_result(None)

    async def settle(self) -> Choice:
        """Wait until everybody waits for his turn, is done, or is parked behind one who waits."""
        loop = asyncio.get_running_loop()
        gives_up = loop.time() + STUCK_S
        while running := [actor for actor in self._cast if actor.at is At.RUNNING]:
            self._changed.clear()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._changed.wait()
            except TimeoutError:
                running = [actor for actor in running if actor.at is At.RUNNING]
                if running and await self._are_parked(running):
                    self.parked += 1
                    break
            if loop.time() > gives_up:
                raise Stuck(", ".join(f"{actor.name} in {actor.sql}" for actor in running))
        waiting = [actor for actor in self._cast if actor.at is At.WAITING]
        return Choice({actor.name: actor.op for actor in waiting}, {actor.name: actor.sql for actor in waiting})

    @property
    def _cast(self) -> list[Actor]:
        return list(self.actors.values())

    async def _are_parked(self, running: Sequence[Actor]) -> bool:
        """Whether each of them is blocked, in the end by somebody who waits for his turn."""
        held = {actor.pid for actor in self._cast if actor.at is At.WAITING}  # before we ask: he may arrive meanwhile
        rows = await self._control.fetch(
            "SELECT pid, pg_blocking_pids(pid) FROM unnest($1::int[]) AS pid", [actor.pid for actor in running]
        )
        behind = {row[0]: set(row[1]) for row in rows}
        while more := {pid for pid, others in behind.items() if others and others <= held} - held:
            held |= more
        return set(behind) <= held

    async def end(self) -> None:
        """Everybody goes home, wherever he is: open transactions are rolled back."""
        self._over = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for actor in self._cast:
            if actor.connection.is_in_transaction():
                await actor.connection.execute("ROLLBACK")


# All schedules


@dataclass
class Node:
    """A moment of the walk: what could be done, what should be tried, what has been, what need not be."""

    enabled: dict[str, Op]
    sleep: dict[str, Op]
    wanted: set[str]
    tried: dict[str, Op] = field(default_factory=dict)
    chosen: str = ""
    causes: int = 0
    """The earlier moments, a bit each, without which what was chosen here could not be or would be another."""

    @property
    def op(self) -> Op:
        return self.enabled[self.chosen]

    def left(self) -> list[str]:
        return [name for name in self.enabled if name in self.wanted and name not in self.sleep | self.tried.keys()]


class Explorer:
    """Depth first through the schedules of one cast: `choose` says whom to let go, `back` turns to the next.

    Of schedules that differ in neighbours who cannot notice each other one is played. Two statements that do notice
    each other are a race; only for a race is another order tried, by whoever could begin it (source sets), and not when
    what follows has been seen (sleep sets). Source: Abdulla, Aronis, Jonsson, Sagonas, Optimal dynamic partial order
    reduction, POPL 2014, algorithm 1.
    """

    def __init__(self, *, reduce: bool = True) -> None:
        self.nodes: list[Node] = []
        self.reduce = reduce
        self.depth = 0
        self.schedules = 0
        self.cut = 0
        self.is_done = False

    def choose(self, choice: Choice) -> str | None:
        """Whom to let go now; None when all that follows has been seen in another order."""
        if self.depth < len(self.nodes):
            node = self.nodes[self.depth]
            assert set(choice.enabled) == set(node.enabled), f"not the same again: {choice.sqls}"
        else:
            node = self._arrive(choice)
        if not node.chosen:
            left = node.left()
            if not left:
                return None
            node.chosen = left[0]
            if self.reduce:
                self._look_back(self.depth)
        self.depth += 1
        return node.chosen

    def _arrive(self, choice: Choice) -> Node:
        sleep = self._asleep()
        awake = [name for name in choice.enabled if name not in sleep]
        node = Node(choice.enabled, sleep, set(awake[:1] if self.reduce else awake))
        self.nodes.append(node)
        return node

    def _asleep(self) -> dict[str, Op]:
        if not self.nodes or not self.reduce:
            return {}
        last = self.nodes[-1]
        known = {**last.sleep, **last.tried}
        return {name: op for name, op in known.items() if name != last.chosen and independent(op, last.op)}

    def _look_back(self, here: int) -> None:
        """What this choice depends on; where it is in a race with a choice before, another order is wanted there."""
        node, released_at = self.nodes[here], self._released_at(here)
        node.causes = 0
        for at in range(here - 1, -1, -1):
            before = self.nodes[at]
            is_own = before.chosen == node.chosen
            if not (is_own or at == released_at or not independent(before.op, node.op)):
                continue
            if not (is_own or at == released_at or node.causes >> at & 1):
                self._want_other_order(at, here)
            node.causes |= 1 << at | before.causes

    def _released_at(self, here: int) -> int | None:
        """The moment that gave this actor the lock he waited for, or the gate he then found open: no race, a cause."""
        name = self.nodes[here].chosen
        last = next((at for at in range(here - 1, -1, -1) if self.nodes[at].chosen == name), None)
        if last is None:
            return None
        parked = [at for at in range(last + 1, here) if name not in self.nodes[at].enabled]
        if parked:
            return parked[-1]
        if GATE not in self.nodes[last].op.touches or self.nodes[last].op.kind == "end":
            return None
        ends = (at for at in range(last - 1, -1, -1) if self.nodes[at].op.kind == "end")
        return next((at for at in ends if GATE in self.nodes[at].op.holds), None)

    def _want_other_order(self, at: int, here: int) -> None:
        """Have somebody begin, instead of what was chosen at that moment, with what does not come of it."""
        later = [n for n in range(at + 1, here) if not self.nodes[n].causes >> at & 1] + [here]
        causes = {n: self.nodes[n].causes for n in later}
        first: list[str] = []
        for n in later:
            name = self.nodes[n].chosen
            earlier = [m for m in later if m < n and (causes[n] >> m & 1 or self.nodes[m].chosen == name)]
            if not earlier:
                first.append(name)
        node = self.nodes[at]
        if node.wanted.isdisjoint(first):
            possible = [name for name in first if name in node.enabled]
            node.wanted |= set(possible[-1:] or node.enabled)

    def back(self, *, complete: bool) -> None:
        """One run is over: the deepest moment with something left is next."""
        self.schedules += complete
        self.cut += not complete
        self.depth = 0
        while self.nodes:
            node = self.nodes[-1]
            if node.chosen:
                node.tried[node.chosen] = node.op
                node.chosen = ""
            if node.left():
                return
            self.nodes.pop()
        self.is_done = True


# The same beginning, again and again


class Snapshot:
    """The rows of a database, put back in one trip. Sequences go on: nothing may depend on them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._restore = ""
        self._connection: Any = None
        self._times = 0

    async def take(self) -> None:
        self._connection = await asyncpg.connect(self._url)
        tables = await self._connection.fetch(
            """
            SELECT n.nspname || '.' || quote_ident(c.relname) AS name, 'snapshot.' || quote_ident(n.nspname || '_' || c.relname) AS copy,
                   (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
                     WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS columns
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'bank') AND NOT c.relispartition
               AND c.relname NOT IN ('schema_migrations', 'split_rules')"""  # noqa: E501
        )
        await self._connection.execute("DROP SCHEMA IF EXISTS snapshot CASCADE; CREATE SCHEMA snapshot")
        parts = []
        for name, copy, columns in tables:
            await self._connection.execute(f"CREATE UNLOGGED TABLE {copy} AS SELECT {columns} FROM {name}")
            parts.append(f"DELETE FROM {name}")
            if await self._connection.fetchval(f"SELECT count(*) FROM {copy}"):
                parts.append(f"INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {copy}")
        self._restore = f"BEGIN; SET LOCAL session_replication_role = replica; {'; '.join(parts)}; COMMIT"

    async def restore(self) -> None:
        await self._connection.execute(self._restore)
        self._times += 1
        if self._times % 100 == 0:
            await self._connection.execute("VACUUM")

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
