"""Identifiers: a three-letter kind, an underscore, and a UUIDv7 in base32.

Time-ordered ids keep index pages hot; the prefix says in every log line what a thing is.
Source: RFC 9562 §5.7 (UUIDv7), Crockford base32 alphabet in lower case.
"""

from __future__ import annotations

import os
import re
from datetime import datetime

AFTER_ALL_IDS = "~"
"""Greater than every id: where a list by id, newest first, begins."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_BODY_LENGTH = 26
_SHIFTS = tuple(range(120, -1, -10))
_SHAPE = re.compile(r"[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}")


def new_id(kind: str, now: datetime) -> str:
    """Return `kind` + "_" + 26 base32 characters of a UUIDv7 made at `now`."""
    milliseconds = int(now.timestamp() * 1000)
    random_bits = int.from_bytes(os.urandom(10), "big")
    rand_a, rand_b = random_bits >> 68, random_bits & ((1 << 62) - 1)
    value = (milliseconds << 80) | (7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b
    body = "".join([_PAIRS[(value >> shift) & 1023] for shift in _SHIFTS])
    return f"{kind}_{body}"


def is_id(text: str, kind: str) -> bool:
    """Whether `text` has the shape of an id of this kind (it may still name nothing)."""
    return len(text) == len(kind) + 1 + _BODY_LENGTH and text.startswith(kind + "_") and bool(_SHAPE.fullmatch(text))
