"""Counted delays and printed tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any


def quantile(counted: Counter[int], share: float) -> int:
    """The value below which that share lies."""
    left = share * counted.total()
    for value, count in sorted(counted.items()):
        left -= count
        if left <= 0:
            return value
    return max(counted, default=0)


def show(figures: Mapping[str, Any]) -> None:
    for name, value in figures.items():
        print(f"{name:<40}{value:>14,}" if isinstance(value, int) else f"{name:<40}{value:>14}")
