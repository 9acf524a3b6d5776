"""JSON in and out: orjson, instants as RFC 3339 UTC with milliseconds and `Z`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson


def instant(at: datetime) -> str:
    """`2026-01-05T02:00:00.000Z`."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")[:-6] + "Z"


def _default(value: Any) -> Any:  # noqa: ANN401 - JSON wall
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, msgspec.Struct):
        return {name: held for name, held in msgspec.structs.asdict(value).items() if held is not msgspec.UNSET}
    if isinstance(value, frozenset | set | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def dumps(value: Any) -> bytes:  # noqa: ANN401 - JSON wall
    """Encode; structs by field name (unset fields left out), sets as lists."""
    return orjson.dumps(value, default=_default, option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS)


def loads(raw: bytes | str) -> Any:  # noqa: ANN401 - JSON wall
    """Decode; raises orjson.JSONDecodeError."""
    return orjson.loads(raw)
