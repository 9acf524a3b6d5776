"""The SQL that puts a day's bill beside our records and the book; all but a few of a million lines never leave it.

One pass over both sides leaves out what agrees in everything; what is left is looked at line by line and judged in
Python (`model.judge`), at most `PAIRS_MAX` of it: who has more has no use for a list. The sums beside it are taken
without looking at single lines, so they prove that none was lost (`Sums.unexplained_fen`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rest.money import ledger
from rest.money.channels.bills import BillLine, LineKind, LineState
from rest.money.reconciliation.model import Pair, Run, Sums
from storage.tx import Tx

PAIRS_MAX = 20_000
LONG = {"statement_timeout": "300s", "enable_seqscan": "on", "work_mem": "128MB"}
"""Of a transaction that reads a whole day; everything else here is found by an index, and soon."""
OWN_KINDS = "('channel_fee', 'reconciled', 'suspense_assigned', 'split_done', 'split_returned')"
"""Transfers over a clearing account that are in no bill of payments and refunds, as the index of them says it."""

_LINE_COLUMNS = (
    "channel", "day", "n", "kind", "key", "out_trade_no", "trade_no", "amount_fen", "fee_fen", "at", "state", "is_ours",
)  # fmt: skip

# The entries of an account in a time. A place below the first stretch that reaches into it holds nothing of it.
_ENTRIES = """
    FROM ledger_accounts AS account
    JOIN ledger_entries AS e ON e.account_id = account.id AND e.at >= $2 AND e.at < $3
                            AND e.place > coalesce(
                                (SELECT min(from_place) FROM ledger_checkpoints
                                  WHERE account_id = account.id AND last_at >= $2),
                                (SELECT max(upto_place) FROM ledger_checkpoints WHERE account_id = account.id), 0)"""

# Those that are somebody's payment or refund, by the key that bills know them by.
_BOOKED = f"""
    SELECT e.amount_fen, e.at, t.ref,
           CASE WHEN e.amount_fen < 0 THEN 'payment' ELSE 'refund' END AS kind,
           CASE WHEN t.ref LIKE '%:received' THEN coalesce(a.trade_no, t.ref)
                WHEN t.ref LIKE '%:done' THEN split_part(t.ref, ':', 1)
                WHEN t.ref LIKE '%:suspense' THEN split_part(t.ref, ':', 2) ELSE t.ref END AS key,
           coalesce(a.payment_id, '') AS payment_id, a.state
      {_ENTRIES}
      JOIN ledger_transfers AS t ON t.id = e.transfer_id AND t.kind NOT IN {OWN_KINDS}
      LEFT JOIN channel_attempts AS a ON t.ref LIKE '%:received' AND a.payment_id = split_part(t.ref, ':', 1)
     WHERE account.code = $1"""


async def be_patient(tx: Tx) -> None:
    """For this transaction alone."""
    for name, value in LONG.items():
        await tx.fetchval("SELECT set_config($1, $2, true)", name, value)


async def take_turns(tx: Tx, channel: str) -> None:
    """One comparison of a channel at a time: each looks at the days beside it."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"reconciliation:{channel}")


# The bill


async def forget_bill(tx: Tx, run: Run) -> None:
    await be_patient(tx)
    await tx.execute("DELETE FROM channel_bill_lines WHERE channel = $1 AND day = $2", run.channel, run.period_on)


async def copy_bill(tx: Tx, run: Run, lines: Iterable[BillLine], *, first_n: int, merchant: str) -> None:
    """Add these lines to the day's; `merchant` is who we are in them."""
    records = (
        (run.channel, run.period_on, n, line.kind, line.out_refund_no or line.trade_no, line.out_trade_no,
         line.trade_no, line.amount_fen, line.fee_fen, line.at, line.state, line.merchant == merchant)
        for n, line in enumerate(lines, start=first_n)
    )  # fmt: skip
    await tx.copy_records("channel_bill_lines", _LINE_COLUMNS, records)


async def learn(tx: Tx) -> None:
    """Statistics of a big bill just copied: without them its comparison is planned for an empty table."""
    await tx.execute("ANALYZE channel_bill_lines")


# Both sides


