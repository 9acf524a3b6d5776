"""Who issues invoices and at which rate: typed settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from storage.base.money import BPS

PREFIX = "FIELDHUB_INVOICE_"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRules:
    """What stands on every invoice of ours. An invoice keeps the rate it was asked for under."""

    tax_bps: int = 600  # 6 %: services to people and of the modern kind, general taxpayer
    seller_name: str = "fieldhub"  # the company that issues
    seller_tax_no: str = ""  # its unified social credit code; empty: left off the paper

    def __post_init__(self) -> None:
        if not 0 <= self.tax_bps <= BPS:
            raise ValueError(f"{PREFIX}TAX_BPS must be between 0 and {BPS}")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> InvoiceRules:
        """Read `FIELDHUB_INVOICE_*`. Raises ValueError naming what cannot be read."""
        told = {field.name: env.get(PREFIX + field.name.upper(), "") for field in fields(cls)}
        found: dict[str, Any] = {name: raw for name, raw in told.items() if raw}
        rate = told["tax_bps"]
        if rate and not (rate.isascii() and rate.isdigit()):
            raise ValueError(f"{PREFIX}TAX_BPS={rate!r} is not a number")
        if rate:
            found["tax_bps"] = int(rate)
        return cls(**found)


@cache
def current_rules() -> InvoiceRules:
    """The rules in force, read once from the environment."""
    return InvoiceRules.from_env(os.environ)
