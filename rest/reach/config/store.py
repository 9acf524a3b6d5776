"""SQL of templates and rules: one statement per function."""

from __future__ import annotations

from collections.abc import Mapping

from rest.reach.config.model import NOTHING_OFF, NoticeRules, Template
from rest.reach.words import Words
from storage.tx import Tx

TEMPLATE = "kind, language, version, title, body, created_by, created_at"
RULES = "version, off, hour_max, created_by, created_at"

_NEWEST = f"""
    SELECT DISTINCT ON (kind, language) {TEMPLATE} FROM notice_templates ORDER BY kind, language, version DESC
"""


async def published(tx: Tx) -> Mapping[tuple[str, str], Words]:
    """What is said instead of the usual words, by kind and language."""
    rows = await tx.fetch(f"SELECT kind, language, title, body FROM ({_NEWEST}) AS t WHERE title IS NOT NULL")
    return {(row["kind"], row["language"]): Words(row["title"], row["body"]) for row in rows}


async def newest(tx: Tx) -> dict[tuple[str, str], Template]:
    """The newest version of each template that ever was published."""
    rows = await tx.fetch(_NEWEST)
    return {(row["kind"], row["language"]): Template(**dict(row.items())) for row in rows}


async def add_template(tx: Tx, new: Template) -> bool:
    """Unless there is another newest one than that it was written after."""
    written = await tx.execute(
        f"""
        INSERT INTO notice_templates ({TEMPLATE})
        SELECT $1, $2, $3, $4, $5, $6, $7
         WHERE $3 - 1 = (SELECT coalesce(max(version), 0) FROM notice_templates WHERE kind = $1 AND language = $2)
        ON CONFLICT DO NOTHING
        """,
        new.kind,
        new.language,
        new.version,
        new.title,
        new.body,
        new.created_by,
        new.created_at,
    )
    return written == 1


async def versions(tx: Tx, kind: str, language: str, *, before: int | None, limit: int) -> list[Template]:
    """Newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {TEMPLATE} FROM notice_templates
         WHERE kind = $1 AND language = $2 AND ($3::int IS NULL OR version < $3) ORDER BY version DESC LIMIT $4
        """,
        kind,
        language,
        before,
        limit,
    )
    return [Template(**dict(row.items())) for row in rows]


async def rules(tx: Tx) -> NoticeRules:
    """Those that count now."""
    row = await tx.fetchrow(f"SELECT {RULES} FROM notice_rules ORDER BY version DESC LIMIT 1")
    return NOTHING_OFF if row is None else NoticeRules(**{**dict(row.items()), "off": frozenset(row["off"])})


async def add_rules(tx: Tx, new: NoticeRules) -> bool:
    """Unless this version is taken."""
    written = await tx.execute(
        f"INSERT INTO notice_rules ({RULES}) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        new.version,
        sorted(new.off),
        new.hour_max,
        new.created_by,
        new.created_at,
    )
    return written == 1
