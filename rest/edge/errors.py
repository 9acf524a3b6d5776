"""Refusals of the HTTP edge itself: what is wrong with a request before any domain has seen it.

Domains declare their own classes in their `model.py`; the families are in `storage.base.errors`.
"""

from __future__ import annotations

from storage.base.errors import (
    Busy,
    Conflict,
    Denied,
    HubError,
    Malformed,
    NotFound,
    StaleVersion,
    TooMany,
    Unauthorized,
)
from storage.idempotency import KeyReused

# The names routes use for the families whose codes every route shares.
LoginRequired = Unauthorized
Forbidden = Denied
InvalidInput = Malformed
RateLimited = TooMany


class BadRequest(Malformed):
    """The request does not follow HTTP."""

    code = "bad_request"


class MalformedJson(Malformed):
    """The body is not valid JSON."""

    code = "malformed_json"


class TokenInvalid(Unauthorized):
    """This access token is not one of ours."""

    code = "token_invalid"


class TokenExpired(Unauthorized):
    """The access token has run out; refresh it."""

    code = "token_expired"


class SessionRevoked(Unauthorized):
    """This session has ended; sign in again."""

    code = "session_revoked"


class UnknownParameter(Malformed):
    """This query parameter does not exist here."""

    code = "unknown_parameter"


class CursorInvalid(Malformed):
    """The cursor was not made by this list with these filters."""

    code = "cursor_invalid"


class KeyRequired(Malformed):
    """This request needs an Idempotency-Key header of 16 to 64 characters."""

    code = "idempotency_key_required"


class KeyInvalid(Malformed):
    """An Idempotency-Key has 16 to 64 letters, digits or `-_.:`."""

    code = "idempotency_key_invalid"


class KeyInProgress(Conflict):
    """The first request with this Idempotency-Key is still running."""

    code = "idempotency_in_progress"
    retry = True


class MethodNotAllowed(HubError):
    """This address does not answer this method; see the Allow header."""

    code = "method_not_allowed"
    status = 405


class BodyTooSlow(HubError):
    """The body did not arrive in time."""

    code = "request_timeout"
    status = 408
    retry = True


class BodyTooLarge(HubError):
    """The body is larger than this server reads."""

    code = "payload_too_large"
    status = 413


class UnsupportedMediaType(HubError):
    """Bodies must be application/json in UTF-8."""

    code = "unsupported_media_type"
    status = 415


class ExpectationFailed(HubError):
    """Only `Expect: 100-continue` is understood."""

    code = "expectation_failed"
    status = 417


class VersionRequired(HubError):
    """Send If-Match with the ETag you have read, so that no change is lost."""

    code = "version_required"
    status = 428


class Crash(HubError):
    """Something failed on our side; nothing of this request was kept."""


class Unavailable(Busy):
    """The service cannot reach its data right now; try again shortly."""

    code = "unavailable"


__all__ = [
    "BadRequest",
    "BodyTooLarge",
    "BodyTooSlow",
    "Crash",
    "CursorInvalid",
    "ExpectationFailed",
    "Forbidden",
    "InvalidInput",
    "KeyInProgress",
    "KeyInvalid",
    "KeyRequired",
    "KeyReused",
    "LoginRequired",
    "MalformedJson",
    "MethodNotAllowed",
    "NotFound",
    "RateLimited",
    "SessionRevoked",
    "StaleVersion",
    "TokenExpired",
    "TokenInvalid",
    "Unavailable",
    "UnknownParameter",
    "UnsupportedMediaType",
    "VersionRequired",
]
