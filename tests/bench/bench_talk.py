"""Messages a second that are safely stored, beside the same SQL by pgbench.

Sixteen senders in as many connections say 60 characters (20 of them Chinese) in a thousand open conversations of three
people each: `conversations.say` as it is, with access, idempotence, index of words and facts. Those who speak at the
same moment share a commit. Then sixteen pgbench clients call the same functions, `say_message` and `tx_write`, with the
same kind of values between BEGIN and COMMIT, a transaction for each message. In one conversation: all of them there,
where each waits for the one before. Durable commits; all share the cores, so only ratios mean anything. Medians of
rounds in which all took turns.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import uvloop

from chat import conversations
from chat.conversations import Content, Reader, Role
from chat.conversations.words import words_of
from storage import engines, migrate
from storage.postgres import Database
from storage.tx import Tx
from tests.conversations.talk import faults

SENDERS = 16
CONVERSATIONS = 1_000
ROUNDS = 3
TEXT = "师傅大概什么时候能到我家门口呢谢谢您了啊 order 4711, gate 12, ring twice"


def run(quick: bool) -> dict[str, Any]:
    seconds, rounds = (1.0, 1) if quick else (5.0, ROUNDS)
    data_dir = Path(tempfile.mkdtemp(prefix="fieldhub-bench-"))
    postgres = engines.start_postgres(data_dir)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return _run(runner, postgres.url, data_dir, seconds, rounds)
    finally:
        postgres.stop()
        shutil.rmtree(data_dir, ignore_errors=True)


def _run(runner: asyncio.Runner, url: str, data_dir: Path, seconds: float, rounds: int) -> dict[str, Any]:
    places = runner.run(_prepare(url))
    rates: dict[str, list[float]] = defaultdict(list)
    waits: list[float] = []
    for number in range(rounds):
        for name, where in (("say", places), ("hot say", places[:1])):
            rate, waited = runner.run(_say_for(url, where, f"{name}{number}".replace(" ", ""), seconds))
            rates[name].append(rate)
            waits += waited if name == "say" else []
            rates[f"{name} pgbench"].append(_pgbench(url, data_dir, where, seconds))
    median = {name: statistics.median(found) for name, found in rates.items()}
    waits.sort()
    return {
        "conversations.say per s (aim 1,000)": median["say"],
        "p50 ms": 1_000 * waits[len(waits) // 2],
        "p99 ms": 1_000 * waits[int(len(waits) * 0.99)],
        "same functions by pgbench per s": median["say pgbench"],
        "say ÷ pgbench": _ratio(rates["say"], rates["say pgbench"]),
        "in one conversation per s": median["hot say"],
        "same by pgbench per s": median["hot say pgbench"],
        "say ÷ pgbench, in one conversation": _ratio(rates["hot say"], rates["hot say pgbench"]),
        "faults afterwards": len(runner.run(_faults(url))),
    }


def _ratio(one: list[float], other: list[float]) -> float:
    return statistics.median(a / max(b, 0.1) for a, b in zip(one, other, strict=True))


async def _prepare(url: str) -> list[str]:
    await migrate.migrate(url)
    db = await Database.connect(url, pool_size=2)

    async def open_all(tx: Tx) -> list[str]:
        places = []
        for n in range(CONVERSATIONS):
            made, _ = await conversations.open_conversation(tx, customer_id=f"acc_{n}", subject=("order", f"ord_{n}"))
            await conversations.set_assignee(tx, made.id, f"acc_agent{n % 50}", 1)
            await conversations.join(tx, made.id, f"acc_w{n}", Role.WORKER, audience=f"worker:wrk_{n}")
            places.append(made.id)
        return places

    try:
        places = await db.run(open_all)
        async with db.begin() as tx:
            await tx.execute("ANALYZE")
        return places
    finally:
        await db.close()


async def _say_for(url: str, places: list[str], mark: str, seconds: float) -> tuple[float, list[float]]:
    """Messages a second, and how long each sender waited."""
    db = await Database.connect(url, pool_size=SENDERS, open_at_once=SENDERS)
    waits: list[float] = []
    ends_at = time.monotonic() + seconds

    async def sender(number: int) -> None:
        dice = random.Random(number)
        count = 0
        while time.monotonic() < ends_at:
            index = dice.randrange(len(places))
            started, count = time.monotonic(), count + 1
            content = Content(text=f"{TEXT} {count % 100}")
            client_id = f"{mark}-{number}-{count}"
            await db.run_light(conversations.say, Reader(f"acc_{index}"), places[index], content, client_id=client_id)
            waits.append(time.monotonic() - started)

    try:
        started = time.monotonic()
        await asyncio.gather(*(sender(number) for number in range(SENDERS)))
        return len(waits) / (time.monotonic() - started), waits
    finally:
        await db.close()


def _pgbench(url: str, data_dir: Path, places: list[str], seconds: float) -> float:
    """Transactions a second of what `say` sends, without its first look. pgbench takes colons for variables."""
    names = data_dir / "names.sql"
    words = r"\n".join(words_of(f"{TEXT} 1"))
    body = json.dumps(
        {"conversation_id": "x", "message_seq": 1, "prev_seq": 0, "sender_id": "acc_1", "sender_role": "customer",
         "client_id": "x", "said_at": "2026-01-05T02-00-00.000Z", "kind": "text", "text": TEXT, "data": None,
         "file_id": None, "reply_to": None}, ensure_ascii=False,
    )  # fmt: skip
    names.write_text(
        f"""
\\set n random(0, {len(places) - 1})
BEGIN;
SELECT s.outcome, s.fills
  FROM (SELECT id, customer_id, version FROM conversations
         WHERE customer_id = 'acc_' || :n AND kind = 'chat' AND tenant_id IS NULL AND subject_kind = 'order'
           AND subject_id = 'ord_' || :n AND status = 'open') AS c,
       LATERAL say_message(c.id, c.version, c.customer_id, 'customer', gen_random_uuid()::text, 'text', false,
               '{TEXT} 1', NULL, NULL, NULL, NULL, NULL, NULL, E'{words}', now(), true) AS s;
SELECT tx_write(now(), ARRAY['fct_' || gen_random_uuid()], ARRAY['message.said'], ARRAY['{body}'],
       ARRAY[E'customer-acc_1\\nagent-acc_2\\nworker-wrk_3'], ARRAY[NULL]::timestamptz[], '{{}}', '{{}}', '{{}}',
       '{{}}', '{{}}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
COMMIT;
"""
    )
    command = [str(engines.binaries() / "pgbench"), "-n", "-M", "prepared", "-f", str(names), "-c", str(SENDERS),
               "-j", "1", "-T", str(max(1, round(seconds))), url]  # fmt: skip
    env = {"PGOPTIONS": "-c enable_seqscan=off -c jit=off"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode != 0 or found is None:
        raise RuntimeError(done.stderr[-2000:])
    return float(found.group(1))


async def _faults(url: str) -> list[str]:
    db = await Database.connect(url, pool_size=1)
    try:
        async with db.begin() as tx:
            return await faults(tx)
    finally:
        await db.close()
