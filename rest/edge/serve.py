"""Mounts routes on aiohttp: the order of checks, the same for every operation.

caller → quota → role → path → query → headers → body → handler → bytes. Around them stands one middleware for
the whole application: request id, log line, browser origins, and a problem document for whatever was raised
below.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter

from aiohttp import hdrs, web

from rest.edge.context import Ctx
from rest.edge.decode import BodyReader, QueryReader
from rest.edge.errors import BodyTooLarge, BodyTooSlow, NotFound, UnsupportedMediaType
from rest.edge.idempotency import Claim
from rest.edge.machine import TRACE, Machine, Trace
from rest.edge.metrics import Meter
from rest.edge.origins import allow_origin, answer_preflight
from rest.edge.problems import refusal_of, refuse
from rest.edge.refusals import errors_of
from rest.edge.registry import Route
from rest.edge.reply import Finished, finish
from rest.edge.request_ids import HEADER as REQUEST_ID
from rest.edge.request_ids import request_id_of
from rest.edge.uploads import FORM_BYTES, file_in
from rest.edge.versions import expected_versions, is_known
from storage.base.errors import HubError
from storage.base.log import log, request_id

MACHINE = web.AppKey("machine", Machine)

BODY_WAIT_S = 20.0
"""A megabyte over a slow phone; longer waits are held open by nobody honest."""
UPLOAD_WAIT_S = 60.0
"""Five megabytes at less than one megabit a second."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_JSON = re.compile(r"application/json\s*(?:;\s*charset\s*=\s*\"?utf-?8\"?\s*)?", re.IGNORECASE)
_NO_VERSIONS: frozenset[int] = frozenset()

AioHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mount(app: web.Application, routes: Iterable[Route]) -> None:
    """Add these operations to the application, which has a machine under MACHINE."""
    machine = app[MACHINE]
    for route in routes:
        app.router.add_route(route.method, route.path, handler_of(machine, route))
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, handler_of(machine, route))


def handler_of(machine: Machine, route: Route) -> AioHandler:
    """The aiohttp handler of one operation."""
    read_query = QueryReader(route.query).read
    reader = BodyReader(route.request) if route.request is not None else None
    meter = Meter(route.operation_id)
    codes = frozenset(kind.code for kind in errors_of(route))

    async def handle(request: web.Request) -> web.StreamResponse:
        trace = request[TRACE]
        trace.operation, trace.codes = meter, codes
        actor = await machine.admit(request, route)
        ctx = Ctx(machine, route, request, actor)
        for name in ctx.path.values():
            # No id of ours looks different; PostgreSQL would choke on some of what does.
            if not _NAME.fullmatch(name):
                raise NotFound
        ctx.query = read_query(request.query)
        if route.uploads:
            ctx.body = raw = await read_upload(request, machine.settings.file_bytes_max)
        else:
            raw = await read_body(request, machine.settings.request_bytes_max, typed=reader is not None)
        claim = Claim.of(request, route, actor.account_id if actor else "", raw)
        expected = expected_versions(request.headers.get(hdrs.IF_MATCH)) if route.if_match else _NO_VERSIONS
        ctx.bind(claim, expected)
        if reader is not None:
            ctx.body = reader.read(raw)
        finished = finish(await route.handler(ctx), route.status)
        # A key that protected nothing would be a promise broken in silence.
        assert not ctx.is_unclaimed, f"{route.operation_id} has a key and did not use ctx.transact"  # noqa: S101
        assert not ctx.is_unaudited, f"{route.operation_id} is for staff and did not use ctx.transact"  # noqa: S101
        return respond(request, route, finished)

    return handle


async def read_body(request: web.Request, bytes_max: int, *, typed: bool, wait_s: float = BODY_WAIT_S) -> bytes:
    """The raw body. Raises BodyTooLarge, BodyTooSlow, and UnsupportedMediaType where JSON is expected and not sent."""
    if not request.body_exists:
        return b""
    if (request.content_length or 0) > bytes_max:
        raise BodyTooLarge(bytes_max=bytes_max)
    content_type = request.headers.get(hdrs.CONTENT_TYPE, "")
    if typed and not _JSON.fullmatch(content_type):
        raise UnsupportedMediaType
    if request.content.is_eof():
        return await request.read()  # it is all here: nothing to wait for
    try:
        async with asyncio.timeout(wait_s):
            # aiohttp counts while it reads (and inflates): see client_max_size.
            return await request.read()
    except TimeoutError as late:
        raise BodyTooSlow from late


