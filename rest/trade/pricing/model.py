"""Prices as values: lines that add up, a fee by distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from storage.base.money import FEN_MAX

METRES_PER_KM = 1000


class PriceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a quote. Discounts are negative amounts; `ref` names what the line is for.

    `allocated_to` is the place, from 1, of the item line a discount takes from.
    """

    kind: str
    amount_fen: int
    qty: int = 1
    ref: str = ""
    allocated_to: int | None = None


def total(lines: Sequence[PriceLine]) -> int:
    """What the lines add up to, in fen; a price never falls below 0."""
    return max(0, sum(line.amount_fen for line in lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceTariff:
    """A fee by distance: `base_fen` for the first `base_m`, then `per_km_fen` per started kilometre."""

    base_m: int
    base_fen: int
    per_km_fen: int

    def __post_init__(self) -> None:
        if min(self.base_m, self.base_fen, self.per_km_fen) < 0 or max(self.base_fen, self.per_km_fen) > FEN_MAX:
            raise ValueError("a tariff has no negative and no absurd amounts")


def travel_fee(tariff: DistanceTariff, distance_m: int, free_m: int = 0) -> int:
    """The fee in fen for `distance_m` whole metres, of which the first `free_m` cost nothing.

    A trip that the free metres cover whole is free; any other pays at least the base fee.
    Source: HS-046; 3.0 / 3.1 / 8.4 km cost 9.00 / 11.50 / 24.00 with 9.00 for 3 km and 2.50 per started km.
    """
    if distance_m < 0 or free_m < 0:
        raise ValueError("distances are not negative")
    if free_m > 0 and distance_m <= free_m:
        return 0
    beyond_m = max(0, distance_m - free_m - tariff.base_m)
    started_km = -(-beyond_m // METRES_PER_KM)
    return tariff.base_fen + started_km * tariff.per_km_fen
