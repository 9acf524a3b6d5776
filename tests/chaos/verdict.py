"""The verdict at the end: what was told, what the feed holds, and what everybody heard are the same."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from storage.postgres import Database
from tests.chaos.person import TOPIC, Judge

LOOK_S = 0.1
JUSTIFIED = "too_many"
"""The only reason for a `resync` here: the database stays, nothing in it is a day old, nobody claims to be ahead."""


@dataclass(frozen=True, slots=True)
class Row:
    """One fact of the feed."""

    seq: int
    fact_id: str
    numbers: Mapping[str, int]


async def read_feed(db: Database, *, seconds: float) -> list[Row]:
    """The feed, when nothing waits for its place any more. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            async with db.look() as tx:
                if not await tx.fetchval("SELECT count(*) FROM outbox"):
                    rows = await tx.fetch("SELECT seq, fact_id, body FROM feed WHERE topic = $1 ORDER BY seq", TOPIC)
                    return [Row(row["seq"], row["fact_id"], orjson.loads(row["body"])["numbers"]) for row in rows]
            await asyncio.sleep(LOOK_S)


def check_feed(feed: Sequence[Row], told: Mapping[str, int]) -> list[str]:
    """The feed has every committed fact once, in the order in which each audience was told."""
    broken = []
    numbers: dict[str, int] = defaultdict(int)
    for row in feed:
        for audience, number in row.numbers.items():
            if number != numbers[audience] + 1:
                broken.append(f"feed: {audience} {number} at {row.seq} after {numbers[audience]}")
            numbers[audience] = number
    missing = {audience: (numbers[audience], count) for audience, count in told.items() if numbers[audience] != count}
    return broken + [f"feed: {audience} ends at {got} of {count}" for audience, (got, count) in missing.items()]


class Expected:
    """What one client must have heard: seq to fact id."""

    def __init__(self, feed: Iterable[Row], judge: Judge) -> None:
        self.facts = {row.seq: row.fact_id for row in feed if not judge.audiences.isdisjoint(row.numbers)}
        self.last = max(self.facts, default=0)


async def everybody_has_heard(expected: Mapping[str, Expected], judges: Sequence[Judge], *, seconds: float) -> None:
    """Wait until nobody's place is before the last fact that is for him; not for ever."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any((judge.since or 0) < expected[judge.name].last for judge in judges):
        await asyncio.sleep(LOOK_S)


def check_client(judge: Judge, expected: Expected, gap_max: int) -> None:
    """Blame whatever was not heard, heard otherwise, or left out without need."""
    skipped: set[int] = set()
    for resync in judge.skipped:
        left_out = {seq for seq in expected.facts if resync.after < seq <= resync.upto}
        skipped |= left_out
        if resync.reason != JUSTIFIED or len(left_out) <= gap_max:
            judge.blame("resync without need", f"{resync}, {len(left_out)} facts left out")
    judge.tally["left out"] += len(skipped)
    lost = [seq for seq in expected.facts if seq not in judge.seen and seq not in skipped]
    if lost:
        judge.blame("lost", f"{len(lost)} facts, {lost[:5]} … {lost[-1]}; place {judge.since}")
    other = [seq for seq, fact_id in judge.seen.items() if expected.facts.get(seq) != fact_id]
    if other:
        judge.blame("foreign", f"{len(other)} facts the feed does not have for it: {other[:5]}")
