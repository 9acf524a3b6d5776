"""The numbers of withdrawals: typed settings with unit, range and reason."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache

from storage.base.money import FEN_MAX

PREFIX = "FIELDHUB_WITHDRAWAL_"


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalRules:
    """Limits of money going out, each per owner. They hold when a withdrawal is asked for."""

    min_fen: int = 100  # HS-177: 1 yuan; below that a transfer costs more than it moves
    review_over_fen: int = 200_000  # HS-181: 2,000 yuan; a usual week's income passes without a person
    day_max_fen: int = 2_000_000  # 20,000 yuan a day: what a stolen phone can take at most
    day_count_max: int = 5  # requests a day: each may cost a fee and somebody's time

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0 < getattr(self, field.name) <= FEN_MAX:
                raise ValueError(f"{PREFIX}{field.name.upper()} must be between 1 and {FEN_MAX}")
        if self.day_max_fen < self.min_fen:
            raise ValueError("a day's limit below the minimum lets nothing out")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> WithdrawalRules:
        """Read `FIELDHUB_WITHDRAWAL_*`. Raises ValueError naming what cannot be read."""
        found = {}
        for field in fields(cls):
            raw = env.get(PREFIX + field.name.upper(), "")
            if raw:
                try:
                    found[field.name] = int(raw)
                except ValueError:
                    raise ValueError(f"{PREFIX}{field.name.upper()}={raw!r} is not a number") from None
        return cls(**found)


@cache
def current_rules() -> WithdrawalRules:
    """The limits in force, read once from the environment."""
    return WithdrawalRules.from_env(os.environ)
