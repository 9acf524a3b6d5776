"""Every error answer, as RFC 9457 `application/problem+json`, whoever found the error.

A refusal (`HubError`) carries its own code and status; aiohttp's own errors are given ours; an outage of the
database is `unavailable`; anything else is a crash: logged with its traceback, answered 500 with nothing of
it inside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import asyncpg
from aiohttp import ContentTypeError, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from rest.edge import wording
from rest.edge.errors import (
    BadRequest,
    BodyTooLarge,
    Crash,
    ExpectationFailed,
    Forbidden,
    LoginRequired,
    MethodNotAllowed,
    NotFound,
    Unavailable,
    UnsupportedMediaType,
)
from rest.edge.reply import Finished
from rest.edge.request_ids import urn
from storage.base import codec
from storage.base.errors import HubError
from storage.base.log import log, request_id

PROBLEM = "application/problem+json"

OUTAGES = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    ConnectionError,
    TimeoutError,
)
"""The data cannot be reached, or not in time. Safe to repeat: an unfinished transaction has no effect."""

_OF_AIOHTTP: dict[int, type[HubError]] = {
    401: LoginRequired,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: BodyTooLarge,
    415: UnsupportedMediaType,
    417: ExpectationFailed,
}
_RESERVED = {"type", "title", "status", "detail", "instance", "code", "retryable"}


def refusal_of(error: Exception) -> HubError:
    """What the client is told about an exception. Logs crashes and outages."""
    if isinstance(error, HubError):
        if error.status >= 500 and not error.retry:
            log("http.crashed", level="error", error=error)
        return error
    if isinstance(error, web.HTTPException):
        return _OF_AIOHTTP.get(error.status, BadRequest if error.status < 500 else Crash)(error.reason)
    if isinstance(error, HttpProcessingError | web.RequestPayloadError | ContentTypeError):
        return BadRequest("The body cannot be read as it was sent.")
    if isinstance(error, OUTAGES):
        log("http.unavailable", level="warning", error=error)
        return Unavailable()
    log("http.crashed", level="error", error=error)
    return Crash()


def refuse(request: web.BaseRequest, refusal: HubError) -> Finished:
    """The problem document of a refusal and its headers."""
    tongue = wording.language(request.headers.get(hdrs.ACCEPT_LANGUAGE))
    document: dict[str, Any] = {
        "type": f"/problems/{refusal.code}",
        "title": wording.title(refusal.code, tongue),
        "status": refusal.status,
        "detail": wording.detail(refusal, tongue),
        "instance": urn(request_id.get()),
        "code": refusal.code,
        "retryable": refusal.retry,
    }
    document.update((name, value) for name, value in refusal.fields.items() if name not in _RESERVED)
    headers = {
        "Content-Type": PROBLEM,
        "Content-Language": wording.TAGS[tongue],
        **_headers_of(refusal),
    }
    return Finished(refusal.status, headers, codec.dumps(document))


def _headers_of(refusal: HubError) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    wait = refusal.fields.get("retry_after_s")
    if wait is None and refusal.status == 503:
        wait = 1
    if wait is not None:
        headers["Retry-After"] = str(math.ceil(wait))
    if refusal.status == 401:
        # RFC 6750 §3: no error attribute when the request carried no token at all.
        error = "" if refusal.code == LoginRequired.code else ', error="invalid_token"'
        headers["WWW-Authenticate"] = f'Bearer realm="fieldhub"{error}'
    return headers
