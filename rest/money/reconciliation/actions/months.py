"""A month: the sums of its days beside what the clearing account moved, and the balances of wallets (FR-166)."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, timedelta

from rest.money import ledger
from rest.money.reconciliation import matching, store
from rest.money.reconciliation.actions.comparing import Counts, end
from rest.money.reconciliation.model import DAY, UNFINISHED, DayMissing, Run, RunKind, Sums, after_period
from storage.tx import Tx

TICK = timedelta(microseconds=1)


async def compare_month(tx: Tx, run_id: str) -> Run | None:
    """Sum the days up and hold them against the account's own balances. None when somebody else has.

    The month's gap is its days' less what the account was moved by beside all they know of. Raises DayMissing.
    """
    run = await store.lock_run(tx, run_id)
    if run is None or run.state not in UNFINISHED:
        return None
    await matching.be_patient(tx)
    days = await days_of(tx, run.channel, run.period_on)
    total = Sums(**{field.name: sum(getattr(day.sums, field.name) for day in days) for field in fields(Sums)})
    strange_fen = await _moved(tx, run, days[0]) + total.book_paid_fen - total.book_refunded_fen
    counts = Counts(sum(day.difference_count for day in days), sum(day.open_count for day in days))
    wrong = await store.wrong_wallets(tx)
    run = replace(
        run,
        sums=replace(total, gap_fen=total.gap_fen - strange_fen),
        fee_booked_fen=sum(day.fee_booked_fen for day in days),
    )
    return await end(tx, run, counts, problem=f"{wrong} wallets are not what their entries say" if wrong else None)


async def days_of(tx: Tx, channel: str, month_on: date) -> list[Run]:
    """The finished days of a month; those before the channel's first comparison do not count. Raises DayMissing."""
    after = after_period(RunKind.MONTHLY, month_on)
    first = await store.first_day(tx, channel)
    begin = max(month_on, first or after)
    days = await store.days_of_month(tx, channel, begin, after)
    if not days or len(days) != (after - begin) // DAY or any(day.state in UNFINISHED for day in days):
        raise DayMissing
    return days


async def _moved(tx: Tx, run: Run, first: Run) -> int:
    """What the account moved in these days by its balances, without transfers that are in no bill."""
    code, (begin, _), (_, after) = ledger.clearing(run.channel), first.span, run.span
    moved = await ledger.balance_at(tx, code, after - TICK) - await ledger.balance_at(tx, code, begin - TICK)
    own = await matching.own_moves(tx, code, begin, after)
    return moved + own.taken_fen - own.given_fen
