"""The numbers of refund requests: typed settings with unit, range and reason."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache

from storage.base.money import FEN_MAX

PREFIX = "FIELDHUB_REFUND_"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRules:
    """Limits of refund requests. A policy may name another limit for the second approval."""

    second_over_fen: int = 50_000  # 500 yuan: more than a usual visit costs; above it one person is not enough
    review_s: int = 86_400  # FR-159: a provider who says nothing for a day has no opinion
    window_days: int = 7  # after an order's end its customer may ask this long
    open_max: int = 5  # requests of one order at a time: each waits for a person

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0 < getattr(self, field.name) <= FEN_MAX:
                raise ValueError(f"{PREFIX}{field.name.upper()} must be between 1 and {FEN_MAX}")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> RefundRules:
        """Read `FIELDHUB_REFUND_*`. Raises ValueError naming what cannot be read."""
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
def current_rules() -> RefundRules:
    """The limits in force, read once from the environment."""
    return RefundRules.from_env(os.environ)
