"""The transaction: the single argument every domain verb takes first.

SQL, the instant, new ids, facts and deadlines all come from here. A `Tx` is opened and committed only at an edge
(route, socket handler, job, relay) by `Database.begin`.

Lock order, everywhere: worker rows (sorted) → order → call → booking → coupon → points purse →
ledger accounts (sorted) → job rows.
Job rows come last by construction: facts and deadlines are written together just before the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from storage.base import codec
from storage.base.facts import Fact
from storage.base.ids import new_id


@dataclass(frozen=True, slots=True)
class Told:
    """A fact waiting in this transaction for the outbox."""

    fact: Fact
    audience: tuple[str, ...]
    expires_at: datetime | None


class KeptAnswer(NamedTuple):
    """What the holder of an idempotency key is answered; `headers` is a JSON text.

    `fingerprint` is given where the key has not been taken yet: it is then taken with the answer.
    """

    scope: str
    key: str
    fingerprint: bytes | None
    status: int
    headers: str
    body: bytes


_NO_ANSWER = (None,) * 6


class Superseded(Exception):
    """The job row was replaced, removed or claimed by another runner while its handler ran; its effects are undone."""


class LastCall(NamedTuple):
    """A SQL function that is called with the tail of a transaction. `fills`: its row fills in what is told."""

    function: str
    args: Sequence[Any]
    fills: bool = False


_NO_CALL = LastCall("", ())

Given = tuple[str, dict[str, Any]]
"""What came of a call that tells: its outcome, and the fields it filled in."""


@dataclass(slots=True)
class Pending:
    """What a transaction will write just before it commits. `job` is the row that ran it, as (id, lease)."""

    facts: list[Told] = field(default_factory=list)
    schedules: dict[str, tuple[str, datetime, dict[str, Any]] | None] = field(default_factory=dict)
    answer: KeptAnswer | None = None
    job: tuple[int, str] | None = None
    call: LastCall | None = None

    def __bool__(self) -> bool:
        return bool(self.facts or self.schedules or self.answer or self.job or self.call)


Wants = Callable[[Fact], bool]
"""Whether somebody subscribed to a fact's topic has to hear of this one."""


