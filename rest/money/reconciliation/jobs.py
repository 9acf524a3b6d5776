"""Work between transactions: bills are downloaded, unpacked and copied, and channels are asked about single lines.

A bill goes through a file of this machine and is read in a thread, some thousand lines at a time, so that neither the
loop nor the memory knows how long it is. What a job leaves behind when it dies is copied anew by the next one.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from rest.money.channels import BadSignature, ChannelRefused, Channels, ChannelUnreachable
from rest.money.channels import actions as channel_actions
from rest.money.channels import store as channel_store
from rest.money.channels.bills import BillBroken, BillLine, BillNotReady, LineKind
from rest.money.channels.model import Channel, RefundOrder, RefundWord, TradeState
from rest.money.reconciliation import actions, matching, store
from rest.money.reconciliation.actions.comparing import ASK
from rest.money.reconciliation.actions.runs import FETCH, MONTH
from rest.money.reconciliation.model import BEGIN_AT, DayMissing, Difference, DifferenceState, Run, RunKind
from storage.base.clock import BUSINESS_ZONE, business_day
from storage.base.settings import Settings
from storage.postgres import Database
from storage.tx import Tx

Payload = dict[str, Any]

BEGIN = "reconciliation.begin"
CHUNK = 10_000
"""Lines copied in one transaction."""
NO_BILL = (ChannelRefused, ChannelUnreachable, BadSignature, BillBroken, LookupError)


class Reconciling:
    """The jobs, with what they use."""

    def __init__(self, db: Database, channels: Channels, fees_bps: Mapping[str, int]) -> None:
        self._db = db
        self._channels = channels
        self._fees_bps = fees_bps

    async def begin(self, _payload: Payload) -> None:
        """Begin what is due this morning, and come back tomorrow."""
        await self._db.run(actions.begin_days, self._channels.names)
        await self._db.run(schedule_next)

    async def fetch(self, payload: Payload) -> None:
        """The bill of a day, and its comparison."""
        run = await self._db.run(actions.claim, payload["run_id"])
        if run is None:
            return
        try:
            await self.copy_bill(run)
        except NO_BILL as problem:
            if not (isinstance(problem, BillNotReady) and await self._db.run(actions.is_idle, run)):
                why = problem.code if isinstance(problem, ChannelRefused) else str(problem) or type(problem).__name__
                await self._db.run(actions.delay, run.id, why)
                return
        await self._db.run(actions.compare, run.id, self._fees_bps[run.channel])

    async def copy_bill(self, run: Run) -> None:
        """Put the day's bill into its table, instead of what was there."""
        channel = self._channels.get(run.channel)
        with tempfile.TemporaryDirectory(prefix="fieldhub-bill-", ignore_cleanup_errors=True) as folder:
            path = Path(folder) / "bill"
            await channel.fetch_bill(run.period_on, path)
            await self._db.run(matching.forget_bill, run)
            await self._copy(run, channel, path)

    async def _copy(self, run: Run, channel: Channel, path: Path) -> None:
        """The next lines are read while the last are copied."""
        lines, first_n = channel.read_bill(path), 1
        chunk = await _take(lines)
        while chunk:
            following = asyncio.create_task(_take(lines))
            try:
                await self._db.run(matching.copy_bill, run, chunk, first_n=first_n, merchant=channel.merchant)
            finally:
                first_n, chunk = first_n + len(chunk), await following

    async def month(self, payload: Payload) -> None:
        run = await self._db.run(actions.claim, payload["run_id"])
        if run is None:
            return
        try:
            await self._db.run(actions.compare_month, run.id)
        except DayMissing as missing:
            await self._db.run(actions.delay, run.id, missing.code)

    # Single lines

    async def ask(self, payload: Payload) -> None:
        """What a channel says of a line that is amiss; money that it has and we have not is taken."""
        async with self._db.look() as tx:
            difference = await store.read_difference(tx, payload["difference_id"])
        if difference is None or difference.state is DifferenceState.RESOLVED:
            return
        channel = self._channels.get(difference.channel)
        ask = self._ask_payment if difference.line_kind is LineKind.PAYMENT else self._ask_refund
        try:
            is_right, said = await ask(channel, difference)
        except ChannelRefused as refusal:
            is_right, said = False, f"the channel refuses: {refusal.code}"
        await self._db.run(actions.answer, difference.id, is_right=is_right, said=said)

    async def _ask_payment(self, channel: Channel, difference: Difference) -> tuple[bool, str]:
        trade = await channel.query(difference.out_trade_no)
        said = f"the channel says {trade.state.value}"
        if trade.state is not TradeState.PAID or trade.trade_no != difference.key:
            return False, said
        if difference.book_fen is None:
            await self._db.run(channel_actions.take_found, channel.name, trade)
            async with self._db.look() as tx:
                settled = await store.is_settled(
                    tx, channel.name, payment_id=difference.out_trade_no, trade_no=difference.key
                )
            return settled, said
        # Both the channel and the book have it; only a bill that does not say so remains.
        return difference.bill_fen is not None and trade.amount_fen == difference.book_fen, said

    async def _ask_refund(self, channel: Channel, difference: Difference) -> tuple[bool, str]:
        async with self._db.look() as tx:
            refund = await channel_store.read_refund(tx, difference.key)
        if refund is None:
            return False, "no refund of ours has this number"
        wanted: RefundOrder = refund.order
        told = await channel.query_refund(wanted)
        if told.state is RefundWord.DONE and difference.book_fen is None:
            await self._db.run(channel_actions.finish, refund.id, told.channel_ref)
        is_right = told.state is RefundWord.DONE and difference.bill_fen is not None
        return is_right, f"the channel says {told.state.value}"


async def _take(lines: Iterator[BillLine]) -> list[BillLine]:
    return await asyncio.to_thread(lambda: list(islice(lines, CHUNK)))


def reconciling(db: Database, channels: Channels, settings: Settings) -> Reconciling:
    fees_bps = {"wechat": settings.channel_fee_wechat_bps, "alipay": settings.channel_fee_alipay_bps}
    return Reconciling(db, channels, fees_bps)


async def compare_now(db: Database, channels: Channels, settings: Settings, day: date) -> list[Run]:
    """A day of every channel, for an operator who waits for it. Raises NotOver."""
    work, ended = reconciling(db, channels, settings), []
    for name in sorted(channels.names):
        run = await db.run(actions.start, RunKind.DAILY, name, day, by="operator")
        await work.fetch({"run_id": run.id})
        async with db.look() as tx:
            ended.append(await store.read_run(tx, run.id) or run)
    return ended


def outside_jobs(
    db: Database, channels: Channels, settings: Settings
) -> dict[str, Callable[[Payload], Awaitable[None]]]:
    """Kind to job, for the runner's `outside`."""
    work = reconciling(db, channels, settings)
    return {BEGIN: work.begin, FETCH: work.fetch, MONTH: work.month, ASK: work.ask}


async def begin_reconciling(tx: Tx) -> None:
    """Have today's comparisons begun; called at start, harmless when repeated."""
    _schedule(tx, datetime.combine(business_day(tx.now), BEGIN_AT, BUSINESS_ZONE))


async def schedule_next(tx: Tx) -> None:
    _schedule(tx, datetime.combine(business_day(tx.now) + timedelta(days=1), BEGIN_AT, BUSINESS_ZONE))


def _schedule(tx: Tx, at: datetime) -> None:
    tx.schedule(BEGIN, f"{BEGIN}:{business_day(at)}", at.astimezone(UTC), {})
