"""SQL of announcements and help documents: one statement per function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rest.desk.content.model import Announcement, HelpDocument
from storage.base import codec
from storage.tx import Tx

ANNOUNCEMENT = "id, title, body, audiences, begins_at, ends_at, created_by, created_at, changed_at, withdrawn, version"
DOCUMENT = "id, category, place, title, body, published, changed_by, created_at, changed_at, version"


def _announcement(row: Any) -> Announcement:  # noqa: ANN401 - a row
    fields = {**dict(row.items()), **_texts(row), "audiences": tuple(row["audiences"])}
    return Announcement(**fields)


def _document(row: Any) -> HelpDocument:  # noqa: ANN401 - a row
    return HelpDocument(**{**dict(row.items()), **_texts(row)})


def _texts(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row
    return {name: codec.loads(row[name]) for name in ("title", "body")}


def _json(texts: Mapping[str, str]) -> str:
    return codec.dumps(dict(texts)).decode()


async def save_announcement(tx: Tx, one: Announcement) -> bool:
    """Made, or changed from the version before."""
    written = await tx.execute(
        f"""
        INSERT INTO announcements AS a ({ANNOUNCEMENT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (id) DO UPDATE
           SET title = $2, body = $3, audiences = $4, begins_at = $5, ends_at = $6, changed_at = $9, withdrawn = $10,
               version = $11
         WHERE a.version = $11 - 1
        """,
        one.id,
        _json(one.title),
        _json(one.body),
        list(one.audiences),
        one.begins_at,
        one.ends_at,
        one.created_by,
        one.created_at,
        one.changed_at,
        one.withdrawn,
        one.version,
    )
    return written == 1


async def announcement(tx: Tx, announcement_id: str, *, lock: bool = False) -> Announcement | None:
    row = await tx.fetchrow(
        f"SELECT {ANNOUNCEMENT} FROM announcements WHERE id = $1 {'FOR NO KEY UPDATE' if lock else ''}", announcement_id
    )
    return None if row is None else _announcement(row)


async def announcements(tx: Tx, *, before_id: str, limit: int) -> list[Announcement]:
    """All, newest first."""
    rows = await tx.fetch(
        f"SELECT {ANNOUNCEMENT} FROM announcements WHERE id < $1 ORDER BY id DESC LIMIT $2", before_id, limit
    )
    return [_announcement(row) for row in rows]


async def announced(tx: Tx, parts: Sequence[str], *, before_id: str, limit: int) -> list[Announcement]:
    """What is shown to somebody of these parts now, newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {ANNOUNCEMENT} FROM announcements
         WHERE id < $1 AND NOT withdrawn AND ends_at > $2 AND begins_at <= $2 AND audiences && $3::text[]
         ORDER BY id DESC LIMIT $4
        """,
        before_id,
        tx.now,
        list(parts),
        limit,
    )
    return [_announcement(row) for row in rows]


async def save_document(tx: Tx, one: HelpDocument) -> bool:
    """Made, or changed from the version before."""
    written = await tx.execute(
        f"""
        INSERT INTO help_documents AS d ({DOCUMENT}, terms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (id) DO UPDATE
           SET category = $2, place = $3, title = $4, body = $5, published = $6, changed_by = $7, changed_at = $9,
               version = $10, terms = $11
         WHERE d.version = $10 - 1
        """,
        one.id,
        one.category,
        one.place,
        _json(one.title),
        _json(one.body),
        one.published,
        one.changed_by,
        one.created_at,
        one.changed_at,
        one.version,
        one.terms,
    )
    return written == 1


async def document(tx: Tx, document_id: str, *, lock: bool = False) -> HelpDocument | None:
    row = await tx.fetchrow(
        f"SELECT {DOCUMENT} FROM help_documents WHERE id = $1 {'FOR NO KEY UPDATE' if lock else ''}", document_id
    )
    return None if row is None else _document(row)


async def delete_document(tx: Tx, document_id: str) -> bool:
    return await tx.execute("DELETE FROM help_documents WHERE id = $1", document_id) == 1


async def documents(
    tx: Tx,
    *,
    category: str | None,
    needles: Sequence[str],
    only_published: bool,
    after: tuple[str, int, str] | None,
    limit: int,
) -> list[HelpDocument]:
    """With all of these words, in the order of their categories."""
    rows = await tx.fetch(
        f"""
        SELECT {DOCUMENT} FROM help_documents
         WHERE ($1::text IS NULL OR category = $1) AND (published OR NOT $2)
           AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS needle WHERE strpos(terms, needle) = 0)
           AND ($4::text IS NULL OR (category, place, id) > ($4, $5::int, $6::text))
         ORDER BY category, place, id LIMIT $7
        """,
        category,
        only_published,
        list(needles),
        *(after or (None, None, None)),
        limit,
    )
    return [_document(row) for row in rows]
