"""A day's bill of a million lines, from the packed file to the differences (aim: 60 s on two cores).

The book, the attempts and the refunds of the day are there, 5 % of the lines are refunds, and a few lines of every kind
are wrong. `check`: unpacking and digest. `read and copy`: lines out of the file into the table, by the job as it is.
`compare`: putting the three side by side, judging, and booking what follows. Then everything once more without a file:
what a person's "start again" costs. Processor seconds are of this process and the database, and do not depend on who
else uses the machine. Loop lag is what another request of the same process would have waited at most.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from rest.money.channels import Channels, wechat_bill
from rest.money.channels.bills import BillLine
from rest.money.channels.calls import Calls
from rest.money.channels.simulator.bills import Item, fee, wechat_file
from rest.money.reconciliation import actions
from rest.money.reconciliation.jobs import Reconciling
from rest.money.reconciliation.model import RunKind
from storage import engines, migrate
from storage.base.clock import ManualClock, day_begins
from storage.postgres import Database

LINES = 1_000_000
QUICK_LINES = 20_000
REFUND_OF = 20
"""Of so many lines one is a refund."""
WRONG_EACH = 10
DAY = date(2026, 11, 27)
MERCHANT = "1900000001"
FEE_BPS = 60


class FileChannel:
    """A channel whose bill is here already: the network is nobody's figure."""

    name = "wechat"
    merchant = MERCHANT

    def __init__(self, path: Path, digest: str) -> None:
        self.path, self.digest = path, digest

    async def fetch_bill(self, _day: date, to: Path) -> None:
        await asyncio.to_thread(shutil.copy, self.path, to)
        await asyncio.to_thread(wechat_bill.check_hash, to, "SHA1", self.digest)

    def read_bill(self, path: Path) -> Iterator[BillLine]:
        return wechat_bill.read(path)


def run(quick: bool) -> dict[str, Any]:
    lines = QUICK_LINES if quick else LINES
    data_dir = Path(tempfile.mkdtemp(prefix="fieldhub-bench-"))
    postgres = engines.start_postgres(data_dir)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_measure(postgres.url, data_dir, lines))
    finally:
        postgres.stop()
        shutil.rmtree(data_dir, ignore_errors=True)


async def _measure(url: str, data_dir: Path, lines: int) -> dict[str, Any]:
    await migrate.migrate(url)
    await _book(url, lines)
    channel = _write_bill(data_dir / "bill.gz", lines)
    clock = ManualClock(day_begins(DAY + timedelta(days=1)) + timedelta(hours=11))
    db = await Database.connect(url, clock=clock, pool_size=4, statement_timeout=10_000)
    try:
        started = time.perf_counter()
        wechat_bill.check_hash(channel.path, "SHA1", channel.digest)
        checked_s = time.perf_counter() - started
        job = Reconciling(db, Channels({"wechat": channel}, Calls(timeout_ms=1_000)), {"wechat": FEE_BPS})  # type: ignore[dict-item]
        found = await db.run(actions.start, RunKind.DAILY, "wechat", DAY)
        postmaster = await _postmaster(db)
        lag = asyncio.create_task(_lag())
        used_s, started = _cpu_s(postmaster), time.perf_counter()
        await job.copy_bill(found)
        copied_s, copied_cpu_s = time.perf_counter() - started, _cpu_s(postmaster) - used_s
        lag.cancel()
        used_s, started = _cpu_s(postmaster), time.perf_counter()
        done = await db.run(actions.compare, found.id, FEE_BPS)
        compared_s, compared_cpu_s = time.perf_counter() - started, _cpu_s(postmaster) - used_s
        assert done is not None
        await db.run(actions.start_again, found.id, by="acc_bench", reason="bench")
        started = time.perf_counter()
        again = await db.run(actions.compare, found.id, FEE_BPS)
        again_s = time.perf_counter() - started
        assert again is not None
    finally:
        await db.close()
    total_s = copied_s + compared_s
    return {
        "lines": done.sums.line_count,
        "check, s": checked_s,
        "check, read and copy, s": copied_s,
        "compare, s": compared_s,
        "processor for the first, s": copied_cpu_s,
        "processor for the second, s": compared_cpu_s,
        "all, s (aim 60 for a million lines)": total_s,
        "lines per s": lines / total_s,
        "compare again, s": again_s,
        "longest pause of the loop while reading, ms": max(LAGS, default=0.0) * 1000,
        "differences found": done.difference_count,
        "differences seeded": 6 * WRONG_EACH,
        "fen unexplained": done.sums.unexplained_fen,
    }


LAGS: list[float] = []


async def _postmaster(db: Database) -> int:
    async with db.begin() as tx:
        backend = await tx.fetchval("SELECT pg_backend_pid()")
    return int(_stat(Path(f"/proc/{backend}/stat"))[1])


def _stat(path: Path) -> list[str]:
    """The fields of a process after its name: state, parent, …"""
    return path.read_text().rpartition(")")[2].split()


