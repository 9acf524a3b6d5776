"""Paying from the wallet and sharing out, over HTTP, beside pgbench that runs the same SQL; interleaved in one run.

Two orders are brought, by their own verbs, to the moment before `pay` and before `leave` (which settles: technician,
platform). Each is copied thousands of times by SQL, with people, technician, call and money of its own, so that nothing
is hot. One `POST` of each is made with statement logging on, and its transaction becomes a pgbench script over the
copies. The same script is sent once more by the driver alone, asyncpg in one process: what any Python program would
have left of it before it has served HTTP, checked who asks, and decided something. Rounds take turns (HTTP, driver,
pgbench, and back); all use eight connections. `pay and split` is the rate of both, one after the other. Load generator,
server and PostgreSQL share the cores, so only ratios mean anything.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from rest.lines.homeservice.model import Job
from storage import engines, migrate
from storage.base.clock import ManualClock
from storage.postgres import PLANNING, Database
from tests.bench.bench_orders import CLIENTS, rest_process
from tests.live import ROOT
from tests.money import invariants
from tests.money.street import BOOKS, Street, build_street

ROUNDS = 5
EACH = 800
COPIED = ("workers", "technicians", "worker_positions", "calls", "offers", "grabs", "bookings", "orders",
          "order_events", "order_lines", "homeservice_orders", "payments", "jobs", "coupons", "cases")  # fmt: skip
"""What an order is made of; money comes by `ledger_post`, and what was told of it is of no more use."""

ID = r"(?<![0-9a-z])([a-z]{3}_)[0-9a-z]{10}([0-9a-z]{16})"
"""An id: what it names, its time, its chance. A copy has its own number in place of the time."""

DRIVERS_OWN = r"typeinfo_tree|current_setting\('jit'\)"
"""What the driver asks once of each connection, about types: not a part of the verb."""

TURNS = ("http", "driver", "pgbench")

DO = {
    "pay": ("/v1/orders/{order}/pay", {"method": "wallet"}),
    "leave": ("/v1/partner/orders/{order}/leave", None),
}


def run(quick: bool) -> dict[str, Any]:
    rounds, each = (1, 80) if quick else (ROUNDS, EACH)
    data_dir = Path(tempfile.mkdtemp(prefix="fieldhub-bench-"))
    postgres, redis = engines.start_postgres(data_dir), engines.start_redis(data_dir)
    try:
        asyncio.run(migrate.migrate(postgres.url))
        with rest_process(data_dir, postgres.url, redis.url) as port:
            bench = Bench(data_dir, postgres.url, port, each)
            asyncio.run(bench.prepare(copies=len(TURNS) * rounds * each + 10 * CLIENTS))
            return bench.measure(rounds)
    finally:
        redis.stop()
        postgres.stop()
        shutil.rmtree(data_dir, ignore_errors=True)


class Bench:
    """Orders ready to be paid and to be left, and how fast that goes."""

    def __init__(self, data_dir: Path, url: str, port: int, each: int) -> None:
        self.data_dir, self.url, self.port, self.each = data_dir, url, port, each
        self.tokens: dict[str, list[str]] = {}
        self.orders: dict[str, Job] = {}
        self.scripts: dict[str, Path] = {}
        self.rates: dict[str, list[float]] = defaultdict(list)
        self.next = dict.fromkeys(DO, 1)

    async def prepare(self, *, copies: int) -> None:
        db = await Database.connect(self.url, clock=ManualClock(datetime.now(UTC)), pool_size=4)
        connection = await asyncpg.connect(self.url)
        await connection.execute(
            BOOKS + "CREATE TABLE bench_people (verb text, n bigint, id text, PRIMARY KEY (verb, n))"
        )
        street = await build_street(db, db.clock)  # type: ignore[arg-type]
        self.orders = {"pay": await street.chosen(in_h=6), "leave": await before_leaving(street)}
        await db.close()
        for base, verb in enumerate(DO, 1):
            people = self._people("technician" if verb == "leave" else "user", copies)
            self.tokens[verb] = [person["access_token"] for person in people]
            rows = [(verb, n, person["account_id"]) for n, person in enumerate(people)]
            await connection.copy_records_to_table("bench_people", records=rows)
            await self._copy(connection, verb, base)
            self.scripts[verb] = self.data_dir / f"{verb}.sql"
            self.scripts[verb].write_text(await self._recorded(connection, verb))
        await connection.execute("ANALYZE")
        await connection.close()

    def _people(self, role: str, count: int) -> list[dict[str, Any]]:
        path = self.data_dir / f"tokens-{role}"
        command = [sys.executable, str(ROOT / "run.py"), "accounts", "create", "--role", role, "--count", str(count),
                   "--tokens", str(path)]  # fmt: skip
        env = {"FIELDHUB_DATABASE_URL": self.url, "FIELDHUB_DATA_DIR": str(self.data_dir),
               "FIELDHUB_REDIS_URL": "unused", "FIELDHUB_SECRET": ""}  # fmt: skip
        subprocess.run(command, env=env, check=True, capture_output=True, cwd=ROOT)
        return [json.loads(line) for line in path.read_text().splitlines()]

    async def _copy(self, connection: Any, verb: str, base: int) -> None:
        """Copies of an order, each the n-th person's own."""
        job = self.orders[verb]
        worker = await connection.fetchrow("SELECT id, account_id FROM workers WHERE id = $1", job.order.provider_id)
        whose, other = job.order.customer_id, worker["account_id"]
        if verb == "leave":
            whose, other = other, whose
        mine = "|".join([job.order.id, job.order.call_id or "", worker["id"]])
        await connection.execute(
            "UPDATE homeservice_orders SET lock_expires_at = '2099-1-1' WHERE lock_expires_at IS NOT NULL"
        )
        await connection.execute("UPDATE calls SET locked_until = '2099-01-01' WHERE locked_until IS NOT NULL")
        await connection.execute("SET session_replication_role = replica")
        for table in ("technicians", "workers"):  # such accounts come with an own one
            await connection.execute(f"DELETE FROM {table} WHERE account_id IN (SELECT id FROM bench_people)")
        for table in COPIED:
            own = {"workers": "unit_no", "bookings": "unit_no"}.get(table)
            fixed = f"jsonb_build_object('{own}', {base}000000 + p.n)" if own else "'{}'::jsonb"
            if table == "jobs":
                fixed = "jsonb_build_object('id', nextval('jobs_id_seq'))"
            if table == "orders":
                fixed = f"jsonb_build_object('no', '{base}' || lpad(p.n::text, 19, '0'))"
            await connection.execute(
                f"""
                INSERT INTO {table} OVERRIDING SYSTEM VALUE
                SELECT made.*
                  FROM {table} AS t CROSS JOIN bench_people AS p CROSS JOIN LATERAL (
                       SELECT replace(replace(regexp_replace(to_jsonb(t)::text, '{ID}', '\\1' || lpad(p.n::text, 10, '0') || '\\2', 'g'),
                                      '{whose}', p.id), '{other}', '{other}_' || p.n)::jsonb AS copy) AS text
                       CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, copy || {fixed}) AS made
                 WHERE p.verb = '{verb}' AND to_jsonb(t)::text ~ '{mine}'"""  # noqa: E501
            )
        code = (
            "'customer:' || p.id || ':wallet'"
            if verb == "pay"
            else f"'order:' || {_copied(repr(job.order.id))} || ':escrow'"
        )
        kind, owner = ("customer_wallet", "p.id") if verb == "pay" else ("order_escrow", _copied(repr(job.order.id)))
        await connection.execute("SET session_replication_role = origin")
        await connection.execute(
            f"""
            SELECT ledger_post('trf_{verb}_' || p.n, '{verb}:' || p.n, 'credit', NULL, now(), NULL, NULL, false,
                               ARRAY['platform:topup', {code}], ARRAY[-40900, 40900]::bigint[], ARRAY['lac_top', 'lac_{verb}_' || p.n],
                               ARRAY['platform_topup', '{kind}'], ARRAY['', {owner}], ARRAY['CNY', 'CNY'],
                               ARRAY[NULL, 0]::bigint[], ARRAY[false, false])
              FROM bench_people AS p WHERE p.verb = '{verb}'"""  # noqa: E501
        )

    # One transaction as a script

    async def _recorded(self, connection: Any, verb: str) -> str:
        log = self.data_dir / "postgres.log"
        await connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        await connection.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(0.3)
        mark = log.stat().st_size
        await _post(self.port, [self._request(verb, 0)])
        await asyncio.sleep(0.3)
        await connection.execute("ALTER SYSTEM RESET log_statement")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.execute(f"CREATE SEQUENCE bench_{verb} MINVALUE 0 START {self.each * 1000}")
        person = await connection.fetchval("SELECT id FROM bench_people WHERE verb = $1 AND n = 0", verb)
        return script_of(log.read_bytes()[mark:].decode(), verb, person)

    # Measuring

    def measure(self, rounds: int) -> dict[str, Any]:
        for number in range(rounds):
            for verb in DO:
                for turn in TURNS if number % 2 == 0 else reversed(TURNS):
                    self.rates[f"{verb} {turn}"].append(self._rate(turn, verb))
        both = {}
        for turn in TURNS:
            pairs = zip(self.rates[f"pay {turn}"], self.rates[f"leave {turn}"], strict=True)
            both[turn] = [1 / (1 / pay + 1 / leave) for pay, leave in pairs]
        wrong = asyncio.run(self._wrong())
        median = {name: statistics.median(found) for name, found in (self.rates | both).items()}
        return {
            "POST pay per s": median["pay http"],
            "same SQL by pgbench per s": median["pay pgbench"],
            "pay ÷ pgbench": _ratio(self.rates["pay http"], self.rates["pay pgbench"]),
            "POST leave (split) per s": median["leave http"],
            "same SQL by pgbench per s, split": median["leave pgbench"],
            "leave ÷ pgbench": _ratio(self.rates["leave http"], self.rates["leave pgbench"]),
            "pay and split over HTTP per s": median["http"],
            "pay and split ÷ pgbench (aim 0.75)": _ratio(both["http"], both["pgbench"]),
            "the driver alone ÷ pgbench": _ratio(both["driver"], both["pgbench"]),
            "pay and split ÷ the driver alone": _ratio(both["http"], both["driver"]),
            "statements to pay": self.scripts["pay"].read_text().count(";\n") - 4,
            "statements to split": self.scripts["leave"].read_text().count(";\n") - 4,
            "faults in the book afterwards": len(wrong),
        }

    async def _wrong(self) -> list[str]:
        db = await Database.connect(self.url, pool_size=2)
        try:
            async with db.begin() as tx:
                await tx.execute("SET LOCAL enable_seqscan = on")
                checks = (
                    invariants.i1_transfers_sum_to_zero,
                    invariants.i2_balances_are_their_entries,
                    invariants.i3_floors_hold,
                    invariants.i24_a_settlement_keeps_what_its_order_keeps,
                )
                return [fault for check in checks for fault in await check(tx)]
        finally:
            await db.close()

    def _range(self, verb: str) -> range:
        first = self.next[verb]
        self.next[verb] += self.each
        return range(first, first + self.each)

    async def _http(self, verb: str) -> float:
        mine = self._range(verb)
        began = time.perf_counter()
        await asyncio.gather(*(
            _post(self.port, [self._request(verb, n) for n in mine[client::CLIENTS]]) for client in range(CLIENTS)
        ))  # fmt: skip
        return len(mine) / (time.perf_counter() - began)

    def _request(self, verb: str, n: int) -> bytes:
        path, said = DO[verb]
        order = re.sub(ID, lambda found: f"{found[1]}{n:010}{found[2]}", self.orders[verb].order.id)
        body = json.dumps(said).encode() if said else b""
        head = (
            f"POST {path.format(order=order)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.tokens[verb][n]}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: bench_key_{n:020}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _rate(self, turn: str, verb: str) -> float:
        if turn == "pgbench":
            return self._pgbench(verb)
        work = self._http(verb) if turn == "http" else self._driver(verb)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)

    async def _driver(self, verb: str) -> float:
        """The script by asyncpg, with its two variables as parameters."""
        _, person, _, *steps, _ = self.scripts[verb].read_text().splitlines()
        (find, _), *steps = (_prepared(step) for step in (person.removesuffix(" \\gset"), *steps))
        mine = self._range(verb)

        async def work(numbers: range) -> None:
            connection = await asyncpg.connect(self.url, server_settings=PLANNING)
            for n in numbers:
                who = await connection.fetchval(find, n)
                await connection.execute("BEGIN")
                for step, names in steps:
                    await connection.fetch(step, *({"n": n, "person": who}[name] for name in names))
                await connection.execute("COMMIT")
            await connection.close()

        began = time.perf_counter()
        await asyncio.gather(*(work(mine[client::CLIENTS]) for client in range(CLIENTS)))
        return len(mine) / (time.perf_counter() - began)

    def _pgbench(self, verb: str) -> float:
        mine = self._range(verb)
        sequence = f"ALTER SEQUENCE bench_{verb} RESTART {mine.start}"
        psql = [str(engines.binaries() / "psql"), "-q", "-c", sequence, self.url]
        subprocess.run(psql, check=True, capture_output=True)
        command = [str(engines.binaries() / "pgbench"), "-n", "-M", "prepared", "-f", str(self.scripts[verb]),
                   "-c", str(CLIENTS), "-j", "1", "-t", str(self.each // CLIENTS), self.url]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              env={"PGOPTIONS": "-c enable_seqscan=off -c jit=off"})  # fmt: skip
        found = re.search(r"tps = ([\d.]+)", done.stdout)
        if done.returncode != 0 or found is None or "aborted" in done.stderr:
            raise RuntimeError((done.stderr or done.stdout)[-2000:])
        return float(found.group(1))


async def before_leaving(street: Street) -> Job:
    """An order whose technician has only to say that he has left."""
    tech = await street.town.newcomer(work_from_min=0, work_to_min=1440)
    job = await street.paid("wallet", tech=tech)
    for step in ("accept", "depart", "arrive", "start", "end", "confirm_left"):
        job = await street.town._go(job, tech, step)
    return job


async def _post(port: int, requests: list[bytes]) -> None:
    """One connection, one request after the other; any answer but success fails the bench."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))  # type: ignore[union-attr]
        body = await reader.readexactly(length)
        if b" 20" not in head[:13]:
            raise RuntimeError((head + body).decode())
    writer.close()


def script_of(text: str, verb: str, person: str) -> str:
    """The pgbench script of the transaction a statement log tells of: from its BEGIN to its COMMIT."""
    entries = re.findall(r"(?m)^\S+ \S+ UTC \[(\d+)\] (\w+):  (.*(?:\n\t.*)*)", text)
    pid = next(pid for pid, _, said in entries if "UPDATE orders" in said)
    mine = [said for one, _, said in entries if one == pid]
    write = next(n for n, said in enumerate(mine) if "UPDATE orders" in said)
    first = max(n for n, said in enumerate(mine[:write]) if said == "statement: BEGIN")
    last = next(n for n, said in enumerate(mine) if n > write and said == "statement: COMMIT")
    statements = []
    for n in range(first + 1, last):
        if mine[n].startswith("execute") and not re.search(DRIVERS_OWN, mine[n]):
            detail = mine[n + 1] if mine[n + 1].lower().startswith("parameters") else ""
            statements.append(_inlined(mine[n].partition(": ")[2], detail, person))
    whose = f"SELECT id AS person FROM bench_people WHERE verb = '{verb}' AND n = :n"
    head = f"SELECT nextval('bench_{verb}') AS n \\gset\n{whose} \\gset\n"
    return head + "BEGIN;\n" + "".join(f"{statement};\n" for statement in statements) + "COMMIT;\n"


def _inlined(sql: str, detail: str, person: str) -> str:
    values = dict(re.findall(r"\$(\d+) = ('(?:[^']|'')*'|NULL)", detail.replace("\n\t", "\n")))
    sql = re.sub(r"ANY ?\(\$(\d+)\)", r"ANY($\1::text[])", sql)  # a text put together is no array by itself
    sql = re.sub(r"\$(\d+)", lambda found: _literal(values[found.group(1)], person), sql.replace("\n\t", " "))
    return " ".join(re.sub(r"--[^\n]*", "", sql).split())


def _literal(value: str, person: str) -> str:
    if value == "NULL":
        return value
    found = dict.fromkeys(match[0] for match in re.finditer(ID, value) if match[0] != person)
    has_person = person in value
    # pgbench takes every colon before a word for a variable, also inside quotes.
    text = "E" + value.replace("\\", "\\\\").replace(":", "\\x3a")
    if "bench_key_" in value:
        text = f"replace({text}, '{0:020}', lpad((:n)::bigint::text, 20, '0'))"
    for known in found:
        text = f"replace({text}, '{known}', '{known[:4]}' || lpad((:n)::bigint::text, 10, '0') || '{known[14:]}')"
    return f"replace({text}, '{person}', (:person)::text)" if has_person else text


def _prepared(step: str) -> tuple[str, list[str]]:
    """A statement of a script with its variables as parameters, and which these are."""
    names = [name for name in ("n", "person") if re.search(rf":{name}\b", step)]
    for place, name in enumerate(names, 1):
        step = re.sub(rf":{name}\b", f"${place}::{'bigint' if name == 'n' else 'text'}", step)
    return step.rstrip(";"), names


def _copied(literal: str) -> str:
    return f"regexp_replace({literal}, '{ID}', '\\1' || lpad(p.n::text, 10, '0') || '\\2')"


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
