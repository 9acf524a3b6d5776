"""SQL of invoices, their lines, events and titles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from rest.money.invoices.model import (
    AlreadyInvoiced,
    Event,
    Invoice,
    InvoiceLine,
    InvoiceNumberUsed,
    InvoiceState,
    KnownTitle,
    Title,
)
from storage.base import codec
from storage.tx import Tx

_INVOICE = """id, account_id, title, state, tax_bps, amount_fen, tax_fen, needs_red, number, red_number, file_id,
    red_file_id, reason, reissue, replaces_id, version, requested_at, changed_at"""


# Titles


async def insert_title(tx: Tx, new: KnownTitle) -> None:
    title = new.title
    await tx.execute(
        """
        INSERT INTO invoice_titles (id, account_id, kind, name, tax_no, contact, bank, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        new.id,
        new.account_id,
        title.kind,
        title.name,
        title.tax_no,
        title.contact,
        title.bank,
        new.created_at,
    )


async def lock_titles(tx: Tx, account_id: str) -> int:
    """How many the account has; others who add one to it wait."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('invoice_titles'), hashtext($1))", account_id)
    found: int = await tx.fetchval("SELECT count(*) FROM invoice_titles WHERE account_id = $1", account_id)
    return found


async def titles(tx: Tx, account_id: str, *, before_id: str, limit: int) -> list[KnownTitle]:
    rows = await tx.fetch(
        """
        SELECT id, account_id, kind, name, tax_no, contact, bank, created_at FROM invoice_titles
         WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3
        """,
        account_id,
        before_id,
        limit,
    )
    return [_title(row) for row in rows]


async def title(tx: Tx, title_id: str, account_id: str) -> KnownTitle | None:
    row = await tx.fetchrow(
        """
        SELECT id, account_id, kind, name, tax_no, contact, bank, created_at FROM invoice_titles
         WHERE id = $1 AND account_id = $2
        """,
        title_id,
        account_id,
    )
    return None if row is None else _title(row)


async def delete_title(tx: Tx, title_id: str, account_id: str) -> bool:
    return await tx.execute("DELETE FROM invoice_titles WHERE id = $1 AND account_id = $2", title_id, account_id) == 1


def _title(row: Any) -> KnownTitle:  # noqa: ANN401 - a row
    made_out = Title(kind=row["kind"], name=row["name"], tax_no=row["tax_no"], contact=row["contact"], bank=row["bank"])
    return KnownTitle(row["id"], row["account_id"], made_out, row["created_at"])


# Invoices


async def insert(tx: Tx, new: Invoice) -> None:
    """Raises AlreadyInvoiced; nothing else may be done in the transaction then."""
    await tx.execute(
        f"""
        INSERT INTO invoices ({_INVOICE})
        VALUES ($1, $2, $3::jsonb, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        """,
        new.id,
        new.account_id,
        codec.dumps(new.title).decode(),
        new.state.value,
        new.tax_bps,
        new.amount_fen,
        new.tax_fen,
        new.needs_red,
        new.number,
        new.red_number,
        new.file_id,
        new.red_file_id,
        new.reason,
        new.reissue,
        new.replaces_id,
        new.version,
        new.requested_at,
        new.changed_at,
    )
    # In the order of the subjects, so that two requests for the same orders wait for each other and never in a circle.
    rows = [
        (new.id, line.n, line.subject_id, line.name, line.amount_fen, line.tax_fen, line.is_live)
        for line in sorted(new.lines, key=lambda line: line.subject_id)
    ]
    try:
        await tx.executemany(
            """
            INSERT INTO invoice_lines (invoice_id, n, subject_id, name, amount_fen, tax_fen, is_live)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            rows,
        )
    except asyncpg.UniqueViolationError:
        raise AlreadyInvoiced from None


async def take_number(tx: Tx, number: str, invoice_id: str) -> None:
    """The number is this invoice's; again, it stays so. Raises InvoiceNumberUsed."""
    await tx.execute(
        "INSERT INTO invoice_numbers (number, invoice_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", number, invoice_id
    )
    if await tx.fetchval("SELECT invoice_id FROM invoice_numbers WHERE number = $1", number) != invoice_id:
        raise InvoiceNumberUsed


async def lock(tx: Tx, invoice_id: str) -> Invoice | None:
    row = await tx.fetchrow(f"SELECT {_INVOICE} FROM invoices WHERE id = $1 FOR NO KEY UPDATE", invoice_id)
    return None if row is None else (await _with_lines(tx, [row]))[0]


