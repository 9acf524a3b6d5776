"""The comparison of a day: bill lines, our records and the book, in one transaction.

Order: pairs that do not agree → judged → kept → handled at once where a class says so → fees booked → the run ended.
What needs an answer of the channel gets a job; what is left is a person's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rest.edge.values import Money
from rest.money import ledger
from rest.money.channels import actions as channels
from rest.money.channels.suspense_model import Cause
from rest.money.reconciliation import matching, store
from rest.money.reconciliation.actions.runs import SYSTEM, record, schedule
from rest.money.reconciliation.facts import Reconciled
from rest.money.reconciliation.model import (
    DAY,
    HANDLING,
    UNFINISHED,
    Difference,
    DifferenceKind,
    DifferenceState,
    Finding,
    Pair,
    Resolution,
    Run,
    RunState,
    expected_fee,
    judge,
)
from storage.base.log import log
from storage.tx import Tx

ASK = "reconciliation.ask"
BIG = 10_000


@dataclass(frozen=True, slots=True)
class Counts:
    """Differences of a run, and those of them that are not resolved."""

    all: int
    open: int


async def compare(tx: Tx, run_id: str, fee_bps: int) -> Run | None:
    """Compare a day whose bill has been copied; None when somebody else has."""
    run = await store.lock_run(tx, run_id)
    if run is None or run.state not in UNFINISHED:
        return None
    await matching.be_patient(tx)
    await matching.take_turns(tx, run.channel)
    sums = await matching.sums(tx, run)
    if sums.line_count > BIG:
        await matching.learn(tx)
    pairs = await matching.pairs(tx, run, fee_bps)
    found = [_difference(tx, run, pair, finding, fee_bps)
             for pair in pairs for finding in judge(pair, run.period_on, fee_bps)]  # fmt: skip
    new = set(await store.insert_differences(tx, found))
    for difference in found:
        if difference.id in new:
            await _handle(tx, difference)
    await _settle_elsewhere(tx, run, pairs)
    fee_fen = sums.fee_fen - sum(pair.fee_fen for pair in pairs if pair.is_repeat and pair.is_ours)
    run = await _book_fee(tx, run, fee_fen)
    gap_fen = sum(difference.effect_fen for difference in found)
    run = replace(run, sums=replace(sums, fee_fen=fee_fen, gap_fen=gap_fen))
    return await end(tx, run, Counts(*await store.count_differences(tx, run.id)))


def _difference(tx: Tx, run: Run, pair: Pair, finding: Finding, fee_bps: int) -> Difference:
    is_done = finding.state is DifferenceState.RESOLVED
    has_line = pair.bill_fen is not None
    return Difference(
        id=tx.new_id("dif"),
        reconciliation_id=run.id,
        channel=run.channel,
        kind=finding.kind,
        state=finding.state,
        line_kind=pair.line_kind,
        key=pair.key,
        line_n=pair.line_n,
        out_trade_no=pair.out_trade_no,
        trade_no=pair.trade_no,
        bill_fen=pair.bill_fen,
        book_fen=pair.book_fen,
        fee_fen=pair.fee_fen if has_line else None,
        expected_fee_fen=expected_fee(pair, fee_bps) if has_line else None,
        effect_fen=finding.effect_fen,
        gap_fen=finding.gap_fen,
        billed_at=pair.billed_at,
        booked_at=pair.booked_at,
        record_state=pair.record_state,
        resolution=Resolution.OTHER_DAY if is_done else None,
        reason=None,
        by_id=None,
        version=1,
        found_at=tx.now,
        resolved_at=tx.now if is_done else None,
    )


async def _handle(tx: Tx, difference: Difference) -> None:
    """What is done about a new one without a person."""
    handling = HANDLING[difference.kind]
    if difference.kind is DifferenceKind.AMOUNT:
        await _park(tx, difference)
    if handling.settles is not None and difference.kind is not DifferenceKind.DATE:
        await settle(tx, difference, handling.settles)
    if handling.asks is not None and difference.out_trade_no:
        tx.schedule(ASK, f"{difference.id}:ask", tx.now, {"difference_id": difference.id})
    if handling == HANDLING[DifferenceKind.DUPLICATE]:
        log("reconciliation.alarm", level="error", difference_id=difference.id, kind=difference.kind.value)


async def _park(tx: Tx, difference: Difference) -> None:
    """The clearing account must say what the channel owes: what it has more, or less, than we booked is in suspense."""
    await channels.park(
        tx,
        difference.channel,
        ref=f"{difference.id}:parked",
        cause=Cause.BILL,
        out_trade_no=difference.out_trade_no,
        trade_no=difference.trade_no,
        amount_fen=difference.gap_fen,
        total_fen=max(difference.bill_fen or 0, 1),
    )


async def settle(tx: Tx, difference: Difference, how: Resolution, detail: str | None = None) -> None:
    """The program has put it right."""
    done = difference.settled(tx.now, how)
    await store.save_difference(tx, done)
    await store.insert_event(
        tx,
        difference.id,
        actor=SYSTEM,
        verb="settle",
        from_state=difference.state.value,
        to_state=done.state.value,
        detail=detail or how.value,
    )


async def _settle_elsewhere(tx: Tx, run: Run, pairs: Sequence[Pair]) -> None:
    """What this bill shows to belong to another day, that day no longer misses; what it left to this one has failed."""
    crossed = [pair for pair in pairs if pair.bill_fen is not None and pair.booked_at is not None]
    kinds, keys = [pair.line_kind.value for pair in crossed], [pair.key for pair in crossed]
    touched: set[str] = set()
    for difference in await store.lock_unresolved(tx, run.channel, kinds, keys):
        if difference.reconciliation_id != run.id:
            await settle(tx, difference, Resolution.OTHER_DAY, run.id)
            touched.add(difference.reconciliation_id)
    for difference in await store.lock_waiting_of(tx, run.channel, run.period_on - DAY):
        expired = replace(difference.after("expire"), kind=DifferenceKind.EXTRA)
        await store.save_difference(tx, expired)
        if difference.out_trade_no:
            tx.schedule(ASK, f"{difference.id}:ask", tx.now, {"difference_id": difference.id})
    for other_id in sorted(touched):
        await recount(tx, other_id)


async def _book_fee(tx: Tx, run: Run, fee_fen: int) -> Run:
    """What the channel has kept of the day, in one transfer; of a bill that has changed, what it tells otherwise."""
    rest_fen = fee_fen - run.fee_booked_fen
    if rest_fen:
        await ledger.post(
            tx,
            ref=f"{run.id}:fee:{run.version}",
            kind="channel_fee",
            entries=[(ledger.channel_fee(run.channel), -rest_fen), (ledger.clearing(run.channel), rest_fen)],
        )
    return replace(run, fee_booked_fen=fee_fen)


async def end(tx: Tx, run: Run, counts: Counts, *, problem: str | None = None) -> Run:
    """Decide how it ends, and tell the desk when anything differs."""
    verb = "balance" if not counts.all else "close" if not counts.open else "differ"
    if run.sums.unexplained_fen or problem:
        verb = "differ"
        log("reconciliation.unexplained", level="error", run_id=run.id, channel=run.channel, reason=problem)
    after = replace(
        run.after(verb),
        difference_count=counts.all,
        open_count=counts.open,
        problem=problem,
        claimed_until=None,
        ended_at=tx.now,
    )
    await store.save_run(tx, after)
    await record(tx, run, after, actor=SYSTEM, verb=verb, detail=problem)
    if verb != "balance":
        tell(tx, after)
    following = await store.next_waiting(tx, run.channel)
    if following is not None:
        schedule(tx, following.id, following.kind, tx.now)
    return after


def tell(tx: Tx, run: Run) -> None:
    fact = Reconciled(
        reconciliation_id=run.id,
        kind=run.kind.value,
        channel=run.channel,
        period_on=run.period_on.isoformat(),
        state=run.state.value,
        differences=run.difference_count,
        open=run.open_count,
        unexplained=Money(run.sums.unexplained_fen),
    )
    tx.tell(fact, to=["desk"])


async def recount(tx: Tx, run_id: str) -> None:
    """A difference of a run has been resolved: with the last one the run is closed."""
    run = await store.lock_run(tx, run_id)
    if run is None or run.state in UNFINISHED:
        return
    count, open_count = await store.count_differences(tx, run_id)
    can_close = run.state is RunState.DIFFERING and not open_count and not run.sums.unexplained_fen
    after = run.after("close") if can_close else replace(run, version=run.version + 1)
    await store.save_run(tx, replace(after, difference_count=count, open_count=open_count))
    if can_close:
        await record(tx, run, after, actor=SYSTEM, verb="close", detail=None)
