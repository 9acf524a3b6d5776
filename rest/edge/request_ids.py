"""X-Request-Id: a UUIDv7 of ours, or the UUID a proxy in front has given."""

from __future__ import annotations

import os
import re
from datetime import datetime

HEADER = "X-Request-Id"

_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)


def request_id_of(given: str | None, now: datetime) -> str:
    """The caller's id when it is a UUID (anything else could be made to confuse logs), else a new UUIDv7."""
    if given is not None and _UUID.fullmatch(given):
        return _dashed(given.replace("-", "").lower())
    head = f"{int(now.timestamp() * 1000):012x}"
    tail = os.urandom(10).hex()
    # Version 7 and variant 10 (RFC 9562 §5.7) take the place of six random bits.
    return _dashed(f"{head}7{tail[1:4]}{'89ab'[int(tail[4], 16) & 3]}{tail[5:20]}")


def urn(value: str | None) -> str:
    """The `instance` of a problem."""
    return f"urn:uuid:{value}" if value else "about:blank"


def _dashed(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
