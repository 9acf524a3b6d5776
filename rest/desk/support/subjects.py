"""What a conversation is about, as its line shows it to whoever answers: the desk knows no line, lines bring cards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import msgspec
from aiohttp import web

from storage.tx import Tx


class SubjectCard(msgspec.Struct, frozen=True, kw_only=True):
    """An order on one card; money in fen, the title by language. `tenant_id`: whose order it is to serve."""

    kind: str
    id: str
    no: str
    line: str
    title: dict[str, str]
    status: str
    customer_id: str
    worker_id: str | None
    starts_at: datetime | None
    total_fen: int
    paid_fen: int
    refunded_fen: int
    created_at: datetime
    version: int
    tenant_id: str | None = None


ReadCard = Callable[[Tx, str], Awaitable[SubjectCard | None]]

SUBJECTS = web.AppKey("subjects", Mapping[str, ReadCard])
"""Kind of a subject → its card; filled where the application is built."""