async def read(tx: Tx, invoice_id: str) -> Invoice | None:
    row = await tx.fetchrow(f"SELECT {_INVOICE} FROM invoices WHERE id = $1", invoice_id)
    return None if row is None else (await _with_lines(tx, [row]))[0]


async def of_subject(tx: Tx, subject_id: str) -> str | None:
    """The invoice that stands for this."""
    found: str | None = await tx.fetchval(
        "SELECT invoice_id FROM invoice_lines WHERE subject_id = $1 AND is_live", subject_id
    )
    return found


async def save(tx: Tx, moved: Invoice) -> None:
    """Needs the lock."""
    await tx.execute(
        """
        UPDATE invoices SET state = $2, amount_fen = $3, tax_fen = $4, needs_red = $5, number = $6, red_number = $7,
                            file_id = $8, red_file_id = $9, reason = $10, reissue = $11, version = $12, changed_at = $13
         WHERE id = $1
        """,
        moved.id,
        moved.state.value,
        moved.amount_fen,
        moved.tax_fen,
        moved.needs_red,
        moved.number,
        moved.red_number,
        moved.file_id,
        moved.red_file_id,
        moved.reason,
        moved.reissue,
        moved.version,
        moved.changed_at,
    )
    await tx.execute(
        """
        UPDATE invoice_lines AS line SET amount_fen = new.amount_fen, tax_fen = new.tax_fen, is_live = new.is_live
          FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::bool[]) AS new (n, amount_fen, tax_fen, is_live)
         WHERE line.invoice_id = $1 AND line.n = new.n
        """,
        moved.id,
        [line.n for line in moved.lines],
        [line.amount_fen for line in moved.lines],
        [line.tax_fen for line in moved.lines],
        [line.is_live for line in moved.lines],
    )


async def page(
    tx: Tx,
    *,
    before_id: str,
    limit: int,
    account_id: str | None = None,
    state: InvoiceState | None = None,
    needs_red: bool | None = None,
) -> list[Invoice]:
    """Newest first, older than `before_id`."""
    rows = await tx.fetch(
        f"""
        SELECT {_INVOICE} FROM invoices
         WHERE id < $1 AND ($3::text IS NULL OR account_id = $3) AND ($4::text IS NULL OR state = $4)
           AND ($5::bool IS NULL OR needs_red = $5)
         ORDER BY id DESC
         LIMIT $2
        """,
        before_id,
        limit,
        account_id,
        None if state is None else state.value,
        needs_red,
    )
    return await _with_lines(tx, rows)


async def _with_lines(tx: Tx, rows: Sequence[Any]) -> list[Invoice]:
    found = await tx.fetch(
        """
        SELECT invoice_id, n, subject_id, name, amount_fen, tax_fen, is_live
          FROM invoice_lines WHERE invoice_id = ANY($1) ORDER BY invoice_id, n
        """,
        [row["id"] for row in rows],
    )
    lines: dict[str, list[InvoiceLine]] = {row["id"]: [] for row in rows}
    for one in found:
        values = dict(one)
        lines[values.pop("invoice_id")].append(InvoiceLine(**values))
    return [_invoice(row, lines[row["id"]]) for row in rows]


def _invoice(row: Any, lines: Sequence[InvoiceLine]) -> Invoice:  # noqa: ANN401 - a row
    values = dict(row)
    values["title"] = msgspec.convert(codec.loads(values["title"]), Title)
    values["state"] = InvoiceState(values["state"])
    return Invoice(**values, lines=tuple(lines))


async def insert_event(tx: Tx, event: Event) -> None:
    await tx.execute(
        """
        INSERT INTO invoice_events (invoice_id, n, at, actor, verb, from_state, to_state, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        event.invoice_id,
        event.n,
        event.at,
        event.actor,
        event.verb,
        event.from_state,
        event.to_state,
        event.detail,
    )


async def events(tx: Tx, invoice_id: str, *, limit: int = 200) -> list[Event]:
    """Oldest first."""
    rows = await tx.fetch(
        """
        SELECT invoice_id, n, at, actor, verb, from_state, to_state, detail
          FROM invoice_events WHERE invoice_id = $1 ORDER BY n LIMIT $2
        """,
        invoice_id,
        limit,
    )
    return [Event(**dict(row)) for row in rows]
