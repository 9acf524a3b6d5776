"""`POST /v1/orders` over HTTP beside pgbench, interleaved in one run: with the same statements, and with plain INSERTs.

One order is posted with statement logging on; the transaction it caused is turned into a pgbench script (new ids each
time), so "the same SQL" cannot go stale. The REST process runs alone (`run.py rest`), as pgbench has no relay or waves
beside it. Prepared statements on both sides, the same number of connections. Load generator, server and PostgreSQL
share the cores, so only the ratio means anything.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from storage import engines, migrate
from tests.live import ROOT, free_port

CLIENTS = 8
ROUNDS = 5
PLACE = (104.05, 30.66)
ITEM = "itm_00000000000000000000000001"


def run(quick: bool) -> dict[str, Any]:
    seconds = 2 if quick else 5
    data_dir = Path(tempfile.mkdtemp(prefix="fieldhub-bench-"))
    postgres, redis = engines.start_postgres(data_dir), engines.start_redis(data_dir)
    try:
        asyncio.run(migrate.migrate(postgres.url))
        with rest_process(data_dir, postgres.url, redis.url) as port:
            return _run(data_dir, postgres.url, port, seconds, 2 if quick else ROUNDS)
    finally:
        redis.stop()
        postgres.stop()
        shutil.rmtree(data_dir, ignore_errors=True)


@contextmanager
def rest_process(data_dir: Path, postgres_url: str, redis_url: str) -> Iterator[int]:
    """`run.py rest` on a free port, seeded."""
    port = free_port()
    env = os.environ | {
        "FIELDHUB_DATABASE_URL": postgres_url, "FIELDHUB_REDIS_URL": redis_url, "FIELDHUB_PORT": str(port),
        "FIELDHUB_DATA_DIR": str(data_dir), "FIELDHUB_REQUESTS_PER_MINUTE_MAX": "10000000",
        "FIELDHUB_DB_POOL_SIZE": str(CLIENTS),
    }  # fmt: skip
    run_py = [sys.executable, str(ROOT / "run.py")]
    subprocess.run([*run_py, "homeservice", "seed"], env=env, check=True, capture_output=True)
    tokens = [*run_py, "accounts", "create", "--role", "user", "--tokens", str(data_dir / "tokens")]
    subprocess.run(tokens, env=env, check=True, capture_output=True)
    with (data_dir / "rest.log").open("wb") as out:
        process = subprocess.Popen([*run_py, "rest"], env=env, stdout=out, stderr=out)
    try:
        _wait_ready(port)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _wait_ready(port: int) -> None:
    import urllib.request

    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the REST process is not ready")


def _run(data_dir: Path, url: str, port: int, seconds: int, rounds: int) -> dict[str, Any]:
    token = json.loads((data_dir / "tokens").read_text().splitlines()[0])["access_token"]
    asyncio.run(_post_for(port, token, 1))
    script = data_dir / "place.sql"
    script.write_text(asyncio.run(_recorded(data_dir, url, port, token)))
    rows = data_dir / "rows.sql"
    rows.write_text(asyncio.run(_plain_inserts(url)))
    http, raw, plain, health = [], [], [], []
    for _ in range(rounds):
        raw.append(_pgbench(url, script, seconds))
        plain.append(_pgbench(url, rows, seconds))
        http.append(asyncio.run(_post_for(port, token, seconds)))
        health.append(asyncio.run(_post_for(port, token, 1, path="/health/live")))
    return {
        "POST /v1/orders per s": statistics.median(http),
        "same SQL by pgbench per s": statistics.median(raw),
        "POST ÷ pgbench (median of rounds)": statistics.median(h / r for h, r in zip(http, raw, strict=True)),
        "same rows by plain INSERTs in pgbench per s": statistics.median(plain),
        "POST ÷ plain INSERTs (median of rounds)": statistics.median(h / r for h, r in zip(http, plain, strict=True)),
        "GET /health/live per s (HTTP and generator alone)": statistics.median(health),
        "statements": script.read_text().count(";\n"),
    }


# The HTTP side: a generator that does no more than write bytes and count answers


def _request(token: str, path: str) -> bytes:
    if path != "/v1/orders":
        return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    start_at = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    address = {"contact": "Li", "phone": "13800000001", "detail": "1-2-3", "lon": PLACE[0], "lat": PLACE[1]}
    order = {"line": "homeservice", "mode": "grab", "item_id": ITEM, "qty": 1, "start_at": start_at, "address": address}
    body = json.dumps(order).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Idempotency-Key: {uuid.uuid4().hex}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _post_for(port: int, token: str, seconds: float, *, path: str = "/v1/orders") -> float:
    """Answers per second over CLIENTS connections; any answer but success fails the bench."""
    ends = time.perf_counter() + seconds

    async def client() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        count = 0
        while time.perf_counter() < ends:
            writer.write(_request(token, path))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))  # type: ignore[union-attr]
            body = await reader.readexactly(length)
            if b" 20" not in head[:13]:
                raise RuntimeError((head + body).decode())
            count += 1
        writer.close()
        return count

    began = time.perf_counter()
    counts = await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return sum(counts) / (time.perf_counter() - began)


# The SQL side: one recorded transaction as a pgbench script


async def _recorded(data_dir: Path, url: str, port: int, token: str) -> str:
    import asyncpg

    connection = await asyncpg.connect(url)
    path = data_dir / "postgres.log"
    await connection.execute("ALTER SYSTEM SET log_statement = 'all'")
    await connection.execute("SELECT pg_reload_conf()")
    await asyncio.sleep(0.3)
    mark = path.stat().st_size
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_request(token, "/v1/orders"))
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.3)
    writer.close()
    await connection.execute("ALTER SYSTEM RESET log_statement")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
    return script_of(path.read_bytes()[mark:].decode())


def script_of(text: str) -> str:
    """The pgbench script of one posted order, as a statement log tells it."""
    entries = re.findall(r"(?m)^\S+ \S+ UTC \[(\d+)\] (\w+):  (.*(?:\n\t.*)*)", text)
    statements = []
    for wanted in (FIRST, LAST):
        pid = next(pid for pid, _, said in entries if wanted in said)
        mine = [said for one, _, said in entries if one == pid]
        found = next(n for n, said in enumerate(mine) if wanted in said)
        statements.append(_inlined(mine[found].partition(": ")[2], mine[found + 1]))
    return "\\set n random(1, 900000000000000000)\n" + "".join(f"{s};\n" for s in statements)


FIRST, LAST = "FROM region_settings r", "SELECT homeservice_place("
"""The read and the write that an order is; the write is a transaction by itself."""


# The same rows without our functions: what a program with plain SQL sends for one order

WRITTEN = {
    "idempotency_keys": "convert_from(body, 'utf8') LIKE '%{order}%'",
    "calls": "subject_id = '{order}'",
    "orders": "id = '{order}'",
    "order_events": "order_id = '{order}'",
    "homeservice_orders": "order_id = '{order}'",
    "outbox": "body LIKE '%{order}%'",
    "jobs": "payload LIKE '%{order}%' OR payload LIKE '%{call}%'",
}
"""The rows of one order, by table."""


async def _plain_inserts(url: str) -> str:
    """One transaction of single-row INSERTs that writes what the last order wrote, after the same read."""
    import asyncpg

    connection = await asyncpg.connect(url)
    order, call = await connection.fetchrow("SELECT id, call_id FROM orders ORDER BY id DESC LIMIT 1")
    statements = [f"SELECT price_fen FROM region_items WHERE item_id = '{ITEM}'"]
    for table, which in WRITTEN.items():
        columns = await connection.fetch(
            """
            SELECT column_name FROM information_schema.columns
             WHERE table_name = $1 AND is_identity = 'NO' AND is_generated = 'NEVER' ORDER BY ordinal_position
            """,
            table,
        )
        names = ", ".join(row[0] for row in columns)
        texts = ", ".join(f"{row[0]}::text" for row in columns)
        kinds = await connection.fetchrow(f"SELECT {', '.join(f'pg_typeof({row[0]})' for row in columns)} FROM {table}")
        found = await connection.fetch(f"SELECT {texts} FROM {table} WHERE {which.format(order=order, call=call)}")
        if not found:
            raise RuntimeError(f"an order wrote nothing to {table}: look at where it is now")
        for row in found:
            values = (_literal("NULL" if value is None else f"'{_escaped(value)}'") for value in row)
            typed = ", ".join(f"({value})::{kind}" for value, kind in zip(values, kinds, strict=True))
            statements.append(f"INSERT INTO {table} ({names}) VALUES ({typed})")
    await connection.close()
    body = "".join(f"{statement};\n" for statement in statements)
    return f"\\set n random(1, 900000000000000000)\nBEGIN;\n{body}COMMIT;\n"


def _escaped(value: str) -> str:
    return value.replace("'", "''")


FRESH = re.compile(r"\b(?:ord|cal|fct)_[0-9a-z]{26}\b|\b[0-9a-f]{32}\b|\b\d{20}\b")
"""Ids, idempotency keys and order numbers: unique each time."""


def _inlined(sql: str, detail: str) -> str:
    values = dict(re.findall(r"\$(\d+) = ('(?:[^']|'')*'|NULL)", detail.replace("\n\t", "\n")))
    sql = re.sub(r"\$(\d+)", lambda found: _literal(values[found.group(1)]), sql.replace("\n\t", " "))
    return " ".join(sql.split())


def _literal(value: str) -> str:
    found = dict.fromkeys(FRESH.findall(value))
    if value != "NULL":
        # pgbench takes every colon before a word for a variable, also inside quotes.
        value = "E" + value.replace("\\", "\\\\").replace(":", "\\x3a")
    for known in found:
        width = len(known) - 4 if "_" in known else len(known)
        prefix = known[:4] if "_" in known else ""
        value = f"replace({value}, '{known}', '{prefix}' || lpad((:n)::bigint::text, {width}, '{known[4]}'))"
    return value


def _pgbench(url: str, script: Path, seconds: int) -> float:
    command = [str(engines.binaries() / "pgbench"), "-n", "-M", "prepared", "-f", str(script), "-c", str(CLIENTS),
               "-j", "1", "-T", str(seconds), url]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode != 0 or found is None:
        raise RuntimeError(done.stderr[-2000:])
    return float(found.group(1))