class Tx:
    """One database transaction at one instant."""

    __slots__ = ("_connection", "now", "pending")

    def __init__(self, connection: Any, now: datetime) -> None:  # noqa: ANN401 - asyncpg has no types
        self._connection = connection
        self.now = now
        self.pending = Pending()

    def new_id(self, kind: str) -> str:
        return new_id(kind, self.now)

    async def fetch(self, sql: str, *args: Any) -> list[Any]:  # noqa: ANN401 - SQL values
        rows: list[Any] = await self._connection.fetch(sql, *args)
        return rows

    async def fetchrow(self, sql: str, *args: Any) -> Any:  # noqa: ANN401 - SQL values
        return await self._connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:  # noqa: ANN401 - SQL values
        return await self._connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> int:  # noqa: ANN401 - SQL values
        """Run one statement; the number of rows it touched (0 where PostgreSQL does not say)."""
        tag: str = await self._connection.execute(sql, *args)
        last = tag.rsplit(" ", 1)[-1]
        return int(last) if last.isdigit() else 0

    def execute_last(self, function: str, *args: Any) -> None:  # noqa: ANN401 - SQL values
        """Call this SQL function, whose result nobody needs, with the tail of the transaction: one trip less.

        What it writes cannot be read before the commit, and what it raises comes at the end. Once a transaction.
        """
        assert self.pending.call is None, "a transaction has one last call"  # noqa: S101 - a mistake of ours
        self.pending.call = LastCall(function, args)

    async def call_and_tell(self, function: str, *args: Any, fact: Fact, to: Sequence[str]) -> Given:  # noqa: ANN401 - SQL values
        """Call this SQL function, and tell `fact` if it says so, with the fields that only it could know.

        It gives one row: `outcome`, `is_told`, and in `fills` those fields. Its last parameter, which is added here, is
        whether it may wait for a lock; where it may not and would have to, its outcome is `busy`. In a light
        transaction this is the end, and the last thing the verb does. Returns the outcome and the fields.
        """
        places = ", ".join(f"${n}" for n in range(1, 2 + len(args)))
        outcome, is_told, fills = await self.fetchrow(
            f"SELECT outcome, is_told, fills FROM {function}({places})", *args, True
        )
        fields = codec.loads(fills or "{}")
        if is_told:
            self.tell(fact.filled(fields), to=to)
        return outcome, fields

    async def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        await self._connection.executemany(sql, rows)

    async def copy_records(self, table: str, columns: Sequence[str], records: Iterable[Sequence[Any]]) -> None:
        """Bulk insert by COPY."""
        await self._connection.copy_records_to_table(table, records=records, columns=list(columns))

    def tell(self, fact: Fact, *, to: Sequence[str], expires_at: datetime | None = None) -> None:
        """Tell `fact` to these audiences if and when this transaction commits, in the order of the calls.

        A fact with `expires_at` is not replayed to clients that come back later than that.
        """
        self.pending.facts.append(Told(fact, tuple(dict.fromkeys(to)), expires_at))

    def schedule(self, kind: str, key: str, due_at: datetime, payload: dict[str, Any]) -> None:
        """Have the handler of `kind` run once at or after `due_at`; a row with the same key is replaced."""
        self.pending.schedules.pop(key, None)
        self.pending.schedules[key] = (kind, due_at, payload)

    def unschedule(self, key: str) -> None:
        """Take back what was scheduled under this key; nothing happens when it has fired already."""
        self.pending.schedules[key] = None

    def end_job(self, job_id: int, lease: str) -> None:
        """Remove the job row that ran this transaction, if it is still under this lease; else nothing is committed."""
        self.pending.job = (job_id, lease)

    async def flush(self, subscribed: Mapping[str, Wants]) -> datetime | None:
        """Write waiting facts and deadlines; called by `Database` before the commit.

        Returns the earliest due instant written. Facts that a subscriber wants also become a job, in the same
        transaction, so that he hears of every such fact that was committed and of no other. Raises Superseded.
        """
        sql, args, due_at = self.tail(subscribed)
        *_, is_written = await self._connection.fetchrow(sql, *args)
        if not is_written:
            raise Superseded
        return due_at

    def tail(self, subscribed: Mapping[str, Wants]) -> tuple[str, tuple[Any, ...], datetime | None]:
        """What `flush` sends, as statement and values, and the earliest due instant in it."""
        told = [(new_id("fct", self.now), codec.dumps(one.fact).decode(), one) for one in self.pending.facts]
        jobs: dict[str, tuple[str, datetime, str] | None] = {
            key: None if job is None else (*job[:2], codec.dumps(job[2]).decode())
            for key, job in self.pending.schedules.items()
        }
        for fact_id, body, waiting in told:
            wants = subscribed.get(waiting.fact.topic)
            if wants is not None and wants(waiting.fact):
                payload = f'{{"topic":"{waiting.fact.topic}","fact":{body}}}'
                jobs[f"subscribers:{fact_id}"] = ("fact.subscribers", self.now, payload)
        # An array per column; audiences joined into lines, since they differ in length. Deadlines are sorted by key, so
        # that two transactions that touch the same rows take them in the same order.
        wanted = sorted(jobs.items())
        gone = [key for key, job in wanted if job is None]
        kept = [(key, *job) for key, job in wanted if job is not None]
        answer = self.pending.answer
        kept_answer = _NO_ANSWER if answer is None else answer
        call = self.pending.call or _NO_CALL
        values = (
            self.now,
            [fact_id for fact_id, *_ in told],
            [waiting.fact.topic for *_, waiting in told],
            [body for _, body, _ in told],
            ["\n".join(waiting.audience) for *_, waiting in told],
            [waiting.expires_at for *_, waiting in told],
            gone,
            [key for key, *_ in kept],
            [kind for _, kind, *_ in kept],
            [due_at for _, _, due_at, _ in kept],
            [payload for *_, payload in kept],
            *kept_answer,
            *(self.pending.job or (None, None)),
            *call.args,
        )
        sql = _write_sql(call.function, len(call.args), fills=call.fills)
        return sql, values, min((due_at for _, _, due_at, _ in kept), default=None)


_WRITE = """
    tx_write($1, $2::text[], $3::text[], $4::text[], $5::text[], $6, $7::text[], $8::text[], $9::text[], $10,
             $11::text[], $12, $13, $14, $15, $16, $17, $18, $19, {fills})
"""


@cache
def _write_sql(function: str, arguments: int, *, fills: bool) -> str:
    """The tail, after a last call if there is one: columns are computed from left to right."""
    write = _WRITE.format(fills="done.fills" if fills else "NULL")
    if not function:
        return f"SELECT {write}"
    call = f"{function}({', '.join(f'${n}' for n in range(20, 20 + arguments))})"
    if not fills:
        return f"SELECT {call}, {write}"
    return f"SELECT done.outcome, done.fills, CASE WHEN done.is_told THEN {write} END AS is_written FROM {call} AS done"