async def read_upload(request: web.Request, bytes_max: int) -> bytes:
    """The file in a body that may be larger than others. Raises as `read_body`, and BadRequest where there is none."""
    body_max = bytes_max + FORM_BYTES
    request._client_max_size = body_max  # noqa: SLF001 - aiohttp has one bound for all routes of an application
    file = await file_in(request, await read_body(request, body_max, typed=False, wait_s=UPLOAD_WAIT_S))
    if len(file) > bytes_max:
        raise BodyTooLarge(bytes_max=bytes_max)
    return file


def respond(request: web.Request, route: Route, finished: Finished) -> web.Response:
    """The response, or 304 when the caller has this version already."""
    headers = finished.headers
    headers["Cache-Control"] = route.cache
    tag = headers.get("ETag")
    if tag is not None and route.method == "GET" and is_known(request.headers.get(hdrs.IF_NONE_MATCH), tag):
        return web.Response(status=304, headers={"ETag": tag, "Cache-Control": route.cache})
    return web.Response(status=finished.status, headers=headers, body=finished.raw)


@web.middleware
async def around(request: web.Request, handler: AioHandler) -> web.StreamResponse:
    """Outermost: nothing leaves without a request id, and no error leaves but as a problem."""
    started = perf_counter()
    machine = request.app[MACHINE]
    rid = request_id_of(request.headers.get(REQUEST_ID), machine.db.clock.now())
    request_id.set(rid)
    trace = request[TRACE] = Trace()
    response = await _answer(request, handler, machine)
    if not response.prepared:
        headers = response.headers
        headers[REQUEST_ID] = rid
        if trace.quota is not None:
            headers["RateLimit-Policy"] = machine.quota.policy
            headers["RateLimit"] = trace.quota
        allow_origin(machine.origins, request, response)
    _note(request, trace, response.status, perf_counter() - started)
    return response


async def _answer(request: web.Request, handler: AioHandler, machine: Machine) -> web.StreamResponse:
    preflight = answer_preflight(machine.origins, request)
    if preflight is not None:
        return preflight
    try:
        return await handler(request)
    except web.HTTPException as raised:
        if raised.status < 400:
            # A redirect; aiohttp wants the exception raised or a plain response, not the exception returned.
            return web.Response(status=raised.status, headers={hdrs.LOCATION: raised.headers[hdrs.LOCATION]})
        response = problem(request, refusal_of(raised))
        if hdrs.ALLOW in raised.headers:
            response.headers[hdrs.ALLOW] = raised.headers[hdrs.ALLOW]
        return response
    except Exception as raised:  # noqa: BLE001 - one of the four loops; crashes are logged by refusal_of
        refusal = refusal_of(raised)
        operation, codes = request[TRACE].operation, request[TRACE].codes
        if operation is not None and refusal.code not in codes:
            log("http.refusal_undocumented", level="warning", operation=operation.name, refusal=refusal.code)
        return problem(request, refusal)


def problem(request: web.BaseRequest, refusal: HubError) -> web.Response:
    """A refusal as a response."""
    finished = refuse(request, refusal)
    headers = {**finished.headers, "Cache-Control": "no-store"}
    return web.Response(status=finished.status, headers=headers, body=finished.raw)


def _note(request: web.Request, trace: Trace, status: int, seconds: float) -> None:
    if trace.operation is not None:
        trace.operation.count(status, seconds)
    resource = request.match_info.route.resource
    log(
        "http.request",
        method=request.method,
        # The template, not the path: paths carry share tokens.
        path=resource.canonical if resource is not None else "unmatched",
        status=status,
        ms=round(seconds * 1000, 2),
        account_id=trace.account_id,
    )