def _cpu_s(postmaster: int) -> float:
    """Seconds of processor this process and the database have used, whoever else shares the machine."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = _stat(path)
        except OSError:
            continue  # it has ended meanwhile; its parent has counted it
        if path.parent.name == str(postmaster):
            ticks += sum(map(int, fields[11:15]))
        elif fields[1] == str(postmaster):
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK") + time.process_time()


async def _lag() -> None:
    while True:
        started = time.perf_counter()
        await asyncio.sleep(0.005)
        LAGS.append(time.perf_counter() - started - 0.005)


def _is_refund(n: int) -> bool:
    return n % REFUND_OF == 0


async def _book(url: str, lines: int) -> None:
    """A day's records and the book, written past the ledger's function: a million calls of it are another bench."""
    connection = await asyncpg.connect(url)
    values = (lines, day_begins(DAY), REFUND_OF)
    every = "generate_series(1, $1::int) AS n"
    at = "$2::timestamptz + n * (interval '86000 s' / $1::int)"
    try:
        await connection.execute("SET session_replication_role = replica")
        for kind, code in (("channel_clearing", "channel:wechat:clearing"), ("platform_topup", "platform:topup")):
            await connection.execute(
                """
                INSERT INTO ledger_accounts (id, code, kind, owner_id, unit)
                VALUES ($1, $2, $3, $4, 'CNY')
                """, f"acc_{kind}", code, kind, "wechat" if "channel" in kind else "",
            )  # fmt: skip
        for sql in (
            f"""INSERT INTO channel_attempts (payment_id, order_id, account_id, channel, amount_fen, state, description,
                                              expires_at, trade_no, created_at)
                SELECT 'pay_' || n, 'ord_' || n, 'acc_1', 'wechat', 1000 + n % 9000, 'paid', 'x', {at},
                       '4200' || lpad(n::text, 20, '0'), {at}
                  FROM {every} WHERE n % $3::int <> 0""",
            f"""INSERT INTO channel_refunds (id, payment_id, channel, ref, amount_fen, total_fen, reason, state,
                                             requested_at, ended_at)
                SELECT 'rfd_' || n, 'pay_' || n, 'wechat', 'r' || n, 1000 + n % 9000, 1000 + n % 9000, 'x', 'done',
                       {at}, {at}
                  FROM {every} WHERE n % $3::int = 0""",
            f"""INSERT INTO ledger_transfers (id, ref, kind, at)
                SELECT 'tra_' || lpad(n::text, 20, '0'),
                       CASE WHEN n % $3::int = 0 THEN 'rfd_' || n || ':done' ELSE 'pay_' || n || ':received' END,
                       CASE WHEN n % $3::int = 0 THEN 'refund_done' ELSE 'pay' END, {at}
                  FROM {every}""",
            f"""INSERT INTO ledger_entries (transfer_id, n, account_id, amount_fen, place, at)
                SELECT 'tra_' || lpad(n::text, 20, '0'), side, CASE side WHEN 1 THEN 'acc_channel_clearing'
                       ELSE 'acc_platform_topup' END,
                       (1000 + n % 9000) * CASE WHEN (n % $3::int = 0) = (side = 1) THEN 1 ELSE -1 END,
                       n * 2 + side, {at}
                  FROM {every}, (VALUES (1), (2)) AS both_sides (side)""",
        ):
            await connection.execute(sql, *values)
        await connection.execute("SELECT setval('ledger_places', $1)", 2 * lines + 3)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def _write_bill(path: Path, lines: int) -> FileChannel:
    """The day's bill in WeChat's format; the first lines of it are wrong, ten in each way."""
    items = [item for n in range(1, lines + 1) for item in _items(n)]
    items += [_item(lines + n) for n in range(1, WRONG_EACH + 1)]  # nobody knows these
    raw, _ = wechat_file(items, "wx0", packed=False)
    digest = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
    path.write_bytes(gzip.compress(raw, 1))
    return FileChannel(path, digest)


def _items(n: int) -> list[Item]:
    item, fault = _item(n), (n - 1) // WRONG_EACH
    match fault:
        case 0:
            return []
        case 1:
            more = item.amount_fen + 5_000
            return [_item(n, amount_fen=more)]
        case 2:
            return [_item(n, fee_fen=item.fee_fen + 9)]
        case 3:
            return [item, item]
        case 4:
            return [_item(n, merchant="1900000999")]
        case _:
            return [item]


def _item(n: int, *, amount_fen: int = 0, fee_fen: int | None = None, merchant: str = MERCHANT) -> Item:
    amount = amount_fen or 1_000 + n % 9_000
    kept = fee(amount) * (-1 if _is_refund(n) else 1) if fee_fen is None else fee_fen
    return Item(
        number=f"pay_{n}", trade_no=f"4200{n:020}", amount_fen=amount, fee_fen=kept,
        at=day_begins(DAY) + timedelta(seconds=n % 80_000), merchant=merchant,
        refund=f"rfd_{n}" if _is_refund(n) else None, subject="清洁, 两小时",
    )  # fmt: skip
