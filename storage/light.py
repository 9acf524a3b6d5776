"""Light transactions: nothing but their tail, and those that wait at the same moment are one commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from storage.base import codec
from storage.base.facts import Fact
from storage.batches import Batches
from storage.tx import Given, LastCall, Pending, Tx, Wants

BUSY = "busy"
"""What a function answers that somebody's lock would have kept waiting, and with it all of its batch."""


class LightTx(Tx):
    """A transaction that is nothing but its tail: what it reads before locks nothing, and it writes only at the end.

    In READ COMMITTED each read sees its own snapshot anyway, so this is the same transaction with three trips less.
    A read borrows a connection and gives it back: else all could be held by those who wait for one to end with.
    """

    __slots__ = ("_batches", "_subscribed", "due_at", "has_told", "is_over")

    def __init__(self, pool: Any, now: datetime, batches: Batches, subscribed: Mapping[str, Wants]) -> None:  # noqa: ANN401 - asyncpg has no types
        super().__init__(pool, now)
        self._batches = batches
        self._subscribed = subscribed
        self.is_over = False
        self.has_told = False
        self.due_at: datetime | None = None

    async def call_and_tell(self, function: str, *args: Any, fact: Fact, to: Sequence[str]) -> Given:  # noqa: ANN401 - SQL values
        """As in any transaction, but with the end of this one: nobody waits for a lock together with others."""
        assert not self.pending, "this is all that a light transaction does"  # noqa: S101 - a mistake of ours
        self.tell(fact, to=to)
        self.pending.call = LastCall(function, (*args, False), fills=True)
        row = await self.end()
        if row["outcome"] == BUSY:
            self.pending.call = LastCall(function, (*args, True), fills=True)
            row = await self._send(self._connection.fetchrow)
        self.pending = Pending()
        self.has_told = row["is_written"] is not None
        self.due_at = self.due_at if self.has_told else None
        return row["outcome"], codec.loads(row["fills"] or "{}")

    async def end(self) -> Any:  # noqa: ANN401 - a row
        """Send the tail, in a batch with others; its row. Once."""
        assert not self.is_over, "a light transaction was over, and went on"  # noqa: S101 - a mistake of ours
        self.is_over = True
        return await self._send(lambda sql, *values: self._batches.write(sql, values))

    async def _send(self, send: Callable[..., Awaitable[Any]]) -> Any:  # noqa: ANN401 - a row
        sql, values, self.due_at = self.tail(self._subscribed)
        self.has_told = bool(self.pending.facts)
        return await send(sql, *values)

    async def fetch(self, sql: str, *args: Any) -> list[Any]:  # noqa: ANN401 - SQL values
        return await super().fetch(_reading(sql), *args)

    async def fetchrow(self, sql: str, *args: Any) -> Any:  # noqa: ANN401 - SQL values
        return await super().fetchrow(_reading(sql), *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:  # noqa: ANN401 - SQL values
        return await super().fetchval(_reading(sql), *args)

    async def execute(self, sql: str, *args: Any) -> int:  # noqa: ANN401, ARG002 - SQL values
        raise AssertionError(f"a light transaction writes only at its end: {sql}")

    async def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:  # noqa: ARG002
        raise AssertionError(f"a light transaction writes only at its end: {sql}")

    async def copy_records(self, table: str, columns: Sequence[str], records: Iterable[Sequence[Any]]) -> None:  # noqa: ARG002
        raise AssertionError(f"a light transaction writes only at its end: {table}")


@cache
def _reading(sql: str) -> str:
    words = sql.upper().split()
    if words[0] != "SELECT" or "FOR" in words:
        raise AssertionError(f"a light transaction locks and writes nothing before its end: {sql}")
    return sql
