"""One request from a socket: find it, limit it, read it, run it, and answer in one shape whatever happens."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import asdict

from hub import metrics
from hub.limits import Limiter, Rate
from hub.members import Member, Principal
from hub.registry import Registry, Request
from hub.services import Services
from rest.edge.errors import BodyTooLarge
from rest.edge.request_ids import request_id_of
from storage.base.clock import Clock
from storage.base.errors import Busy, Denied, HubError, Malformed, NotFound
from storage.base.log import log, request_id

DEPTH_MAX = 16
"""Deeper JSON is nobody's request; the same bound as over HTTP."""

INTERNAL = {"code": "internal", "detail": "Something went wrong on our side.", "retry": True}

UNKNOWN_RATE = Rate(burst=20, per_s=2)
"""Names we do not know share one bucket, so that trying names is slow."""


class UnknownEvent(NotFound):
    """There is no such request in this namespace."""

    code = "unknown_event"


class TimedOut(Busy):
    """This took too long; look at the state before you try again."""

    code = "timeout"


class Ask(msgspec.Struct, frozen=True):
    """What a handler knows beside its body."""

    member: Member
    services: Services
    now: datetime

    @property
    def principal(self) -> Principal:
        return self.member.principal

    @property
    def worker_id(self) -> str:
        """The worker of a `/worker` socket. Raises Denied where there is none."""
        if self.principal.worker_id is None:
            raise Denied
        return self.principal.worker_id


class Answerer:
    """Answers requests by the registry's table."""

    def __init__(
        self,
        registry: Registry,
        services: Services,
        limiter: Limiter,
        *,
        payload_bytes_max: int,
        timeout_s: float,
    ) -> None:
        self._registry = registry
        self._services = services
        self._limiter = limiter
        self._clock: Clock = services.db.clock
        self._payload_bytes_max = payload_bytes_max
        self._timeout_s = timeout_s
        self.in_flight = 0

    def answer(
        self, member: Member, event: str, args: Sequence[object], *, size: int
    ) -> dict[str, Any] | Awaitable[dict[str, Any]]:
        """The ack: `{"ok": true, …}` or `{"error": {code, detail, retry, …}}`; at once where nothing has to wait."""
        ask = Ask(member, self._services, self._clock.now())
        request = self._registry.requests.get((member.link.namespace, event))
        try:
            given = self._run(ask, request, event, args, size)
            if not isinstance(given, msgspec.Struct):
                self.in_flight += 1
                return self._answer_later(ask, event, given)
            answer = asdict(given)
        except Exception as problem:  # noqa: BLE001 - the socket loop: every request gets its answer
            answer = self._refusal(ask, event, problem)
        return _counted(ask, event if request is not None else "unknown", answer)

    async def _answer_later(self, ask: Ask, event: str, work: Awaitable[msgspec.Struct]) -> dict[str, Any]:
        request_id.set(request_id_of(None, ask.now))
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = asdict(await work)
        except TimeoutError:
            answer = self._refusal(ask, event, TimedOut())
        except Exception as problem:  # noqa: BLE001 - the socket loop: every request gets its answer
            answer = self._refusal(ask, event, problem)
        finally:
            self.in_flight -= 1
        return _counted(ask, event, answer)

    def _refusal(self, ask: Ask, event: str, problem: Exception) -> dict[str, Any]:
        if isinstance(problem, HubError):
            return {"error": problem.as_dict()}
        named = request_id.get() or request_id_of(None, ask.now)
        before = request_id.set(named)
        log("socket.request_failed", level="error", error=problem, namespace=ask.member.namespace, name=event[:64])
        request_id.reset(before)
        return {"error": {**INTERNAL, "request_id": named}}

    def _run(
        self, ask: Ask, request: Request | None, event: str, args: Sequence[object], size: int
    ) -> msgspec.Struct | Awaitable[msgspec.Struct]:
        principal = ask.member.principal
        if request is None:
            self._limiter.check(principal.name, "unknown", UNKNOWN_RATE, ask.now)
            raise UnknownEvent(event=event[:64])
        self._limiter.check(principal.name, event, request.rate, ask.now, app=request.namespace)
        if size > self._payload_bytes_max:
            raise BodyTooLarge(bytes_max=self._payload_bytes_max)
        if request.roles and not principal.has_any(request.roles):
            raise Denied
        return request.handler(ask, read(request, args))


def _counted(ask: Ask, name: str, answer: dict[str, Any]) -> dict[str, Any]:
    """`name` is one of ours: names from the wire never become metric labels."""
    error = answer.get("error")
    metrics.REQUESTS.counts[ask.member.link.namespace, name, error["code"] if error else "ok"] += 1
    return answer


def read(request: Request, args: Sequence[object]) -> Any:  # noqa: ANN401 - the type is the request's
    """The typed body of a request. Raises Malformed."""
    if len(args) > 1:
        raise Malformed("A request takes one argument.")
    body = args[0] if args and args[0] is not None else {}
    if request.shapes:
        return body
    _check_plain(body, DEPTH_MAX)
    try:
        return msgspec.convert(body, request.request)
    except msgspec.ValidationError as fault:
        raise Malformed(str(fault)) from None


def _check_plain(value: object, depth: int) -> None:
    """Refuse what JSON text of ours never holds: binary, NUL, numbers without a value, endless nesting."""
    kind = type(value)  # parsers make plain types only
    if kind is int or kind is bool or value is None:
        return
    if kind is str:
        if "\x00" in value:  # type: ignore[operator]  # a str
            raise Malformed("Text must not contain NUL.")
    elif kind is float:
        if not math.isfinite(value):  # type: ignore[arg-type]  # a float
            raise Malformed("Numbers must be finite.")
    elif isinstance(value, dict | list):
        if depth == 0:
            raise Malformed(f"Nested deeper than {DEPTH_MAX} levels.")
        for part in [*value, *value.values()] if isinstance(value, dict) else value:
            if type(part) is not int:
                _check_plain(part, depth - 1)
    else:
        raise Malformed("Binary is not accepted here.")
