"""Support chat through the real program: sockets, PostgreSQL, Redis, all durable.

420 customers, each in a conversation with one of 80 agents. First 50 of them come back after 200 messages they missed
(`catch-up`: from before the connection to the last of them). Then all are connected, and 300 messages a second are said
for half a minute, two of five by agents; every time counts from the planned instant of the message: `ack` to the
answer, `seen` to the peer's `message.said`. At last all connections are cut at once while the talk goes on (`storm`:
until everybody is connected again and every message has been seen). The load is a process of its own and shares the
cores with server, PostgreSQL and Redis, as the scheduler likes.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chat import conversations
from chat.conversations import Content, Reader, Staff
from storage import engines
from storage.postgres import Database
from storage.tx import Tx
from tests.live import ROOT, Live
from tests.replay.accounts import read_tokens

FULL = {"customers": 420, "agents": 80, "messages_per_s": 300, "seconds": 30, "missing": 50, "missed": 200}
QUICK = {"customers": 40, "agents": 6, "messages_per_s": 20, "seconds": 4, "missing": 5, "missed": 20}


def run(quick: bool) -> dict[str, Any]:
    """Start a hub, load it from another process; the figures."""
    sizes = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="fieldhub-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        postgres, redis = engines.start_postgres(folder), engines.start_redis(folder)
        settings = {"database_url": postgres.url, "redis_url": redis.url, "requests_per_minute_max": "1000000"}
        try:
            with Live(folder / "data", socket_per_address_max="2000", **settings) as live:
                people = {role: _people(live, folder, role, sizes[kind]) for role, kind in ROLES.items()}
                asyncio.run(_prepare(postgres.url, people, sizes, folder))
                return _load(live.url, folder, sizes)
        finally:
            redis.stop()
            postgres.stop()


ROLES = {"user": "customers", "support": "agents"}


def _people(live: Live, folder: Path, role: str, count: int) -> list[str]:
    path = folder / f"{role}.jsonl"
    live.command("accounts", "create", "--role", role, "--count", str(count), "--tokens", str(path))
    return [person.account_id for person in read_tokens(path)]


async def _prepare(url: str, people: Mapping[str, Sequence[str]], sizes: Mapping[str, int], folder: Path) -> None:
    """One conversation each with an agent who has it; those who come back later have missed some messages."""
    db = await Database.connect(url, pool_size=2)
    agents = people["support"]

    async def open_all(tx: Tx) -> list[dict[str, str]]:
        places = []
        for n, customer_id in enumerate(people["user"]):
            agent_id = agents[n % len(agents)]
            made, _ = await conversations.open_conversation(tx, customer_id=customer_id, subject=("order", f"ord_{n}"))
            await conversations.set_assignee(tx, made.id, agent_id, 1)
            places.append({"id": made.id, "customer_id": customer_id, "agent_id": agent_id})
        return places

    async def miss(tx: Tx, place: dict[str, str], count: int) -> None:
        reader = Reader(place["agent_id"], Staff())
        await conversations.say(tx, reader, place["id"], Content(text=f"missed {count}"), client_id=f"missed-{count}")

    try:
        places = await db.run(open_all)
        async with db.begin() as tx:
            head = await tx.fetchrow("SELECT epoch, last_seq FROM relay_state")
        (folder / "places.json").write_text(json.dumps({"places": places, "epoch": head[0], "since": head[1]}))
        for place in places[: sizes["missing"]]:
            for count in range(sizes["missed"]):
                await db.run(miss, place, count)
        async with db.begin() as tx:
            await tx.execute("ANALYZE")
    finally:
        await db.close()


def _load(url: str, folder: Path, sizes: Mapping[str, int]) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.chat_load", url, str(folder), json.dumps(sizes)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=600, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures
