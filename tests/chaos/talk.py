"""Chaos for conversations: people and support talk while sockets are cut and the hub is killed.

`python -m tests.chaos.talk --seconds 60 --kills 4 --seed 1` starts the real program, lets customers and agents talk
over real sockets, each message sent again and again under its `client_id` until it is acknowledged, many of them twice
at once. Then everybody is quiet, and it is judged from outside: every acknowledged message is in the history once, at
its place; nothing is in it that nobody sent; everybody has heard exactly the history, in its order, without a hole.
The exit code is 1 when that is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import socketio

from tests.live import Live

CUSTOMERS, AGENTS = 12, 3
QUIET_S = 60
"""How long after the last fault the last message may take to reach the last client."""


@dataclass(eq=False)
class Person:
    """Somebody with a phone that reconnects, resumes and repeats; `places`: the conversations he talks in."""

    url: str
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

    async def live(self) -> None:
        """Be connected, whatever happens, until cancelled."""
        while True:
            client = self.client = socketio.AsyncClient(reconnection=False)
            client.on("*", self._hear, namespace=self.namespace)
            auth = {"token": self.token, "since": self.since, "epoch": self.epoch}
            try:
                await client.connect(
                    self.url, transports=["websocket"], auth=auth, namespaces=[self.namespace], wait_timeout=5
                )
                await client.wait()
            except (socketio.exceptions.ConnectionError, aiohttp.ClientError, OSError):
                pass
            finally:
                with contextlib.suppress(Exception):
                    await client.disconnect()
                with contextlib.suppress(Exception):
                    await client.eio.http.close()
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


async def _open(session: aiohttp.ClientSession, url: str, token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    async with session.post(f"{url}/v1/conversations", json={}, headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["conversation"]["id"])


async def _history(session: aiohttp.ClientSession, url: str, token: str, where: str) -> list[tuple[int, str, str]]:
    found: list[tuple[int, str, str]] = []
    while True:
        at = f"{url}/v1/conversations/{where}/messages?sort=oldest&limit=200&after={found[-1][0] if found else 0}"
        async with session.get(at, headers={"Authorization": f"Bearer {token}"}) as answer:
            page = await answer.json()
        found += [(one["message_seq"], one["sender_id"], one["client_id"]) for one in page["data"]]
        if not page["has_more"]:
            return found


async def _under_fire(live: Live, people: list[Person], seconds: float, kills: int, dice: random.Random) -> None:
    """Talk, cut and kill; back when the talking is over and the program stands."""
    stop = asyncio.Event()
    talks = [asyncio.create_task(person.talk(stop)) for person in people]
    for _ in range(kills + 1):
        ends_at = asyncio.get_running_loop().time() + seconds / (kills + 1)
        while asyncio.get_running_loop().time() < ends_at:
            await dice.choice(people).cut()
            await asyncio.sleep(dice.uniform(0.05, 0.4))
        if kills > 0:
            kills -= 1
            live.kill()
            await asyncio.to_thread(live.start)
    stop.set()
    await asyncio.gather(*talks)


def judge(people: list[Person], histories: dict[str, list[tuple[int, str, str]]]) -> list[str]:
    """What is not as promised."""
    wrong = [fault for person in people for fault in person.faults]
    sent = {(where, client_id): seq for person in people for (where, client_id), seq in person.acknowledged.items()}
    for where, history in histories.items():
        stored = {client_id: seq for seq, _, client_id in history}
        if [seq for seq, _, _ in history] != list(range(1, len(history) + 1)) or len(stored) != len(history):
            wrong.append(f"{where} has holes or doubles")
        wrong += [
            f"{client_id} was acknowledged at {seq} and is at {stored.get(client_id)}"
            for (place, client_id), seq in sent.items()
            if place == where and stored.get(client_id) != seq
        ]
        wrong += [f"{client_id} was never acknowledged" for client_id in stored if (where, client_id) not in sent]
    for person in people:
        for where in person.places:
            if person.heard.get(where, []) != histories[where]:
                wrong.append(
                    f"{person.name} heard {len(person.heard.get(where, []))} of {len(histories[where])} in {where}"
                )
    return wrong


async def run(folder: Path, *, seconds: float, kills: int, seed: int) -> tuple[dict[str, int], list[str]]:
    """Figures, and what was broken."""
    dice, counts = random.Random(seed), Counter[str]()
    with Live(folder / "data", requests_per_minute_max="100000", socket_per_account_max="100") as live:
        rows = [*live.tokens("user", CUSTOMERS), *live.tokens("support", AGENTS)]
        async with aiohttp.ClientSession() as session:
            places = [await _open(session, live.url, row["access_token"]) for row in rows[:CUSTOMERS]]
            people = [
                Person(
                    live.url, "/customer" if n < CUSTOMERS else "/desk", row["access_token"], f"person{n:02}",
                    [places[n]] if n < CUSTOMERS else places, random.Random(f"{seed} {n}"), counts,
                )
                for n, row in enumerate(rows)
            ]  # fmt: skip
            lives = [asyncio.create_task(person.live()) for person in people]
            while any(person.epoch is None for person in people):
                await asyncio.sleep(0.05)
            await _under_fire(live, people, seconds, kills, dice)
            wrong = ["nothing was judged"]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(QUIET_S):
                    while wrong:
                        await asyncio.sleep(1)
                        agent = rows[-1]["access_token"]
                        histories = {where: await _history(session, live.url, agent, where) for where in places}
                        wrong = judge(people, histories)
            for task in lives:
                task.cancel()
            await asyncio.gather(*lives, return_exceptions=True)
    counts["messages"] = sum(len(history) for history in histories.values())
    counts["heard"] = sum(len(heard) for person in people for heard in person.heard.values())
    return dict(counts) | {"kills": kills}, wrong


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.talk", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="fieldhub-talk-", ignore_cleanup_errors=True) as name:
        figures, wrong = asyncio.run(
            run(Path(name), seconds=arguments.seconds, kills=arguments.kills, seed=arguments.seed)
        )
    print(json.dumps(figures, indent=2))
    for fault in wrong[:50]:
        print(f"BROKEN  {fault}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