async def sums(tx: Tx, run: Run) -> Sums:
    """The day's, each side by itself; the gap is not known yet."""
    bill = await tx.fetchrow(
        """
        SELECT count(*)::int AS line_count,
               coalesce(sum(amount_fen) FILTER (WHERE kind = 'payment'), 0)::bigint AS paid,
               coalesce(sum(amount_fen) FILTER (WHERE kind = 'refund'), 0)::bigint AS refunded,
               coalesce(sum(fee_fen), 0)::bigint AS fee
          FROM channel_bill_lines WHERE channel = $1 AND day = $2 AND is_ours AND state = 'done'
        """,
        run.channel,
        run.period_on,
    )
    own = await own_moves(tx, ledger.clearing(run.channel), *run.span)
    book = await tx.fetchrow(
        f"""
        SELECT coalesce(-sum(e.amount_fen) FILTER (WHERE e.amount_fen < 0), 0)::bigint AS taken,
               coalesce(sum(e.amount_fen) FILTER (WHERE e.amount_fen > 0), 0)::bigint AS given
        {_ENTRIES} WHERE account.code = $1
        """,
        ledger.clearing(run.channel),
        *run.span,
    )
    return Sums(
        line_count=bill["line_count"],
        bill_paid_fen=bill["paid"],
        bill_refunded_fen=bill["refunded"],
        fee_fen=bill["fee"],
        book_paid_fen=book["taken"] - own.taken_fen,
        book_refunded_fen=book["given"] - own.given_fen,
    )


@dataclass(frozen=True, slots=True)
class Moves:
    """What an account was moved by, down and up."""

    taken_fen: int
    given_fen: int


async def own_moves(tx: Tx, code: str, begin: datetime, after: datetime) -> Moves:
    """What transfers that are in no bill moved the account by. There are few, and an index of their own finds them."""
    row = await tx.fetchrow(
        f"""
        SELECT coalesce(-sum(e.amount_fen) FILTER (WHERE e.amount_fen < 0), 0)::bigint AS taken,
               coalesce(sum(e.amount_fen) FILTER (WHERE e.amount_fen > 0), 0)::bigint AS given
          FROM ledger_transfers AS t
          JOIN ledger_entries AS e ON e.transfer_id = t.id
         WHERE t.kind IN {OWN_KINDS} AND t.at >= $2 AND t.at < $3
           AND e.account_id = (SELECT id FROM ledger_accounts WHERE code = $1)
        """,
        code,
        begin,
        after,
    )
    return Moves(row["taken"], row["given"])


async def pairs(tx: Tx, run: Run, fee_bps: int) -> list[Pair]:
    """All of the day that does not agree in everything: first found in one pass over both sides, then looked at."""
    unlike = await _unlike(tx, run, fee_bps)
    lines = [row["n"] for row in unlike if row["n"] is not None]
    lines += await _repeated(tx, run)
    booked = [_booked(row) for row in unlike if row["n"] is None]
    return [*await _billed_pairs(tx, run, lines), *booked]


async def _unlike(tx: Tx, run: Run, fee_bps: int) -> list[Any]:
    """Numbers of lines that do not agree with a booking of their day, and bookings that have no line in its bill."""
    return await tx.fetch(
        f"""
        WITH unlike AS (
            SELECT l.n, b.kind, b.key, b.payment_id, b.state, b.amount_fen, b.at, b.ref
              FROM (SELECT * FROM channel_bill_lines WHERE channel = $4 AND day = $5) AS l
              FULL JOIN ({_BOOKED}) AS b ON b.kind = l.kind AND b.key = l.key
             WHERE (l.is_ours AND l.state = 'done' AND l.amount_fen = abs(b.amount_fen)
                    AND CASE l.kind WHEN 'payment' THEN l.fee_fen = (l.amount_fen * $6 + 5000) / 10000
                                    ELSE abs(l.fee_fen + (l.amount_fen * $6 + 5000) / 10000) <= 1 END) IS NOT TRUE
             LIMIT $7)
        SELECT u.*, CASE WHEN u.n IS NULL THEN
                    (SELECT min(o.day) FROM channel_bill_lines AS o
                      WHERE o.channel = $4 AND o.kind = u.kind AND o.key = u.key) END AS billed_on
          FROM unlike AS u ORDER BY u.n, u.at, u.ref
        """,
        ledger.clearing(run.channel),
        *run.span,
        run.channel,
        run.period_on,
        fee_bps,
        PAIRS_MAX,
    )


