"""A server under attack while healthy clients talk to each other, and the account of it afterwards."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Self

import aiohttp
import socketio

from tests.fuzz.attacks import ATTACKS, Finding, Marks, Target
from tests.live import ROOT, free_port

START_S, CALM_S = 30, 20
AT_ONCE = 24
STALL_MS_MAX = 50
LINES_PER_S_MAX = 20
"""Of one event in the log, whatever is said to the server."""

SHARES = {"frames": 4, "packets": 3, "first bytes": 2, "posts": 1}
"""How many connections of each kind, in turn."""


@contextmanager
def server(*options: str) -> Iterator[int]:
    """A server of its own; the port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.fuzz.server", "--port", str(port), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise RuntimeError("the server did not start")
            yield port
            if process.poll() is not None:
                raise Finding(f"the server is dead: {process.returncode}")
        finally:
            process.kill()


class Friend:
    """An official client that whispers to its friend and notes what it hears, for as long as the others attack."""

    def __init__(self, name: str, to: str, secret: str) -> None:
        self.name, self.to, self.secret = name, to, secret
        self.client = socketio.AsyncClient(reconnection=False)
        self.heard: list[list[Any]] = []
        self.said = 0
        self.is_over = False
        self.client.on("whisper", self._hear)

    async def _hear(self, *args: Any) -> None:
        self.heard.append(list(args))

    async def connect(self, port: int, transport: str) -> None:
        url, auth = f"http://127.0.0.1:{port}", {"name": self.name, "to": self.to}
        await self.client.connect(url, transports=[transport], auth=auth, wait_timeout=5)

    async def talk(self) -> None:
        """Until it is over; a flag, for the client swallows being cancelled now and then."""
        while not self.is_over:
            self.said += 1
            words = [self.said, self.secret, {"from": self.name}]
            if list(await self.client.call("whisper", tuple(words), timeout=10)) != words:
                raise Finding("an acknowledgement that answers something else")
            await asyncio.sleep(0.01)

    def has_heard(self, other: Friend) -> bool:
        return self.heard == [[number, other.secret, {"from": other.name}] for number in range(1, other.said + 1)]

    async def leave(self) -> None:
        with suppress(Exception):
            await self.client.disconnect()
        with suppress(Exception):
            await self.client.eio.http.close()


@dataclass
class Battle:
    """One server and its clients."""

    port: int
    seed: str
    marks: Marks = field(default_factory=Marks)
    inputs: Counter[str] = field(default_factory=Counter)
    friends: list[Friend] = field(default_factory=list)
    _talks: list[asyncio.Task[None]] = field(default_factory=list)
    _next: int = 0
    _before: dict[str, Any] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def begin(cls, port: int, seed: str) -> AsyncIterator[Self]:
        battle = cls(port, seed)
        try:
            await battle._settle_in()
            yield battle
        finally:
            await battle._go_home()

    async def _settle_in(self) -> None:
        self._before = await self.census()
        rng = Random(self.seed)
        for one, other, transport in [("ann", "bob", "websocket"), ("cleo", "dan", "polling")]:
            for name, to in ((one, other), (other, one)):
                friend = Friend(name, to, self.marks.new(rng))
                await friend.connect(self.port, transport)
                self.friends.append(friend)
        self._talks = [asyncio.create_task(friend.talk()) for friend in self.friends]

    async def _say_no_more(self) -> None:
        for friend in self.friends:
            friend.is_over = True
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _go_home(self) -> None:
        await self._say_no_more()
        await asyncio.gather(*(friend.leave() for friend in self.friends))

    async def census(self) -> dict[str, Any]:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(START_S)) as http,
            http.get(f"http://127.0.0.1:{self.port}/census", headers={"Connection": "close"}) as answer,
        ):
            return dict(await answer.json())

    async def attack(self, inputs: int, shares: dict[str, int] = SHARES) -> None:
        """About so many inputs, by many clients at once. Raises Finding."""
        goal = self.inputs.total() + inputs
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._attack_until(goal, [kind for kind in shares for _ in range(shares[kind])]))

    async def _attack_until(self, goal: int, kinds: list[str]) -> None:
        target = Target(self.port, self.marks)
        while self.inputs.total() < goal:
            number, self._next = self._next, self._next + 1
            kind = kinds[number % len(kinds)]
            try:
                inputs = await ATTACKS[kind](target, Random(f"{self.seed}:{kind}:{number}"))
            except Finding as finding:
                finding.add_note(f"{kind} {number} of seed {self.seed}")
                raise
            self.inputs[kind] += inputs

    async def account(self, *, seconds: float) -> dict[str, Any]:
        """What is left of the attack. Raises Finding."""
        for talk in self._talks:
            if talk.done():
                talk.result()
                raise Finding("a healthy client does not talk any more")
        now = await self.census()
        if now["unhandled"] or now["alarms"]:
            raise Finding(f"it went wrong inside: {[*now['unhandled'], *now['alarms']][:3]}")
        if now["worst_ms"] > STALL_MS_MAX:
            raise Finding(f"the loop stood still for {now['worst_ms']} ms of CPU time")
        for event, lines in now["lines"].items():
            if lines > LINES_PER_S_MAX * (seconds + 1):
                raise Finding(f"{lines} lines of {event} in the log in {seconds:.0f} s")
        return now

    async def make_peace(self) -> None:
        """Everybody goes, and nothing is left of anybody. Raises Finding."""
        await self._until(lambda now: now["sessions"] == now["links"] == len(self.friends), "attackers are still there")
        await self._say_no_more()
        for friend in self.friends:
            other = next(one for one in self.friends if one.name == friend.to)
            async with asyncio.timeout(CALM_S):
                while len(friend.heard) < other.said:
                    await asyncio.sleep(0.01)
            if not friend.has_heard(other):
                raise Finding(f"{friend.name} did not hear what {other.name} said: {friend.heard[-3:]}")
        await self._go_home()
        self._talks, self.friends = [], []
        left = ("sessions", "links", "tasks", "files")
        await self._until(lambda now: all(now[name] <= self._before[name] for name in left), "something is left behind")

    async def _until(self, done: Any, otherwise: str) -> None:
        for _ in range(CALM_S * 10):
            if done(now := await self.census()):
                return
            await asyncio.sleep(0.1)
        raise Finding(f"{otherwise}: {now}, at the beginning {self._before}")
