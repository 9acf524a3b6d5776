"""A client that never gives up, and the judge that watches every word it hears.

The judge knows nothing of how facts travel. A fact carries, for each of its audiences, a number that counts up by one;
so whoever hears an audience without a hole, a repeat, or a fact of somebody else's, hears the numbers 1, 2, 3, …
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.chaos.wire import Refused, Wire

TOPIC = "order.counted"
JOURNAL_LINES = 4_000
BACK_SOON_S, BACK_LATER_S = 0.05, 0.3


@dataclass(frozen=True, slots=True)
class Skipped:
    """What a `resync` made this client leave out: facts above `after`, up to and with `upto`."""

    reason: str
    after: int
    upto: int


@dataclass(slots=True)
class Judge:
    """What one client heard, and every broken promise in it."""

    name: str
    audiences: frozenset[str]
    since: int | None = None
    epoch: str | None = None
    numbers: dict[str, int] = field(default_factory=dict)
    seen: dict[int, str] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    delays_ms: Counter[int] = field(default_factory=Counter)
    journal: deque[str] = field(default_factory=lambda: deque(maxlen=JOURNAL_LINES))
    _is_due: set[str] = field(default_factory=set)
    _resync_due: bool = False

    def note(self, what: str) -> None:
        self.journal.append(f"{time.time():.3f} {what}")

    def blame(self, kind: str, what: str) -> None:
        self.tally[kind] += 1
        self.broken.append(f"{kind}: {what}")
        self.note(f"!! {kind}: {what}")

    def hear(self, name: str, body: Any) -> None:
        """Everything that comes, in the order in which it comes."""
        if name == TOPIC:
            self._fact(body)
        elif name == "ready":
            self._ready(body)
        elif name == "resync":
            self._resync(body)
        else:
            self.note(f"{name} {body}")

    def _ready(self, body: Any) -> None:
        self.note(f"ready {body['seq']} recovered={body['recovered']}")
        self._resync_due = self.since is not None and not body["recovered"]
        if self.since is None:
            self.since, self.epoch = body["seq"], body["epoch"]
            if body["recovered"]:
                self.blame("false ready", "recovered without `since`")
            return
        self.tally["recovered" if body["recovered"] else "not recovered"] += 1
        if body["recovered"] and (body["epoch"], body["seq"] >= self.since) != (self.epoch, True):
            self.blame("false ready", f"recovered at {body['seq']} {body['epoch']}, from {self.since} {self.epoch}")

    def _resync(self, body: Any) -> None:
        self.note(f"resync {body}")
        if not self._resync_due:
            self.blame("false ready", "a `resync` after `recovered`, or out of nowhere")
        self._resync_due = False
        self.tally["resyncs"] += 1
        self.skipped.append(Skipped(body["reason"], self.since or 0, body["seq"]))
        self.since, self.epoch = body["seq"], body["epoch"]
        self._is_due = set(self.audiences)

    def _fact(self, body: Any) -> None:
        seq, fact_id, numbers = body["seq"], body["id"], body["numbers"]
        if self.since is None or self._resync_due:
            self.blame("false ready", f"a fact before `ready`, or before the `resync` it promised: {seq}")
        if seq <= (self.since or 0):
            self._repeat(seq, fact_id)
            return
        mine = [audience for audience in numbers if audience in self.audiences]
        if not mine:
            self.blame("foreign", f"{seq} is for {sorted(numbers)}")
        for audience in mine:
            self._count(audience, numbers[audience], seq)
        self.since = seq
        self.seen[seq] = fact_id
        self.tally["heard"] += 1
        late = datetime.now(UTC) - datetime.fromisoformat(body["at"])
        self.delays_ms[int(late.total_seconds() * 1000)] += 1
        self.note(f"fact {seq} {numbers}")

    def _repeat(self, seq: int, fact_id: str) -> None:
        self.tally["repeated"] += 1
        if self.seen.get(seq) != fact_id:
            self.blame("out of order", f"{seq} {fact_id} below {self.since}, known as {self.seen.get(seq)}")

    def _count(self, audience: str, number: int, seq: int) -> None:
        last = self.numbers.get(audience, 0)
        self.numbers[audience] = max(number, last)
        if number <= last:
            self.blame("doubled", f"{audience} {number} again at {seq}, after {last}")
        elif number > last + 1 and audience not in self._is_due:
            self.blame("lost", f"{audience} from {last} to {number} at {seq}")
        self._is_due.discard(audience)


class Person:
    """One account in one namespace: connected, or on the way to be."""

    def __init__(
        self, namespace: str, token: str, audiences: frozenset[str], hubs: Sequence[str], *, seed: int
    ) -> None:
        self.judge = Judge(min(audiences), audiences)
        self.namespace, self.audiences = namespace, audiences
        self.wire: Wire | None = None
        self._token, self._hubs = token, hubs
        self._random = random.Random(seed)
        self._hub = self._random.randrange(len(hubs))

    async def run(self) -> None:
        """Stay connected until cancelled, with another hub after every end."""
        while True:
            try:
                await self._stay()
                pause_s = BACK_SOON_S
            except Refused as refusal:
                self.judge.tally["refused"] += 1
                if not refusal.error.get("retry"):
                    self.judge.blame("refused for good", str(refusal.error))
                pause_s = BACK_LATER_S
            except (OSError, TimeoutError) as problem:
                self.judge.tally["not connected"] += 1
                self.judge.note(f"{type(problem).__name__} {problem}")
                pause_s = BACK_LATER_S
            finally:
                if self.wire is not None:
                    self.wire.reset()
            self._hub = (self._hub + 1) % len(self._hubs)
            await asyncio.sleep(self._random.uniform(0, pause_s))

    async def _stay(self) -> None:
        judge = self.judge
        place = {} if judge.since is None else {"since": judge.since, "epoch": judge.epoch}
        judge.note(f"connects to {self._hub} with {place}")
        auth = {"token": self._token, **place}
        self.wire = await Wire.open(self._hubs[self._hub], self.namespace, auth, judge.hear)
        judge.tally["connections"] += 1
        why = await self.wire.gone
        judge.note(why)
        if why.startswith("protocol"):
            judge.blame("protocol", why)

    def cut(self) -> bool:
        """A TCP reset from our side; False when there is no connection."""
        if self.wire is None or self.wire.gone.done():
            return False
        self.judge.note("resets")
        self.wire.reset()
        return True

    def vanish(self) -> Wire | None:
        """Leave the connection as it is and come back by another: what a phone does that changes networks."""
        wire = self.wire
        if wire is None or wire.gone.done():
            return None
        self.judge.note("vanishes")
        wire.abandon()
        self.wire = None
        return wire