async def _repeated(tx: Tx, run: Run) -> list[int]:
    """Lines whose key the day's bill has twice, or whose booking a bill of another day has shown to be its own."""
    rows = await tx.fetch(
        """
        WITH twice AS MATERIALIZED (
            SELECT kind, key FROM channel_bill_lines WHERE channel = $1 AND day = $2
             GROUP BY kind, key HAVING count(*) > 1 LIMIT $5)
        SELECT l.n FROM channel_bill_lines AS l JOIN twice USING (kind, key) WHERE l.channel = $1 AND l.day = $2
        UNION
        SELECT l.n FROM reconciliation_differences AS d
          JOIN channel_bill_lines AS l
            ON l.channel = d.channel AND l.kind = d.line_kind AND l.key = d.key AND l.day = $2
         WHERE d.channel = $1 AND d.class = 'date' AND d.line_n > 0 AND d.booked_at >= $3 AND d.booked_at < $4
        """,
        run.channel,
        run.period_on,
        *run.span,
        PAIRS_MAX,
    )
    return [row["n"] for row in rows]


async def _billed_pairs(tx: Tx, run: Run, lines: Sequence[int]) -> list[Pair]:
    """These lines of the day's bill with all that is known here of each.

    A line's booking is that of suspense where its trade was parked, for that was first; else the attempt's, else the
    refund's. An attempt that was paid by another trade is none of this one's.
    """
    rows = await tx.fetch(
        """
        SELECT l.*, coalesce(a.state, r.state) AS record_state, a.trade_no AS record_trade_no, e.at AS booked_at,
               CASE l.kind WHEN 'payment' THEN -e.amount_fen ELSE e.amount_fen END AS book_fen,
               EXISTS (SELECT FROM channel_bill_lines AS o
                        WHERE o.channel = l.channel AND o.kind = l.kind AND o.key = l.key
                          AND (o.day, o.n) < (l.day, l.n) AND o.is_ours AND o.state = 'done') AS again
          FROM channel_bill_lines AS l
          LEFT JOIN channel_attempts AS a
                 ON l.kind = 'payment' AND a.payment_id = l.out_trade_no AND a.channel = l.channel
          LEFT JOIN channel_refunds AS r ON l.kind = 'refund' AND r.id = l.key AND r.channel = l.channel
          LEFT JOIN ledger_transfers AS s
                 ON l.kind = 'payment' AND s.ref = l.channel || ':' || l.key || ':suspense'
          LEFT JOIN ledger_transfers AS t
                 ON t.ref = CASE WHEN l.kind = 'refund' THEN l.key || ':done'
                                 WHEN a.trade_no = l.key THEN a.payment_id || ':received' END
          LEFT JOIN ledger_entries AS e
                 ON e.transfer_id = coalesce(s.id, t.id)
                AND e.account_id = (SELECT id FROM ledger_accounts WHERE code = $3)
         WHERE l.channel = $1 AND l.day = $2 AND l.n = ANY ($4::int[])
         ORDER BY l.n
        """,
        run.channel,
        run.period_on,
        ledger.clearing(run.channel),
        sorted(set(lines)),
    )
    return [_billed(row) for row in rows]


def _billed(row: Any) -> Pair:  # noqa: ANN401 - a row
    return Pair(
        line_kind=LineKind(row["kind"]),
        key=row["key"],
        out_trade_no=row["out_trade_no"],
        trade_no=row["trade_no"],
        line_n=row["n"],
        bill_fen=row["amount_fen"],
        fee_fen=row["fee_fen"],
        billed_at=row["at"],
        bill_state=LineState(row["state"]),
        is_ours=row["is_ours"],
        is_repeat=row["again"],
        record_state=row["record_state"],
        record_trade_no=row["record_trade_no"],
        book_fen=row["book_fen"],
        booked_at=row["booked_at"],
    )


def _booked(row: Any) -> Pair:  # noqa: ANN401 - a row
    is_payment = row["kind"] == LineKind.PAYMENT
    return Pair(
        line_kind=LineKind(row["kind"]),
        key=row["key"],
        out_trade_no=row["payment_id"],
        trade_no=row["key"] if is_payment else "",
        record_state=row["state"],
        book_fen=abs(row["amount_fen"]),
        booked_at=row["at"],
        billed_on=row["billed_on"],
    )
