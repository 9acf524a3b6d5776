"""What one client heard: every fact with its place and a digest, and when it was connected.

A client may hear a fact again (delivery is at least once); then id, seq and content must be the same. Facts come in
order of seq within one connection, repeated ones included.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Heard:
    """One fact as it first came. `at_s`: the driver's monotonic clock."""

    fact_id: str
    seq: int
    topic: str
    digest: bytes
    at_s: float
    fields: Mapping[str, Any]


KEPT: Mapping[str, tuple[str, ...]] = {
    "offer.made": ("offer_id", "call_id", "subject_id", "epoch"),
    "offer.closed": ("offer_id", "call_id", "state"),
    "grab.closed": ("grab_id", "call_id", "subject_id", "state"),
    "call.won": ("call_id", "subject_id", "worker_id"),
    "order.changed": ("order_id", "version", "status", "worker_id", "verb", "at"),
}
"""What the checks need of a fact's content; the rest is only compared, by its digest."""


@dataclass(slots=True)
class Journal:
    """The record of one client; `faults` are sentences about what must not happen."""

    owner: str
    epoch: str | None = None
    since: int | None = None
    facts: dict[str, Heard] = field(default_factory=dict)
    seqs: dict[int, str] = field(default_factory=dict)
    started_seq: int | None = None
    repeats: int = 0
    resyncs: int = 0
    faults: list[str] = field(default_factory=list)
    online: list[tuple[float, float]] = field(default_factory=list)
    ahead_s: float = 0.0
    _ready_at_s: float | None = None
    _last_on_wire: int = 0

    def ready(self, notice: Mapping[str, Any], at_s: float) -> None:
        """The server's `ready`: from here on the connection counts as one."""
        if self.since is None or not notice.get("recovered", False):
            if self.epoch == notice["epoch"] and self.since is not None and notice["seq"] < self.since:
                self.faults.append(f"{self.owner}: the feed stands at {notice['seq']}, below {self.since} heard before")
            self.since = int(notice["seq"])
            self.started_seq = self.since if self.started_seq is None else self.started_seq
        self.epoch = str(notice["epoch"])
        if "server_time" in notice:
            self.ahead_s = datetime.fromisoformat(notice["server_time"]).timestamp() - time.time()
        self._ready_at_s = at_s
        self._last_on_wire = 0

    def gone(self, at_s: float) -> None:
        """The connection has ended."""
        if self._ready_at_s is not None:
            self.online.append((self._ready_at_s, at_s))
            self._ready_at_s = None

    def hear(self, topic: str, body: Mapping[str, Any], at_s: float) -> bool:
        """Write a fact down; whether it is new to this client."""
        fact_id, seq = str(body["id"]), int(body["seq"])
        digest = digest_of(topic, body)
        if seq <= self._last_on_wire:
            self.faults.append(f"{self.owner}: fact {seq} came after fact {self._last_on_wire} on one connection")
        self._last_on_wire = max(seq, self._last_on_wire)
        self.since = max(seq, self.since or 0)
        known = self.facts.get(fact_id)
        if known is not None:
            self.repeats += 1
            if (known.seq, known.digest) != (seq, digest):
                self.faults.append(f"{self.owner}: fact {fact_id} ({topic}) came twice with different content")
            return False
        if seq in self.seqs:
            self.faults.append(f"{self.owner}: facts {self.seqs[seq]} and {fact_id} have one seq, {seq}")
        fields = {name: body.get(name) for name in KEPT.get(topic, ())}
        self.facts[fact_id] = Heard(fact_id, seq, topic, digest, at_s, fields)
        self.seqs[seq] = fact_id
        return True

    def of(self, topic: str) -> Iterator[Heard]:
        """Everything heard of one topic, in the order in which it came."""
        return (heard for heard in self.facts.values() if heard.topic == topic)

    def was_online(self, from_s: float, to_s: float) -> bool:
        """Whether it was connected at any time between two instants of the driver's clock."""
        return any(start <= to_s and end >= from_s for start, end in self._spells())

    def connected_for(self, at_s: float) -> float:
        """Seconds since the present connection began; 0 without one."""
        return 0.0 if self._ready_at_s is None else at_s - self._ready_at_s

    def _spells(self) -> Iterator[tuple[float, float]]:
        yield from self.online
        if self._ready_at_s is not None:
            yield self._ready_at_s, float("inf")


def digest_of(topic: str, body: Mapping[str, Any]) -> bytes:
    """The same for the same topic and content, in whatever order the fields come."""
    text = orjson.dumps([topic, dict(body)], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=12).digest()
