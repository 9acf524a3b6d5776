"""The wall to aiohttp's server: what fails before the application sees a request is a problem document too.

aiohttp answers unreadable HTTP and unknown expectations outside the middlewares, as plain text.
`ProblemRunner` is its `AppRunner` with those two answers replaced.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage

from rest.edge.errors import BadRequest
from rest.edge.problems import refusal_of
from rest.edge.request_ids import HEADER as REQUEST_ID
from rest.edge.request_ids import request_id_of
from rest.edge.serve import problem
from storage.base.clock import SystemClock
from storage.base.log import Seldom, request_id

_clock = SystemClock()


_unreadable = Seldom("http.unreadable")


class ProblemProtocol(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer unreadable HTTP; the connection is closed after it."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        if status >= 500 or not isinstance(exc, BadHttpMessage):
            response = _stamped(request, exc if isinstance(exc, Exception) else RuntimeError(message))
        else:
            _unreadable.log(reason=(message or "")[:200])
            response = _stamped(request, BadRequest())
        response.force_close()
        return response


class ProblemServer(web.Server):
    """Makes a protocol for each connection."""

    def __init__(self, plain: web.Server, options: dict[str, Any]) -> None:
        super().__init__(
            _guarded(plain.request_handler),
            request_factory=plain.request_factory,
            handler_cancellation=plain.handler_cancellation,
            **options,
        )
        self._options = options

    def __call__(self) -> web.RequestHandler:
        return ProblemProtocol(self, loop=self._loop, **self._options)


class ProblemRunner(web.AppRunner):
    """Use it wherever `AppRunner` would be used. No access log: the edge writes its own line for each request."""

    def __init__(self, app: web.Application, **options: Any) -> None:  # noqa: ANN401 - as AppRunner's
        super().__init__(app, **{"access_log": None, **options})

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        return ProblemServer(plain, plain._kwargs)  # noqa: SLF001 - no public way to hand on the options


def _guarded(
    handler: Callable[[Any], Awaitable[web.StreamResponse]],
) -> Callable[[Any], Awaitable[web.StreamResponse]]:
    async def guarded(request: Any) -> web.StreamResponse:  # noqa: ANN401 - aiohttp's union of requests
        if not request.headers.get("Expect", "").isascii():  # aiohttp would fail in saying that it does not know it
            return _stamped(request, web.HTTPExpectationFailed())
        try:
            return await handler(request)
        except web.HTTPException as raised:
            return _stamped(request, raised)

    return guarded


def _stamped(request: web.BaseRequest, error: Exception) -> web.Response:
    rid = request_id_of(request.headers.get(REQUEST_ID), _clock.now())
    request_id.set(rid)
    response = problem(request, refusal_of(error))
    response.headers[REQUEST_ID] = rid
    return response
