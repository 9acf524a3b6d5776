"""Audits of the feed: a second connection of the same account asks for everything since a place long passed.

What it is told must be in the journal of the phone that was there all along. The feed replays a bounded gap, so each
phone is audited again and again while the run lasts, each time from where the last audit ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.replay.client import NOTICES, Phone
from tests.replay.journal import digest_of
from tests.replay.wire import Gone, LeanWire, Refused
from tests.replay.world import World

FACTS_BETWEEN = 200
"""A phone that has heard this many facts since its last audit gets one; well below the gap the feed replays."""

GRACE_S = 5.0
"""A fact the audit has heard may still be on its way to the phone for this long."""

QUIET_S = 0.3
"""A gap comes in one go; after such a pause it is over."""

AT_ONCE = 40
ATTEMPTS = 3


@dataclass(slots=True)
class Audit:
    """What one audit connection was told."""

    epoch: str = ""
    head: int = 0
    recovered: bool = False
    resync: str | None = None
    facts: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    heard_s: float = 0.0
    _ready: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, event: str, body: Any) -> None:
        self.heard_s = time.monotonic()
        if event == "ready":
            self.epoch, self.head, self.recovered = body["epoch"], body["seq"], body["recovered"]
            self._ready.set()
        elif event == "resync":
            self.resync = body["reason"]
        elif event not in NOTICES:
            self.facts[body["id"]] = (body["seq"], event, digest_of(event, body))

    async def run(self, world: World, phone: Phone, since: int) -> None:
        """Connect, listen until the gap has come, leave. Raises Gone, Refused, TimeoutError."""
        wire = LeanWire(world.api.http, world.api.url, phone.namespace, self.hear)
        token = await world.api.token(phone.person)
        await wire.open({"token": token, "crs": phone.crs, "since": since, "epoch": phone.journal.epoch})
        try:
            async with asyncio.timeout(20):
                await self._ready.wait()
                while time.monotonic() - self.heard_s < QUIET_S and not self._is_past_head():
                    await asyncio.sleep(0.05)
        finally:
            await wire.close()

    def _is_past_head(self) -> bool:
        return any(seq >= self.head for seq, _, _ in self.facts.values())


class Auditor:
    """Audits phones while the run lasts, and all of them at its end."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._upto: dict[str, int] = {}
        self._counted: dict[str, int] = {}

    async def run(self) -> None:
        """Until the run stops."""
        while await self.world.sleep(1.0):
            for phone in list(self.world.phones):
                news = len(phone.journal.facts) - self._counted.get(phone.name, 0)
                if news >= FACTS_BETWEEN and not self.world.stop.is_set():
                    await self.audit(phone)

    async def finish(self) -> None:
        """Everybody once more, AT_ONCE at a time."""
        waiting = [phone for phone in self.world.phones if phone.journal.started_seq is not None]
        for start in range(0, len(waiting), AT_ONCE):
            await asyncio.gather(*(self.audit(phone) for phone in waiting[start : start + AT_ONCE]))

    async def audit(self, phone: Phone) -> None:
        """Ask once; whatever the phone should have and has not is a finding."""
        journal = phone.journal
        since = self._upto.get(phone.name, journal.started_seq)
        if since is None:
            return
        audit = await self._ask(phone, since)
        if audit is None:
            return
        if audit.resync is not None:
            self.world.figures.refused("audit", audit.resync)
        else:
            if not audit.recovered:
                self.world.faults.append(f"{phone.name}: a connection with since={since} was not recovered")
            await asyncio.sleep(0 if missing(audit.facts, journal.facts) == [] else GRACE_S)
            self.world.figures.add("audited", len(audit.facts))
            for fact_id, seq, topic in missing(audit.facts, journal.facts):
                self.world.figures.add("lost")
                self.world.faults.append(f"{phone.name} never heard fact {fact_id} ({topic}, seq {seq})")
            for fact_id in differing(audit.facts, journal.facts):
                self.world.faults.append(f"{phone.name} heard fact {fact_id} otherwise than it is replayed")
        self._upto[phone.name] = audit.head
        self._counted[phone.name] = len(journal.facts)

    async def _ask(self, phone: Phone, since: int) -> Audit | None:
        for _ in range(ATTEMPTS):
            audit = Audit()
            try:
                await audit.run(self.world, phone, since)
            except (Gone, TimeoutError):
                await asyncio.sleep(1)
            except Refused as refused:
                self.world.faults.append(f"{phone.name}: an audit connection was refused: {refused}")
                return None
            else:
                return audit
        self.world.figures.refused("audit", "unreachable")
        return None


Told = Mapping[str, tuple[int, str, bytes]]


def missing(told: Told, heard: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """Facts that were told and not heard: id, seq, topic."""
    return sorted(
        ((fact_id, seq, topic) for fact_id, (seq, topic, _) in told.items() if fact_id not in heard),
        key=lambda row: row[1],
    )


def differing(told: Told, heard: Mapping[str, Any]) -> list[str]:
    """Facts whose place or content is not the same in both."""
    return [
        fact_id
        for fact_id, (seq, _, digest) in told.items()
        if fact_id in heard and (heard[fact_id].seq, heard[fact_id].digest) != (seq, digest)
    ]
