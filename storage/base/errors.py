"""Errors a client can see. One class per reason; `code` is stable, the text is for people.

`status` is the HTTP status, `retry` says whether the same request may succeed later. Extra keyword fields travel
to the client as they are, so they must never hold secrets or phone numbers.
"""

from __future__ import annotations

from typing import Any, ClassVar


class HubError(Exception):
    """A refusal with a stable code. The docstring of the class is its default text."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retry: ClassVar[bool] = False

    def __init__(self, detail: str | None = None, **fields: Any) -> None:  # noqa: ANN401 - JSON values
        self.detail = detail or (type(self).__doc__ or self.code).strip().splitlines()[0]
        self.fields = fields
        super().__init__(self.detail)

    def as_dict(self) -> dict[str, Any]:
        """The one error shape of sockets: code, detail, retry and the extra fields."""
        return {"code": self.code, "detail": self.detail, "retry": self.retry, **self.fields}


class Unauthorized(HubError):
    """Sign in first."""

    code = "login_required"
    status = 401


class Denied(HubError):
    """You may not do this."""

    code = "forbidden"
    status = 403


class NotFound(HubError):
    """There is no such thing, or it is not yours."""

    code = "not_found"
    status = 404


class Malformed(HubError):
    """The request cannot be read."""

    code = "invalid_input"
    status = 400


class Conflict(HubError):
    """The state does not allow this."""

    code = "invalid_state"
    status = 409


class Invalid(HubError):
    """The request is well formed but cannot be served."""

    code = "unprocessable"
    status = 422


class TooMany(HubError):
    """Too many requests; slow down."""

    code = "rate_limited"
    status = 429
    retry = True


class Busy(HubError):
    """Not now; try again shortly."""

    code = "busy"
    status = 503
    retry = True


class StaleVersion(Conflict):
    """The resource has changed since you read it."""

    code = "stale_version"
    status = 412


def all_errors() -> list[type[HubError]]:
    """Every declared error class, by code; the registry behind docs and contracts."""
    found: dict[str, type[HubError]] = {}
    waiting: list[type[HubError]] = [HubError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        found.setdefault(f"{kind.code} {kind.__module__}.{kind.__qualname__}", kind)
    return [found[name] for name in sorted(found)]
