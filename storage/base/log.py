"""Logs: one JSON line is one fact, with the request or socket id of whoever caused it.

Secrets and phone numbers are removed by field name before a line is written.
"""

from __future__ import annotations

import sys
import time
import traceback
from contextvars import ContextVar
from types import NoneType
from typing import Any, TextIO

from storage.base.clock import SystemClock
from storage.base.codec import dumps, instant

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_SECRET = {"token", "access_token", "refresh_token", "code", "dev_code", "secret", "authorization", "password", "key"}
_PHONE = {"phone", "mobile", "contact_phone"}
_clock = SystemClock()
_out: TextIO | None = None


def direct_to(stream: TextIO | None) -> None:
    """Write lines to this stream; None means standard error."""
    global _out  # noqa: PLW0603 - one process, one log
    _out = stream


def log(event: str, *, level: str = "info", error: BaseException | None = None, **fields: Any) -> None:  # noqa: ANN401
    """Write one line. `level` is info (business), warning (retried trouble) or error (a person must look)."""
    line: dict[str, Any] = {"at": instant(_clock.now()), "level": level, "event": event}
    caused_by = request_id.get()
    if caused_by:
        line["request_id"] = caused_by
    for name, value in fields.items():
        line[name] = redact(name, value)
    if error is not None:
        line["error"] = f"{type(error).__name__}: {error}"
        line["traceback"] = "".join(traceback.format_exception(error))
    stream = _out or sys.stderr
    stream.write(_encoded(line).decode() + "\n")


class Seldom:
    """Lines strangers can cause, one for many: whoever floods us with garbage must not flood the log."""

    def __init__(self, event: str, *, every_s: float = 1.0) -> None:
        self._event = event
        self._every_s = every_s
        self._written_at = -every_s
        self._not_written = 0

    def log(self, **fields: Any) -> None:  # noqa: ANN401 - as log
        """Write a line that tells how many there were since the last, or only count."""
        now = time.monotonic()
        if now - self._written_at < self._every_s:
            self._not_written += 1
            return
        log(self._event, not_written=self._not_written, **fields)
        self._written_at, self._not_written = now, 0


def redact(name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Hide secrets whole and all but the ends of phone numbers."""
    if name in _SECRET:
        return "[redacted]"
    if name in _PHONE and isinstance(value, str):
        return f"{value[:3]}****{value[-2:]}" if len(value) > 6 else "****"
    return value


def _encoded(line: dict[str, Any]) -> bytes:
    try:
        return dumps(line)
    except TypeError:
        plain = (str, int, float, NoneType)
        return dumps({name: value if isinstance(value, plain) else repr(value) for name, value in line.items()})
