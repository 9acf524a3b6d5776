"""The transaction: the single argument every domain verb takes first.

SQL, the instant, new ids, facts and deadlines all come from here. A `Tx` is opened and committed only at an edge
(route, socket handler, job, relay) by `Database.begin`.

Lock order, everywhere: worker rows (sorted) → order → call → booking → ledger accounts (sorted) → job rows.
Job rows come last by construction: facts and deadlines are written together just before the commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from storage.base import codec
from storage.base.facts import Fact
from storage.base.ids import new_id


@dataclass(frozen=True, slots=True)
class Told:
    """A fact waiting in this transaction for the outbox."""

    fact: Fact
    audience: tuple[str, ...]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What the holder of an idempotency key is answered; `headers` is a JSON text."""

    scope: str
    key: str
    status: int
    headers: str
    body: bytes


@dataclass(slots=True)
class Pending:
    """What a transaction will write just before it commits."""

    facts: list[Told] = field(default_factory=list)
    schedules: dict[str, tuple[str, datetime, dict[str, Any]] | None] = field(default_factory=dict)
    answer: KeptAnswer | None = None

    def __bool__(self) -> bool:
        return bool(self.facts or self.schedules or self.answer)


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

    async def flush(self, subscribed: frozenset[str]) -> datetime | None:
        """Write waiting facts and deadlines; called by `Database` before the commit.

        Returns the earliest due instant written. Facts of a subscribed topic also become a job, in the same
        transaction, so that a subscriber hears of every committed fact and of no other.
        """
        told = [(new_id("fct", self.now), waiting) for waiting in self.pending.facts]
        for fact_id, waiting in told:
            if waiting.fact.topic in subscribed:
                payload = {"topic": waiting.fact.topic, "fact": codec.loads(codec.dumps(waiting.fact))}
                self.schedule("fact.subscribers", f"subscribers:{fact_id}", self.now, payload)
        return await self._write(told)

    async def _write(self, told: list[tuple[str, Told]]) -> datetime | None:
        """One round trip for facts and deadlines: an array per column; audiences as JSON, since they differ in length.

        Deadlines are sorted by key, so that two transactions that touch the same rows take them in the same order.
        """
        wanted = sorted(self.pending.schedules.items())
        gone = [key for key, job in wanted if job is None]
        kept = [(key, *job) for key, job in wanted if job is not None]
        answer = self.pending.answer
        kept_answer = () if answer is None else (answer.scope, answer.key, answer.status, answer.headers, answer.body)
        await self._connection.execute(
            _WRITE if answer is None else _WRITE_WITH_ANSWER,
            self.now,
            [fact_id for fact_id, _ in told],
            [waiting.fact.topic for _, waiting in told],
            [codec.dumps(waiting.fact).decode() for _, waiting in told],
            [codec.dumps(waiting.audience).decode() for _, waiting in told],
            [waiting.expires_at for _, waiting in told],
            gone,
            [key for key, *_ in kept],
            [kind for _, kind, *_ in kept],
            [due_at for _, _, due_at, _ in kept],
            [codec.dumps(payload).decode() for *_, payload in kept],
            *kept_answer,
        )
        return min((due_at for _, _, due_at, _ in kept), default=None)


_WRITE = """
    WITH told AS (
        INSERT INTO outbox (fact_id, topic, body, audience, at, expires_at)
        SELECT fact_id, topic, body, ARRAY(SELECT json_array_elements_text(audience::json)), $1, expires_at
          FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
               WITH ORDINALITY AS waiting (fact_id, topic, body, audience, expires_at, n)
         ORDER BY n
    ), gone AS (
        DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE key = ANY($7) ORDER BY key FOR UPDATE)
    )
    INSERT INTO jobs (key, kind, due_at, first_due_at, payload)
    SELECT key, kind, due_at, due_at, payload
      FROM unnest($8::text[], $9::text[], $10::timestamptz[], $11::text[]) AS job (key, kind, due_at, payload)
    ON CONFLICT (key) DO UPDATE
       SET kind = EXCLUDED.kind, due_at = EXCLUDED.due_at, first_due_at = EXCLUDED.due_at,
           payload = EXCLUDED.payload, attempts = 0, lease = NULL, leased_until = NULL, parked_at = NULL
"""

_WRITE_WITH_ANSWER = _WRITE.replace(
    "    )\n    INSERT INTO jobs",
    """    ), answered AS (
        UPDATE idempotency_keys SET status = $14, headers = $15, body = $16 WHERE scope = $12 AND key = $13
    )
    INSERT INTO jobs""",
)
