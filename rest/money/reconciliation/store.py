"""SQL of comparisons and differences: one function per statement. `matching` has what compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from rest.money.channels.bills import LineKind
from rest.money.reconciliation.model import (
    Difference,
    DifferenceKind,
    DifferenceState,
    Resolution,
    Run,
    RunKind,
    RunState,
    Sums,
)
from storage.postgres import RetryTx
from storage.tx import Tx

AFTER_ALL_DAYS = date(9999, 1, 1)

_SUMS = tuple(Sums.__dataclass_fields__)
_RUN = f"""id, kind, channel, period_on, state, {", ".join(_SUMS)}, difference_count, open_count, fee_booked_fen,
    problem, claimed_until, version, created_at, ended_at"""
_DIFFERENCE = """id, reconciliation_id, channel, class, state, line_kind, key, line_n, out_trade_no, trade_no, bill_fen,
    book_fen, fee_fen, expected_fee_fen, effect_fen, gap_fen, billed_at, booked_at, record_state, resolution, reason,
    by_id, version, found_at, resolved_at"""


def _run(row: Any) -> Run | None:  # noqa: ANN401 - a row
    if row is None:
        return None
    values = dict(row)
    sums = Sums(**{name: values.pop(name) for name in _SUMS})
    kind, state = RunKind(values.pop("kind")), RunState(values.pop("state"))
    return Run(kind=kind, state=state, sums=sums, **values)


def _difference(row: Any) -> Difference | None:  # noqa: ANN401 - a row
    if row is None:
        return None
    values = dict(row)
    resolution = values.pop("resolution")
    return Difference(
        kind=DifferenceKind(values.pop("class")),
        state=DifferenceState(values.pop("state")),
        line_kind=LineKind(values.pop("line_kind")),
        resolution=None if resolution is None else Resolution(resolution),
        **values,
    )


# Runs


async def insert_run(tx: Tx, run_id: str, kind: RunKind, channel: str, period_on: date) -> bool:
    """False when there is one of this period."""
    return bool(
        await tx.execute(
            """
            INSERT INTO reconciliations (id, kind, channel, period_on, state, created_at)
            VALUES ($1, $2, $3, $4, 'waiting', $5) ON CONFLICT (channel, kind, period_on) DO NOTHING
            """,
            run_id,
            kind.value,
            channel,
            period_on,
            tx.now,
        )
    )


async def run_of(tx: Tx, kind: RunKind, channel: str, period_on: date) -> Run | None:
    return _run(
        await tx.fetchrow(
            f"SELECT {_RUN} FROM reconciliations WHERE channel = $1 AND kind = $2 AND period_on = $3",
            channel,
            kind.value,
            period_on,
        )
    )


async def read_run(tx: Tx, run_id: str) -> Run | None:
    return _run(await tx.fetchrow(f"SELECT {_RUN} FROM reconciliations WHERE id = $1", run_id))


async def lock_run(tx: Tx, run_id: str) -> Run | None:
    return _run(await tx.fetchrow(f"SELECT {_RUN} FROM reconciliations WHERE id = $1 FOR UPDATE", run_id))


async def save_run(tx: Tx, run: Run) -> None:
    """Write what may change, over exactly the version before. Raises RetryTx."""
    sums = asdict(run.sums)
    places = ", ".join(f"{name} = ${n}" for n, name in enumerate(_SUMS, start=11))
    written = await tx.execute(
        f"""
        UPDATE reconciliations
           SET version = $2, state = $3, difference_count = $4, open_count = $5, fee_booked_fen = $6, problem = $7,
               claimed_until = $8, ended_at = $9, unexplained_fen = $10, {places}
         WHERE id = $1 AND version = $2 - 1
        """,
        run.id,
        run.version,
        run.state.value,
        run.difference_count,
        run.open_count,
        run.fee_booked_fen,
        run.problem,
        run.claimed_until,
        run.ended_at,
        run.sums.unexplained_fen,
        *(sums[name] for name in _SUMS),
    )
    if written == 0:
        raise RetryTx


async def earlier_is_waiting(tx: Tx, run: Run) -> bool:
    """Whether a day before this one still waits for its bill: then nobody knows yet what crossed the midnight."""
    found: bool = await tx.fetchval(
        """
        SELECT EXISTS (SELECT FROM reconciliations
                        WHERE channel = $1 AND kind = 'daily' AND period_on < $2 AND state = 'waiting')
        """,
        run.channel,
        run.period_on,
    )
    return found


async def next_waiting(tx: Tx, channel: str) -> Run | None:
    """The first day that may have waited for this one; a month when there is no such day."""
    return _run(
        await tx.fetchrow(
            f"""
            SELECT {_RUN} FROM reconciliations
             WHERE channel = $1 AND state = 'waiting' ORDER BY kind = 'monthly', period_on LIMIT 1
            """,
            channel,
        )
    )


async def last_day(tx: Tx, channel: str) -> date | None:
    day: date | None = await tx.fetchval(
        "SELECT max(period_on) FROM reconciliations WHERE channel = $1 AND kind = 'daily'", channel
    )
    return day


async def page_runs(
    tx: Tx,
    *,
    before: tuple[date, str],
    limit: int,
    channel: str | None,
    kind: RunKind | None,
    state: RunState | None,
) -> list[Run]:
    """Newest period first."""
    rows = await tx.fetch(
        f"""
        SELECT {_RUN} FROM reconciliations
         WHERE (period_on, id) < ($1, $2) AND ($4::text IS NULL OR channel = $4)
           AND ($5::text IS NULL OR kind = $5) AND ($6::text IS NULL OR state = $6)
         ORDER BY period_on DESC, id DESC LIMIT $3
        """,
        *before,
        limit,
        channel,
        kind,
        state,
    )
    return [run for row in rows if (run := _run(row)) is not None]


async def days_of_month(tx: Tx, channel: str, begin: date, end: date) -> list[Run]:
    rows = await tx.fetch(
        f"""
        SELECT {_RUN} FROM reconciliations
         WHERE channel = $1 AND kind = 'daily' AND period_on >= $2 AND period_on < $3 ORDER BY period_on
        """,
        channel,
        begin,
        end,
    )
    return [run for row in rows if (run := _run(row)) is not None]


async def first_day(tx: Tx, channel: str) -> date | None:
    day: date | None = await tx.fetchval(
        "SELECT min(period_on) FROM reconciliations WHERE channel = $1 AND kind = 'daily'", channel
    )
    return day


# Differences


async def insert_differences(tx: Tx, differences: Sequence[Difference]) -> list[str]:
    """The ids of those that are new: what was resolved before is not found a second time."""
    values = [
        (d.id, d.reconciliation_id, d.channel, d.kind.value, d.state.value, d.line_kind.value, d.key, d.line_n,
         d.out_trade_no, d.trade_no, d.bill_fen, d.book_fen, d.fee_fen, d.expected_fee_fen, d.effect_fen, d.gap_fen,
         d.billed_at, d.booked_at, d.record_state, None if d.resolution is None else d.resolution.value, d.found_at,
         d.resolved_at)
        for d in differences
    ]  # fmt: skip
    await tx.executemany(
        """
        INSERT INTO reconciliation_differences
               (id, reconciliation_id, channel, class, state, line_kind, key, line_n, out_trade_no, trade_no, bill_fen,
                book_fen, fee_fen, expected_fee_fen, effect_fen, gap_fen, billed_at, booked_at, record_state,
                resolution, found_at, resolved_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
        ON CONFLICT (reconciliation_id, line_kind, key, line_n, class) DO NOTHING
        """,
        values,
    )
    rows = await tx.fetch(
        "SELECT id FROM reconciliation_differences WHERE id = ANY ($1::text[])", [d.id for d in differences]
    )
    return [row["id"] for row in rows]


async def forget_differences(tx: Tx, run_id: str) -> None:
    """Of a run that starts again, but for those that have moved money or that a person has resolved."""
    await tx.execute(
        """
        DELETE FROM reconciliation_differences
         WHERE reconciliation_id = $1 AND coalesce(resolution, '') NOT IN ('suspended', 'by_person')
        """,
        run_id,
    )


async def read_difference(tx: Tx, difference_id: str) -> Difference | None:
    return _difference(
        await tx.fetchrow(f"SELECT {_DIFFERENCE} FROM reconciliation_differences WHERE id = $1", difference_id)
    )


async def lock_difference(tx: Tx, difference_id: str) -> Difference | None:
    return _difference(
        await tx.fetchrow(
            f"SELECT {_DIFFERENCE} FROM reconciliation_differences WHERE id = $1 FOR UPDATE", difference_id
        )
    )


async def save_difference(tx: Tx, difference: Difference) -> None:
    """Write what may change, over exactly the version before. Raises RetryTx."""
    written = await tx.execute(
        """
        UPDATE reconciliation_differences
           SET version = $2, class = $3, state = $4, resolution = $5, reason = $6, by_id = $7, resolved_at = $8
         WHERE id = $1 AND version = $2 - 1
        """,
        difference.id,
        difference.version,
        difference.kind.value,
        difference.state.value,
        None if difference.resolution is None else difference.resolution.value,
        difference.reason,
        difference.by_id,
        difference.resolved_at,
    )
    if written == 0:
        raise RetryTx


async def lock_unresolved(tx: Tx, channel: str, kinds: Sequence[str], keys: Sequence[str]) -> list[Difference]:
    """What the book had and no bill; the two lists are one of pairs."""
    rows = await tx.fetch(
        f"""
        SELECT {_DIFFERENCE} FROM reconciliation_differences
         WHERE channel = $1 AND state <> 'resolved' AND line_n = 0
           AND (line_kind, key) IN (SELECT kind, key FROM unnest($2::text[], $3::text[]) AS given (kind, key))
         ORDER BY id FOR UPDATE
        """,
        channel,
        kinds,
        keys,
    )
    return [one for row in rows if (one := _difference(row)) is not None]


async def lock_waiting_of(tx: Tx, channel: str, day: date) -> list[Difference]:
    """What a day's bill left to the next one."""
    rows = await tx.fetch(
        f"""
        SELECT {_DIFFERENCE} FROM reconciliation_differences
         WHERE state = 'waiting'
           AND reconciliation_id = (SELECT id FROM reconciliations
                                     WHERE channel = $1 AND kind = 'daily' AND period_on = $2)
         ORDER BY id FOR UPDATE
        """,
        channel,
        day,
    )
    return [one for row in rows if (one := _difference(row)) is not None]


async def page_differences(
    tx: Tx, run_id: str, *, after_id: str, limit: int, kind: DifferenceKind | None, state: DifferenceState | None
) -> list[Difference]:
    """By id: a run's are found at once, so there is no newest."""
    rows = await tx.fetch(
        f"""
        SELECT {_DIFFERENCE} FROM reconciliation_differences
         WHERE reconciliation_id = $1 AND id > $2 AND ($4::text IS NULL OR class = $4)
           AND ($5::text IS NULL OR state = $5)
         ORDER BY id LIMIT $3
        """,
        run_id,
        after_id,
        limit,
        kind,
        state,
    )
    return [one for row in rows if (one := _difference(row)) is not None]


async def count_differences(tx: Tx, run_id: str) -> tuple[int, int]:
    """All of a run's, and those that are not resolved."""
    row = await tx.fetchrow(
        """
        SELECT count(*), count(*) FILTER (WHERE state <> 'resolved')
          FROM reconciliation_differences WHERE reconciliation_id = $1
        """,
        run_id,
    )
    return row[0], row[1]


# Events


async def insert_event(
    tx: Tx, subject_id: str, *, actor: str, verb: str, from_state: str | None, to_state: str, detail: str | None
) -> None:
    """The next step of a subject whose row is locked."""
    await tx.execute(
        """
        INSERT INTO reconciliation_events (subject_id, n, at, actor, verb, from_state, to_state, detail)
        SELECT $1, coalesce(max(n), 0) + 1, $2, $3, $4, $5, $6, $7 FROM reconciliation_events WHERE subject_id = $1
        """,
        subject_id,
        tx.now,
        actor,
        verb,
        from_state,
        to_state,
        detail,
    )


async def events(tx: Tx, subject_id: str) -> list[Any]:
    return await tx.fetch(
        """
        SELECT n, at, actor, verb, to_state, detail FROM reconciliation_events
         WHERE subject_id = $1 ORDER BY n LIMIT 200
        """,
        subject_id,
    )


async def is_settled(tx: Tx, channel: str, *, payment_id: str, trade_no: str) -> bool:
    """Whether this trade's money is taken: by its attempt, or into suspense."""
    found: bool = await tx.fetchval(
        """
        SELECT EXISTS (SELECT FROM channel_attempts
                        WHERE payment_id = $2 AND channel = $1 AND state = 'paid' AND trade_no = $3)
            OR EXISTS (SELECT FROM ledger_transfers WHERE ref = $1 || ':' || $3 || ':suspense')
        """,
        channel,
        payment_id,
        trade_no,
    )
    return found


async def wrong_wallets(tx: Tx) -> int:
    """Accounts of customers' money whose balance is not what their last entry says."""
    wrong: int = await tx.fetchval(
        """
        SELECT count(*) FROM ledger_accounts AS a
         WHERE a.kind IN ('customer_wallet', 'customer_prepaid', 'customer_bonus', 'customer_credit')
           AND a.balance_fen IS DISTINCT FROM coalesce((SELECT e.balance_after_fen FROM ledger_entries AS e
                                                         WHERE e.account_id = a.id ORDER BY e.place DESC LIMIT 1), 0)
        """
    )
    return wrong
