"""SQL of feedback: one statement per function."""

from __future__ import annotations

from datetime import date
from typing import Any

from rest.desk.feedback.model import DAY_MAX, Feedback, FeedbackState, Side
from storage.tx import Tx

COLUMNS = """id, account_id, side, tenant_id, kind, body, file_ids, state, reply, handled_by, replied_at, day,
             created_at, changed_at, version"""


def _feedback(row: Any) -> Feedback:  # noqa: ANN401 - a row
    fields = dict(row.items())
    states = {"side": Side(row["side"]), "state": FeedbackState(row["state"]), "file_ids": tuple(row["file_ids"])}
    return Feedback(**{**fields, **states})


async def add(tx: Tx, new: Feedback) -> bool:
    """Unless the account has sent as many as it may that day; those sent at once wait for each other."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('feedback'), hashtext($1))", new.account_id)
    written = await tx.execute(
        """
        INSERT INTO feedback (id, account_id, side, tenant_id, kind, body, file_ids, state, day, day_no, created_at,
                              changed_at)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, sent.n + 1, $10, $10
          FROM (SELECT count(*) AS n FROM feedback WHERE account_id = $2 AND day = $9) AS sent
         WHERE sent.n < $11
        """,
        new.id,
        new.account_id,
        new.side.value,
        new.tenant_id,
        new.kind,
        new.body,
        list(new.file_ids),
        new.state.value,
        new.day,
        new.created_at,
        DAY_MAX,
    )
    return written == 1


async def find(tx: Tx, feedback_id: str, *, account_id: str | None = None, lock: bool = False) -> Feedback | None:
    row = await tx.fetchrow(
        f"""
        SELECT {COLUMNS} FROM feedback WHERE id = $1 AND ($2::text IS NULL OR account_id = $2)
        {"FOR NO KEY UPDATE" if lock else ""}
        """,
        feedback_id,
        account_id,
    )
    return None if row is None else _feedback(row)


async def save(tx: Tx, after: Feedback) -> None:
    """The row is locked by the caller."""
    await tx.execute(
        """
        UPDATE feedback SET state = $2, reply = $3, replied_at = $4, handled_by = $5, changed_at = $6, version = $7
         WHERE id = $1 AND version = $7 - 1
        """,
        after.id,
        after.state.value,
        after.reply,
        after.replied_at,
        after.handled_by,
        after.changed_at,
        after.version,
    )


async def page(
    tx: Tx,
    *,
    account_id: str | None = None,
    kind: str | None = None,
    state: str | None = None,
    side: str | None = None,
    before_id: str,
    limit: int,
) -> list[Feedback]:
    """Newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {COLUMNS} FROM feedback
         WHERE id < $1 AND ($2::text IS NULL OR account_id = $2) AND ($3::text IS NULL OR kind = $3)
           AND ($4::text IS NULL OR state = $4) AND ($5::text IS NULL OR side = $5)
         ORDER BY id DESC LIMIT $6
        """,
        before_id,
        account_id,
        kind,
        state,
        side,
        limit,
    )
    return [_feedback(row) for row in rows]


async def tally(tx: Tx, since: date, until: date) -> list[tuple[date, str, str, int]]:
    """(first day of the month, kind, state, how many) of what was sent on these days."""
    rows = await tx.fetch(
        """
        SELECT date_trunc('month', day)::date AS month, kind, state, count(*)::int AS n FROM feedback
         WHERE day BETWEEN $1 AND $2 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """,
        since,
        until,
    )
    return [(row["month"], row["kind"], row["state"], row["n"]) for row in rows]
