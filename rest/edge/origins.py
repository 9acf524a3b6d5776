"""Browsers from other origins: an allow-list, nothing by default (Fetch standard, CORS protocol)."""

from __future__ import annotations

from aiohttp import hdrs, web

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id, Accept-Language"
)
_ANSWER_HEADERS = (
    "ETag, Location, Link, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, Idempotency-Replayed, "
    "WWW-Authenticate"
)
PREFLIGHT_MAX_AGE_S = 600


def answer_preflight(origins: frozenset[str], request: web.Request) -> web.Response | None:
    """The answer to a preflight of an allowed origin; None for everything else, which takes its usual way."""
    if request.method != hdrs.METH_OPTIONS or not origins or request.headers.get(hdrs.ORIGIN) not in origins:
        return None
    if hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers:
        return None
    headers = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _REQUEST_HEADERS,
        "Access-Control-Max-Age": str(PREFLIGHT_MAX_AGE_S),
    }
    return web.Response(status=204, headers=headers)


def allow_origin(origins: frozenset[str], request: web.Request, response: web.StreamResponse) -> None:
    """Name the origin in the answer. Credentials stay out: tokens travel in a header, never in cookies."""
    if not origins:
        return
    response.headers.add("Vary", "Origin")
    origin = request.headers.get(hdrs.ORIGIN)
    if origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _ANSWER_HEADERS
