"""The ledger beside its own database and beside one that locks every account; bookings with and without a unit's lock.

`post`: a customer's wallet pays a technician, the platform and the channel's fee: four entries, two rows locked. Eight
connections call `ledger.post` from Python, then pgbench calls the same SQL function with the same values; once each
call is a transaction by itself on a connection that is held, once between BEGIN and COMMIT, from a pool.
`append-only`: the same function by pgbench, where the platform's and the channel's accounts are append-only, and in a
scratch schema where they are rows to lock like all others: one row each, and twenty of each to choose from.
`3 hot units`: sixteen connections book periods of three units in transactions with three more statements, half of which
roll back; with the unit's row locked first, and with the exclusion constraint alone. Durable commits; all share the
cores, so only ratios mean anything. Medians of rounds in which all took turns. `balance`: of an append-only account
with many entries whose instants are a little out of order, now and at random instants of its past; rolled up, and
before that.
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from rest.money import ledger
from rest.money.ledger import store
from storage import engines, migrate
from storage.postgres import Database
from storage.tx import Tx

CLIENTS = 8
BOOKERS = 16
UNITS = 3
SLOTS = 12
PEOPLE = 1_000
STRIPES = 20
ROUNDS = 5
SCRATCH = "lock_all"


def run(quick: bool) -> dict[str, Any]:
    seconds, rounds = (0.5, 1) if quick else (3, ROUNDS)
    data_dir = Path(tempfile.mkdtemp(prefix="fieldhub-bench-"))
    postgres = engines.start_postgres(data_dir)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_prepare(postgres.url))
            return _run(runner, postgres.url, data_dir, seconds, rounds)
    finally:
        postgres.stop()
        shutil.rmtree(data_dir, ignore_errors=True)


def _run(runner: asyncio.Runner, url: str, data_dir: Path, seconds: float, rounds: int) -> dict[str, Any]:
    bench = Bench(runner, url, data_dir, seconds)
    for number in range(rounds):
        for name, measure in bench.measures.items():
            bench.rates[name].append(measure(f"{name} {number}".replace(" ", "_")))
    faults = runner.run(_faults(url))
    long = runner.run(_long_list(url, entries=20_000 if len(bench.rates["post"]) == 1 else 1_000_000))
    return bench.figures() | {"faults in the book afterwards": len(faults)} | long


class Bench:
    """What is measured, and what came out so far."""

    def __init__(self, runner: asyncio.Runner, url: str, data_dir: Path, seconds: float) -> None:
        self.runner, self.url, self.data_dir, self.seconds = runner, url, data_dir, seconds
        self.rates: dict[str, list[float]] = defaultdict(list)
        self.outcomes: dict[str, Counter[str]] = defaultdict(Counter)
        self.measures: dict[str, Callable[[str], float]] = {
            "post": lambda mark: runner.run(_post_for(url, mark, seconds, trips=1)),
            "pgbench": lambda mark: self._pgbench(mark),
            "post in BEGIN": lambda mark: runner.run(_post_for(url, mark, seconds, trips=3)),
            "pgbench in BEGIN": lambda mark: self._pgbench(mark, trips=3),
            "lock all": lambda mark: self._pgbench(mark, schema=SCRATCH),
            "lock all striped": lambda mark: self._pgbench(mark, schema=SCRATCH, stripes=STRIPES),
            "booked, locked": lambda _: self._book("booked, locked", locks=True),
            "booked, bare": lambda _: self._book("booked, bare", locks=False),
        }

    def ratio(self, one: str, other: str) -> float:
        return statistics.median(a / max(b, 0.1) for a, b in zip(self.rates[one], self.rates[other], strict=True))

    def figures(self) -> dict[str, Any]:
        median = {name: statistics.median(rates) for name, rates in self.rates.items()}
        return {
            "ledger.post per s": median["post"],
            "same function by pgbench per s": median["pgbench"],
            "post ÷ pgbench (aim 0.85)": self.ratio("post", "pgbench"),
            "ledger.post in BEGIN … COMMIT per s": median["post in BEGIN"],
            "same by pgbench per s": median["pgbench in BEGIN"],
            "post ÷ pgbench, in BEGIN … COMMIT": self.ratio("post in BEGIN", "pgbench in BEGIN"),
            "every account locked, pgbench per s": median["lock all"],
            "append-only ÷ every account locked (aim 2.4)": self.ratio("pgbench", "lock all"),
            f"every account locked, {STRIPES} stripes, pgbench per s": median["lock all striped"],
            f"append-only ÷ every account locked, {STRIPES} stripes": self.ratio("pgbench", "lock all striped"),
            "attempts on 3 hot units per s, unit locked first": median["booked, locked"],
            "attempts on 3 hot units per s, bare constraint": median["booked, bare"],
            "unit locked first ÷ bare (aim 20)": self.ratio("booked, locked", "booked, bare"),
            "deadlocks, unit locked first": self.outcomes["booked, locked"]["deadlock"],
            "deadlocks, bare constraint": self.outcomes["booked, bare"]["deadlock"],
        }

    def _book(self, name: str, *, locks: bool) -> float:
        outcomes, rate = self.runner.run(_book_for(self.url, max(self.seconds, 1), locks=locks))
        self.outcomes[name] += outcomes
        return rate

    def _pgbench(self, mark: str, *, schema: str = "public", stripes: int = 1, trips: int = 1) -> float:
        script = self.data_dir / "post.sql"
        script.write_text(_script(mark, locked=schema == SCRATCH, stripes=stripes, trips=trips))
        command = [str(engines.binaries() / "pgbench"), "-n", "-M", "prepared", "-f", str(script), "-D", "n=0",
                   "-c", str(CLIENTS), "-j", "1", "-T", str(max(1, round(self.seconds))), self.url]  # fmt: skip
        env = {"PGOPTIONS": f"-c search_path={schema} -c enable_seqscan=off -c jit=off"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        found = re.search(r"tps = ([\d.]+)", done.stdout)
        if done.returncode != 0 or found is None:
            raise RuntimeError(done.stderr[-2000:])
        return float(found.group(1))


# The book


async def _prepare(url: str) -> None:
    await migrate.migrate(url)
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE SCHEMA {SCRATCH}; SET search_path = {SCRATCH}")
    for migration in migrate.migrations():
        if migration.name in {"money", "ledger"}:
            await connection.execute(migration.sql)
    await connection.execute("RESET search_path")
    await connection.execute(BOOKINGS)
    await _fund(connection, url)
    await connection.execute("ANALYZE")
    await connection.close()


async def _fund(connection: Any, url: str) -> None:
    """Money for everybody, and every account there is before the clock starts."""
    db = await Database.connect(url, pool_size=1)
    async with db.begin() as tx:
        for n in range(PEOPLE):
            worker = (ledger.worker_wallet(f"w{n}"), 1)
            given = (ledger.platform_topup(), -(10**10) - 1)
            entries = [(ledger.customer_wallet(f"c{n}"), 10**10), worker, given]
            await ledger.post(tx, ref=f"fund:{n}", kind="topup", entries=entries)
        entries = [(ledger.revenue("homeservice_0"), 1), (ledger.clearing("fees_0"), -1)]
        await ledger.post(tx, ref="exist", kind="fee", entries=entries)
    await db.close()
    await connection.execute(
        f"""
        SET session_replication_role = replica;
        INSERT INTO {SCRATCH}.ledger_accounts
        SELECT id, code, kind, owner_id, unit, coalesce(floor_fen, (-1000000000000000000)), may_overdraw,
               coalesce(balance_fen, 0), coalesce(version, 0)
          FROM public.ledger_accounts;
        INSERT INTO {SCRATCH}.ledger_accounts
        SELECT format('lac_%s_%s', kind, n), format(pattern, n), kind, '', 'CNY', (-1000000000000000000), false, 0, 0
          FROM generate_series(1, {STRIPES - 1}) AS n,
               (VALUES ('platform_revenue', 'platform:revenue:homeservice_%s'),
                       ('channel_clearing', 'channel:fees_%s:clearing')) AS given (kind, pattern);
        RESET session_replication_role;
        """
    )


async def _faults(url: str) -> list[str]:
    db = await Database.connect(url, pool_size=1)
    try:
        async with db.begin() as tx:
            return await ledger.verify(tx)
    finally:
        await db.close()


async def _long_list(url: str, entries: int) -> dict[str, Any]:
    """Milliseconds of both balances of an account that is as long as a platform's after a year."""
    db = await Database.connect(url, pool_size=1)
    code = ledger.revenue("long")
    async with db.begin() as tx:
        await ledger.post(tx, ref="long", kind="fee", entries=[(code, 1), (ledger.platform_topup(), -1)])
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute(
            """
            INSERT INTO ledger_entries (transfer_id, n, account_id, amount_fen, place, at)
            SELECT 'trf_long_' || n, 1, (SELECT id FROM ledger_accounts WHERE code = $1), 1, nextval('ledger_places'),
                   $2::timestamptz - ($3 - n + random() * 60) * interval '1 s'
              FROM generate_series(1, $3::int) AS n
            """,
            code, tx.now, entries,
        )  # fmt: skip
    began_at = tx.now - timedelta(seconds=entries)
    async with db.pool.acquire() as connection:
        await connection.execute("VACUUM ANALYZE ledger_entries")
    instants = [began_at + timedelta(seconds=random.Random(5).random() * entries) for _ in range(200)]
    before = await _times(db, code, instants[:5])
    async with db.begin() as tx:
        _, upto, number = await store.roll_up(tx, None, None)
    written = 1
    while written:
        async with db.begin() as tx:
            written, upto, number = await store.roll_up(tx, upto, number)
    after = await _times(db, code, instants)
    await db.close()
    return {
        "entries of one account": entries,
        "its balance, ms, rolled up": statistics.median(after[0]),
        "its balance, ms, before": statistics.median(before[0]),
        "its balance at a past instant, ms, rolled up, median": statistics.median(after[1]),
        "its balance at a past instant, ms, rolled up, p99 (aim 20)": sorted(after[1])[-1 - len(after[1]) // 100],
        "its balance at a past instant, ms, before": statistics.median(before[1]),
    }


async def _times(db: Database, code: str, instants: list[datetime]) -> tuple[list[float], list[float]]:
    """What `balance` and `balance_at` take, each as often as there are instants."""
    now, past = [], []
    async with db.begin() as tx:
        for at in [instants[0], *instants]:  # the first plans
            began = time.perf_counter()
            await ledger.balance(tx, code)
            asked = time.perf_counter()
            await ledger.balance_at(tx, code, at)
            now.append((asked - began) * 1000)
            past.append((time.perf_counter() - asked) * 1000)
    return now[1:], past[1:]


async def _post_for(url: str, mark: str, seconds: float, *, trips: int) -> float:
    """Transfers per second over CLIENTS connections."""
    db = await Database.connect(url, pool_size=CLIENTS, open_at_once=CLIENTS)
    ends = time.perf_counter() + seconds

    async def pay(tx: Tx, dice: random.Random, name: str) -> None:
        done = await ledger.post(
            tx, ref=f"{mark}_{name}", kind="pay", order_id=f"ord_{name}",
            entries=[
                (f"customer:c{dice.randrange(PEOPLE)}:wallet", -10_000),
                (f"worker:w{dice.randrange(PEOPLE)}:wallet", 6_000),
                ("platform:revenue:homeservice_0", 3_900),
                ("channel:fees_0:clearing", 100),
            ],
        )  # fmt: skip
        assert not done.repeated

    async def client(number: int) -> int:
        dice, count = random.Random(number), 0
        async with db.look() if trips == 1 else nullcontext() as held:
            while time.perf_counter() < ends:
                if held:
                    await pay(held, dice, f"{number}_{count:09}")
                else:
                    async with db.begin() as tx:
                        await pay(tx, dice, f"{number}_{count:09}")
                count += 1
        return count

    try:
        began = time.perf_counter()
        counts = await asyncio.gather(*(client(number) for number in range(CLIENTS)))
        return sum(counts) / (time.perf_counter() - began)
    finally:
        await db.close()


def _script(mark: str, *, locked: bool, stripes: int, trips: int) -> str:
    """The same call for pgbench: ids and references grow for each client, as they do over there."""
    unique = f"'{mark}_' || (:client_id)::int::text || '_' || lpad((:n)::int::text, 9, '0')"
    floor = "-1000000000000000000" if locked else "NULL"
    call = rf"""SELECT outcome, posted_id, posted_at, posted_codes, posted_amounts, posted_balances FROM ledger_post(
      'trf_' || {unique}, {unique}, 'pay', 'ord_' || (:client_id)::int::text || '_' || (:n)::int::text, now(),
      NULL, NULL, false,
      ARRAY[E'customer\x3ac' || (:c)::int::text || E'\x3awallet', E'worker\x3aw' || (:w)::int::text || E'\x3awallet',
            E'platform\x3arevenue\x3ahomeservice_' || (:s)::int::text,
            E'channel\x3afees_' || (:s)::int::text || E'\x3aclearing'],
      ARRAY[-10000, 6000, 3900, 100]::bigint[],
      ARRAY['lac_1' || {unique}, 'lac_2' || {unique}, 'lac_3' || {unique}, 'lac_4' || {unique}],
      ARRAY['customer_wallet', 'worker_wallet', 'platform_revenue', 'channel_clearing'], ARRAY['c', 'w', 'h', 'f'],
      ARRAY['CNY', 'CNY', 'CNY', 'CNY'], ARRAY[0, 0, {floor}, {floor}]::bigint[], ARRAY[false, true, false, false])"""
    body = " ".join(call.split()) + ";\n"  # pgbench takes every colon before a word for a variable: hence \x3a
    person = f"random(0, {PEOPLE - 1})"
    sets = {"n": ":n + 1", "c": person, "w": person, "s": f"random(0, {stripes - 1})"}
    head = "".join(f"\\set {name} {value}\n" for name, value in sets.items())
    return head + (body if trips == 1 else f"BEGIN;\n{body}COMMIT;\n")


# Bookings

BOOKINGS = """
    CREATE SCHEMA slots;
    CREATE TABLE slots.units (unit_no bigint PRIMARY KEY);
    CREATE TABLE slots.bookings (LIKE public.bookings INCLUDING ALL);
    CREATE TABLE slots.orders (id int PRIMARY KEY, version int NOT NULL);
    CREATE TABLE slots.events (order_id int, said text);
"""


async def _book_for(url: str, seconds: float, *, locks: bool) -> tuple[Counter[str], float]:
    """Attempts ended in any way but a deadlock, per second."""
    pool = await asyncpg.create_pool(url, min_size=BOOKERS, max_size=BOOKERS)
    await pool.execute(
        "TRUNCATE slots.units, slots.bookings, slots.orders, slots.events;"
        f" INSERT INTO slots.units SELECT generate_series(1, {UNITS});"
        f" INSERT INTO slots.orders SELECT n, 0 FROM generate_series(1, {BOOKERS}) AS n"
    )
    outcomes: Counter[str] = Counter()
    ends = time.perf_counter() + seconds

    async def client(number: int) -> None:
        dice, attempt = random.Random(number), 0
        async with pool.acquire() as connection:
            while time.perf_counter() < ends:
                attempt += 1
                outcome = await _book(connection, dice, number, attempt, locks=locks)
                outcomes[outcome] += 1
                if outcome == "booked":
                    await connection.execute("DELETE FROM slots.bookings WHERE worker_id = $1", f"wrk_{number}")

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(1, BOOKERS + 1)))
    took = time.perf_counter() - began
    await pool.close()
    return outcomes, (outcomes.total() - outcomes["deadlock"]) / took


