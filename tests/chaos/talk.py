"""Chaos for conversations: people and support talk while sockets are cut and hubs and engines are killed.

`python -m tests.chaos.talk --seconds 600 --customers 120 --agents 15 --seed 1` starts its own PostgreSQL, Redis, two
hubs and a worker, and lets customers and agents talk over real sockets, each message sent again and again under its
`client_id` until it is acknowledged, many of them twice at once. Then everybody is quiet, and it is judged from
outside: every acknowledged message is stored once, at its place; nothing is stored that nobody sent; everybody has
heard exactly what is stored, in its order, without a hole. The exit code is 1 when that is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import socketio

from chat import conversations
from storage.postgres import Database
from storage.tx import Tx
from tests.chaos.town import Town

QUIET_S = 120
"""How long after the last fault the last message may take to reach the last client."""

FAULTS = ("hub_killed", "hub_killed", "postgres_crashed", "hub_killed", "redis_killed")
"""What happens in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run. An agent serves all conversations of his share of the customers."""

    customers: int = 12
    agents: int = 3
    seconds: float = 60
    faults: int = 5
    cuts_per_s: float = 4
    seed: int = 1


@dataclass(eq=False)
class Person:
    """Somebody with a phone that reconnects, resumes and repeats; `places`: the conversations he talks in."""

    urls: Sequence[str]
    namespace: str
    token: str
    name: str
    places: list[str]
    dice: random.Random
    counts: Counter[str]
    since: int = 0
    epoch: str | None = None
    heard: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)
    acknowledged: dict[tuple[str, str], int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    client: Any = None

    async def live(self, http: aiohttp.ClientSession) -> None:
        """Be connected, whatever happens, until cancelled."""
        while True:
            client = self.client = socketio.AsyncClient(reconnection=False, http_session=http)
            client.on("*", self._hear, namespace=self.namespace)
            url, auth = self.dice.choice(self.urls), {"token": self.token, "since": self.since, "epoch": self.epoch}
            try:
                await client.connect(
                    url, transports=["websocket"], auth=auth, namespaces=[self.namespace], wait_timeout=5
                )
                await client.wait()
            except (socketio.exceptions.ConnectionError, aiohttp.ClientError, OSError):
                pass
            finally:
                with contextlib.suppress(Exception):
                    await client.disconnect()
            self.counts["connections"] += 1
            await asyncio.sleep(self.dice.uniform(0.05, 0.5))

    async def _hear(self, event: str, body: Any = None) -> None:
        if event == "ready":
            self.epoch = body["epoch"]
            self.since = max(self.since, body["seq"]) if not body["recovered"] and self.since == 0 else self.since
        elif event == "resync":
            self.faults.append(f"{self.name} was told to start anew: {body}")
        elif isinstance(body, dict) and "seq" in body:
            if body["seq"] <= self.since:
                self.counts["repeated facts"] += 1  # at least once: the same place, and we know it
                return
            self.since = body["seq"]
            if event == "message.said":
                mine = self.heard.setdefault(body["conversation_id"], [])
                mine.append((body["message_seq"], body["sender_id"], body["client_id"]))

    async def talk(self, stop: asyncio.Event) -> None:
        """Say one thing after another, each until it is acknowledged."""
        count = 0
        while not stop.is_set():
            where, count = self.dice.choice(self.places), count + 1
            client_id = f"{self.name}-{count:06}"
            message = {"conversation_id": where, "client_id": client_id, "text": f"{self.name} says {count}"}
            while True:
                times = 1 + (self.dice.random() < 0.3)
                answers = await asyncio.gather(*(self._ask(message) for _ in range(times)))
                for answer in answers:
                    if answer and answer.get("ok"):
                        seq = self.acknowledged.setdefault((where, client_id), answer["message_seq"])
                        if seq != answer["message_seq"]:
                            self.faults.append(f"{client_id} was given {seq} and {answer['message_seq']}")
                if (where, client_id) in self.acknowledged:
                    break
                wait_ms = max(
                    (a["error"].get("retry_after_ms", 200) for a in answers if a and "error" in a), default=200
                )
                await asyncio.sleep(wait_ms / 1000)
            await asyncio.sleep(self.dice.uniform(0.1, 0.6))

    async def _ask(self, message: dict[str, Any]) -> Any:
        try:
            self.counts["sends"] += 1
            return await self.client.call("say", message, namespace=self.namespace, timeout=3)
        except (socketio.exceptions.SocketIOError, AttributeError, OSError, aiohttp.ClientError):
            return None

    async def cut(self) -> None:
        """End the connection without a word."""
        with contextlib.suppress(Exception):
            self.client.eio.ws._response.connection.transport.abort()
            self.counts["cuts"] += 1


async def _move_in(town: Town, db: Database, plan: Plan) -> list[Person]:
    """Everybody, each customer in a conversation that one agent has."""
    customers = await town.accounts(db, "user", plan.customers)
    agents = await town.accounts(db, "support", plan.agents)
    places: dict[str, list[str]] = {row["account_id"]: [] for row in (*customers, *agents)}

    async def open_one(tx: Tx, customer_id: str, agent_id: str) -> str:
        made, _ = await conversations.open_conversation(tx, customer_id=customer_id)
        await conversations.set_assignee(tx, made.id, agent_id, 1)
        return made.id

    for n, row in enumerate(customers):
        agent_id = agents[n % len(agents)]["account_id"]
        where = await db.run(open_one, row["account_id"], agent_id)
        places[row["account_id"]].append(where)
        places[agent_id].append(where)
    counts = Counter[str]()
    return [
        Person(
            town.urls, "/customer" if n < plan.customers else "/desk", row["access_token"], f"person{n:03}",
            places[row["account_id"]], random.Random(f"{plan.seed} {n}"), counts,
        )
        for n, row in enumerate((*customers, *agents))
    ]  # fmt: skip


async def _histories(db: Database) -> dict[str, list[tuple[int, str, str]]]:
    """What is stored: conversation → (place, who, under which name)."""
    found: dict[str, list[tuple[int, str, str]]] = {}
    async with db.begin() as tx:
        rows = await tx.fetch(
            "SELECT conversation_id, seq, sender_id, client_id FROM messages ORDER BY conversation_id, seq"
        )
    for row in rows:
        found.setdefault(row["conversation_id"], []).append((row["seq"], row["sender_id"], row["client_id"]))
    return found


async def _under_fire(town: Town, people: list[Person], plan: Plan) -> None:
    """Talk, cut and kill; back when the talking is over and the program stands."""
    dice, stop = random.Random(plan.seed), asyncio.Event()
    watching = asyncio.create_task(town.watch())
    talks = [asyncio.create_task(person.talk(stop)) for person in people]
    for number in range(plan.faults + 1):
        ends_at = asyncio.get_running_loop().time() + plan.seconds / (plan.faults + 1)
        while asyncio.get_running_loop().time() < ends_at:
            await dice.choice(people).cut()
            await asyncio.sleep(dice.expovariate(plan.cuts_per_s))
        if number < plan.faults:
            await town.suffer(FAULTS[number % len(FAULTS)], dice.getrandbits(8), 1.0)
    stop.set()
    await asyncio.gather(*talks)
    watching.cancel()


def judge(people: list[Person], histories: dict[str, list[tuple[int, str, str]]]) -> list[str]:
    """What is not as promised."""
    wrong = [fault for person in people for fault in person.faults]
    sent: dict[str, dict[str, int]] = {where: {} for where in histories}
    for person in people:
        for (where, client_id), seq in person.acknowledged.items():
            sent.setdefault(where, {})[client_id] = seq
    for where, history in histories.items():
        stored = {client_id: seq for seq, _, client_id in history}
        if [seq for seq, _, _ in history] != list(range(1, len(history) + 1)) or len(stored) != len(history):
            wrong.append(f"{where} has holes or doubles")
        wrong += [
            f"{client_id} was acknowledged at {seq} and is at {stored.get(client_id)}"
            for client_id, seq in sent[where].items()
            if stored.get(client_id) != seq
        ]
        wrong += [f"{client_id} was never acknowledged" for client_id in stored if client_id not in sent[where]]
    for person in people:
        for where in person.places:
            if person.heard.get(where, []) != histories.get(where, []):
                heard, stored_count = len(person.heard.get(where, [])), len(histories.get(where, []))
                wrong.append(f"{person.name} heard {heard} of {stored_count} in {where}")
    return wrong


def run(folder: Path, plan: Plan) -> tuple[dict[str, int], list[str]]:
    """Figures, and what was broken."""
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)  # that engines go away is the point here
    town = Town(folder, socket_per_account_max="100")
    try:
        town.start()
        return asyncio.run(_run(town, plan))
    finally:
        town.close()


async def _run(town: Town, plan: Plan) -> tuple[dict[str, int], list[str]]:
    db = await Database.connect(town.postgres.url, pool_size=2)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        people = await _move_in(town, db, plan)
        lives = [asyncio.create_task(person.live(http)) for person in people]
        while any(person.epoch is None for person in people):
            await asyncio.sleep(0.05)
        await _under_fire(town, people, plan)
        histories, wrong = await _quiet(town, db, people)
        for task in lives:
            task.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
    await db.close()
    counts = people[0].counts | Counter(
        messages=sum(len(history) for history in histories.values()),
        heard=sum(len(heard) for person in people for heard in person.heard.values()),
    )
    return dict(counts) | dict(town.done), wrong


async def _quiet(
    town: Town, db: Database, people: list[Person]
) -> tuple[dict[str, list[tuple[int, str, str]]], list[str]]:
    """What is stored, and what is wrong when everything has had its time."""
    histories: dict[str, list[tuple[int, str, str]]] = {}
    wrong = ["nothing was judged"]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(QUIET_S):
            while wrong:
                await asyncio.sleep(1)
                histories = await _histories(db)
                wrong = judge(people, histories) + town.broken
    return histories, wrong


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.talk", description=__doc__)
    parser.add_argument("--customers", type=int, default=12)
    parser.add_argument("--agents", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--faults", type=int, default=5, help="kills of hubs and engines, in turn")
    parser.add_argument("--cuts-per-s", type=float, default=4.0, help="connections cut a second")
    parser.add_argument("--seed", type=int, default=1)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # processes and engines end with this one
    plan = Plan(**vars(parser.parse_args(argv)))
    with tempfile.TemporaryDirectory(prefix="fieldhub-talk-", ignore_cleanup_errors=True) as name:
        figures, wrong = run(Path(name), plan)
    print(json.dumps(figures, indent=2))
    for fault in wrong[:50]:
        print(f"BROKEN  {fault}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
