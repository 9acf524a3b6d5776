"""Samples of many rounds as rows of the page: medians with their range, and ratios of medians."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field

FLOOR_MOVES_MAX = 0.10
"""A round whose floor is further from the median floor was disturbed by a neighbour."""


@dataclass(slots=True)
class Table:
    """Samples by measure and server, in the order of the rounds."""

    samples: defaultdict[str, defaultdict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(self, measure: str, server: str, value: float) -> None:
        self.samples[measure][server].append(value)

    def take(self, other: Table) -> None:
        """All samples of another table, too."""
        for measure, servers in other.samples.items():
            for server, values in servers.items():
                self.samples[measure][server] += values

    def measures(self) -> list[str]:
        return [measure for measure, servers in self.samples.items() if servers]

    def median(self, measure: str, server: str) -> float | None:
        values = self.samples[measure].get(server) if measure in self.samples else None
        return statistics.median(values) if values else None

    def ratios(self, measure: str, own: str, others: tuple[str, ...]) -> dict[str, str]:
        """`node 2.4 · bun 1.7`: how many times ours the others need; nothing when there is nothing to compare."""
        base = self.median(measure, own)
        found = {other: self.median(measure, other) for other in others}
        shares = [f"{other} {shown(value / base)}" for other, value in found.items() if value and base and base > 0]
        return {f"{measure}, others ÷ {own}": " · ".join(shares)} if shares else {}

    def row(self, measure: str) -> dict[str, str]:
        """All servers in one row, the best first."""
        ranked = sorted(self.samples[measure].items(), key=lambda item: statistics.median(item[1]))
        return {measure: " · ".join(f"{server} {spread(values)}" for server, values in ranked)}


def spread(values: list[float]) -> str:
    """`3.04 [2.98..3.11]`; only the value when there is one."""
    middle = shown(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} [{shown(min(values))}..{shown(max(values))}]"


def shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def quiet(floors: list[float]) -> list[int]:
    """Which rounds to believe."""
    middle = statistics.median(floors)
    return [n for n, floor in enumerate(floors) if abs(floor - middle) <= FLOOR_MOVES_MAX * middle]
