"""What a run measures: counts, and times in milliseconds of the driver's own monotonic clock.

| figure      | from                                        | to                                                   |
|-------------|---------------------------------------------|------------------------------------------------------|
| order→offer | the customer is about to post the order     | a technician reads `offer.made` of the first wave    |
| grab→answer | the technician is about to send `grab`      | he reads its answer (ack or HTTP)                    |
| fix→watcher | the technician is about to send `position`  | the customer reads `position` with that very fix     |

So each holds everything a person would wait for, the driver's own queueing on a busy machine included, and none is
better than what a phone sees. Watchers get at most one position a second; a fix that was overtaken is not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

PERCENTILES = (50, 95, 99)


def percentile(values: Sequence[float], rank: float) -> float | None:
    """Nearest-rank percentile: a value that was really measured; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, ceil(rank / 100 * len(ordered)) - 1)]


def summary(values: Sequence[float]) -> dict[str, float | None]:
    """p50, p95, p99 in the unit of the values, to one digit, and how many there were."""
    found = {f"p{rank}": percentile(values, rank) for rank in PERCENTILES}
    rounded = {name: None if value is None else round(value, 1) for name, value in found.items()}
    return {**rounded, "count": len(values)}


@dataclass(slots=True)
class Figures:
    """Counts by name, times by name."""

    counts: Counter[str] = field(default_factory=Counter)
    times_ms: dict[str, list[float]] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, amount: int = 1) -> None:
        self.counts[name] += amount

    def took(self, name: str, seconds: float) -> None:
        self.times_ms.setdefault(name, []).append(seconds * 1000)

    def refused(self, what: str, code: str) -> None:
        """The server said no, as it may; which no is counted, so that a strange one is seen."""
        self.refusals[f"{what}: {code}"] += 1

    def times(self) -> Mapping[str, dict[str, float | None]]:
        names = ("order_to_offer_ms", "grab_to_answer_ms", "fix_to_watcher_ms")
        return {name: summary(self.times_ms.get(name, ())) for name in names}
