"""A phone: one account on one socket app, coming back whenever the connection breaks, forgetting nothing it heard."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from tests.replay.api import Api, No, Person, Unreachable
from tests.replay.figures import Figures
from tests.replay.journal import Journal
from tests.replay.wire import Gone, Hear, Refused, Wire

MakeWire = Callable[[str, Hear], Wire]
"""Takes the namespace and who hears; gives a connection that is not open yet."""

OnFact = Callable[[str, Mapping[str, Any], float], None]
"""Takes topic, body and the instant it was read, for facts that are new to this phone."""

READY_WITHIN_S = 15.0
ANSWER_WITHIN_S = 15.0
CONNECTED_WITHIN_S = 90.0
NOTICES = frozenset({"ready", "resync", "closing", "token.expiring", "position", "positions", "eta"})
"""Events that are not facts: about the connection, or live."""


class Phone:
    """One client. `on_fact` hears new facts in order, `on_live` hears positions."""

    def __init__(
        self, name: str, namespace: str, person: Person,
        *, api: Api, make_wire: MakeWire, figures: Figures, chance: random.Random, crs: str = "wgs84",
    ) -> None:  # fmt: skip
        self.name = name
        self.namespace = namespace
        self.person = person
        self.journal = Journal(name)
        self.on_fact: OnFact = lambda topic, body, at_s: None
        self.on_live: Callable[[str, Any, float], None] = lambda event, body, at_s: None
        self.on_ready: Callable[[], None] = lambda: None
        self.crs = crs
        self.away_s = 0.0
        self._api = api
        self._make_wire = make_wire
        self._figures = figures
        self._chance = chance
        self._wire: Wire | None = None
        self._ready = asyncio.Event()
        self._leaving = False
        self._called_back = asyncio.Event()
        self._tasks: set[asyncio.Future[None]] = set()

    @property
    def is_connected(self) -> bool:
        return self._ready.is_set()

    async def run(self) -> None:
        """Stay connected until `leave` is called; raises Refused when the hub will not have this account."""
        pause_s = 0.2
        while not self._leaving:
            try:
                await self._visit()
                pause_s = 0.2
            except (Gone, Unreachable) as problem:
                self._figures.refused("connect", str(problem)[:60])
                pause_s = min(pause_s * 2, 5.0)
            except Refused as refused:
                error = No.of(refused.error)
                self._figures.refused("connect", error.code)
                if not error.retry and error.code != "token_expired":
                    raise
                pause_s = max(error.after_s, 0.5)
            wait_s, self.away_s = self.away_s or pause_s * self._chance.uniform(0.5, 1.5), 0.0
            if not self._leaving:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._called_back.wait()

    async def connected(self) -> None:
        """Waits for `ready`. Raises Gone when it does not come for very long."""
        try:
            async with asyncio.timeout(CONNECTED_WITHIN_S):
                await self._ready.wait()
        except TimeoutError:
            raise Gone(f"{self.name} could not connect for {CONNECTED_WITHIN_S:g} s") from None

    async def ask(self, event: str, body: Any) -> dict[str, Any]:
        """One request, one answer. Raises No for a refusal, Gone or TimeoutError when no answer came."""
        await self.connected()
        wire = self._wire
        if wire is None:
            raise Gone("between two connections")
        answer = await wire.ask(event, body, timeout_s=ANSWER_WITHIN_S)
        if not isinstance(answer, dict) or ("ok" not in answer and "error" not in answer):
            self.journal.faults.append(f"{self.name}: the answer to {event} has neither ok nor error: {answer!r}")
            raise No("no_answer")
        if "error" in answer:
            raise No.of(answer["error"])
        return answer

    async def ask_until_answered(self, event: str, body: Any) -> dict[str, Any]:
        """For requests that may be repeated: again after a lost answer or "later". Raises No, Gone."""
        until = time.monotonic() + CONNECTED_WITHIN_S
        while True:
            try:
                return await self.ask(event, body)
            except No as no:
                if not no.retry or time.monotonic() > until:
                    raise
                await asyncio.sleep(no.after_s)
            except (Gone, TimeoutError):
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.05)

    def drop(self, away_s: float) -> bool:
        """Lose the connection as phones do, and stay away for a while; whether there was one to lose."""
        if self._wire is None or not self._ready.is_set():
            return False
        self.away_s = away_s
        self._wire.cut()
        return True

    def come_back(self) -> None:
        """Whoever is away comes back now."""
        self._called_back.set()
        self._called_back.clear()

    async def leave(self) -> None:
        """Close for good."""
        self._leaving = True
        if self._wire is not None:
            await self._wire.close()

    # One connection

    async def _visit(self) -> None:
        token = await self._api.token(self.person)
        wire = self._make_wire(self.namespace, self._hear)
        auth: dict[str, Any] = {"token": token, "crs": self.crs}
        if self.journal.since is not None:
            auth |= {"since": self.journal.since, "epoch": self.journal.epoch}
        self._wire = wire
        try:
            await wire.open(auth)
            await self._await_ready(wire)
            await wire.wait_gone()
        finally:
            self._ready.clear()
            self.journal.gone(time.monotonic())
            with contextlib.suppress(Gone):
                await wire.close()
            self._wire = None

    async def _await_ready(self, wire: Wire) -> None:
        ready, gone = asyncio.ensure_future(self._ready.wait()), asyncio.ensure_future(wire.wait_gone())
        try:
            await asyncio.wait([ready, gone], timeout=READY_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                if not gone.done():
                    self.journal.faults.append(f"{self.name}: no ready within {READY_WITHIN_S:g} s of connecting")
                raise Gone("no ready")
        finally:
            ready.cancel()
            gone.cancel()

    def _hear(self, event: str, body: Any) -> None:
        at_s = time.monotonic()
        if event in NOTICES:
            self._notice(event, body, at_s)
        elif not isinstance(body, Mapping) or "id" not in body or "seq" not in body:
            self.journal.faults.append(f"{self.name}: {event} is no fact: it has no id and seq")
        elif self.journal.hear(event, body, at_s):
            self._figures.add("facts")
            self.on_fact(event, body, at_s)

    def _notice(self, event: str, body: Any, at_s: float) -> None:
        if event == "ready":
            self.journal.ready(body, at_s)
            self._figures.add("connections")
            self._ready.set()
            self.on_ready()
        elif event == "resync":
            self.journal.resyncs += 1
            self._figures.refused("resync", str(body.get("reason")))
        elif event == "closing":
            self._figures.refused("closing", str(body.get("code")))
            self.away_s = max(self.away_s, body.get("after_ms", 0) / 1000)
        elif event == "token.expiring":
            self._background(self._renew())
        else:
            self.on_live(event, body, at_s)

    async def _renew(self) -> None:
        with contextlib.suppress(No, Gone, TimeoutError, Unreachable):
            token = await self._api.token(self.person, early_s=float("inf"))
            await self.ask_until_answered("refresh", {"token": token})

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