async def _book(connection: Any, dice: random.Random, number: int, attempt: int, *, locks: bool) -> str:
    unit, slot = dice.randint(1, UNITS), dice.randrange(SLOTS)
    try:
        async with connection.transaction():
            if locks:
                await connection.execute("SELECT 1 FROM slots.units WHERE unit_no = $1 FOR NO KEY UPDATE", unit)
            await connection.execute(
                """
                INSERT INTO slots.bookings (id, unit_no, worker_id, call_id, during, state, created_at, changed_at)
                VALUES ($1, $2, $3, $1, tstzrange('2030-01-01'::timestamptz + $4 * interval '1 hour',
                        '2030-01-01'::timestamptz + ($4 + 3) * interval '1 hour'), 'held', now(), now())
                """,
                f"bkg_{number}_{attempt}", unit, f"wrk_{number}", slot,
            )  # fmt: skip
            await connection.execute("UPDATE slots.orders SET version = version + 1 WHERE id = $1", number)
            await connection.execute("INSERT INTO slots.events VALUES ($1, 'held')", number)
            await connection.fetchval("SELECT count(*) FROM slots.bookings WHERE worker_id = $1", f"wrk_{number}")
            if dice.random() < 0.5:
                raise _ChangedMind
    except _ChangedMind:
        return "rolled back"
    except asyncpg.ExclusionViolationError:
        return "taken"
    except asyncpg.DeadlockDetectedError:
        return "deadlock"
    return "booked"


class _ChangedMind(Exception):
    """Half of the transactions end like this."""
