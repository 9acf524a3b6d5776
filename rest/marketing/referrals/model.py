"""Codes, and people as their referrer may see them. Pure."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from storage.base.errors import Invalid

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is taken for a digit. Eight of them are 40 bits."""

CODE_LENGTH = 8
_TAKEN_FOR = str.maketrans("OIL", "011")


class CodeUnknown(Invalid):
    """Nobody has this referral code."""

    code = "referral_code_unknown"


class Side(StrEnum):
    """Which side of an account was brought; one account may have both."""

    CUSTOMER = "customer"
    TECHNICIAN = "technician"


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """One side of an account, and who brought it. `name` is whole here and leaves masked."""

    id: str
    account_id: str
    side: Side
    worker_id: str | None
    referrer_id: str
    name: str
    since: datetime


def new_code() -> str:
    """A code that says nothing about whose it is or how many there are."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def read_code(typed: str) -> str:
    """The code a person meant: capitals, and digits where he wrote letters that look like them."""
    return typed.upper().translate(_TAKEN_FOR)


def mask_name(name: str) -> str:
    """The first sign of a name; how long the rest is says nothing (HS-168)."""
    return f"{name[:1]}**"
