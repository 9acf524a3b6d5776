"""Requests that are business verbs: parse, call, ack. What the verb does is decided below the hub."""

from __future__ import annotations

from typing import Any

import msgspec

from hub.asking import Ask
from hub.limits import Rate
from hub.registry import ANY_ROLE, Handler, Request

TAPS = Rate(burst=10, per_s=2)
"""Buttons people press; a double tap passes, a script does not."""


def verb_request(
    namespace: str,
    name: str,
    request: type[msgspec.Struct],
    response: type[msgspec.Struct],
    summary: str,
    *,
    roles: tuple[str, ...] = ANY_ROLE,
    rate: Rate = TAPS,
) -> Request:
    """A row whose handler is the port's verb `<namespace>.<name>`."""
    return Request(
        namespace=namespace,
        name=name,
        summary=summary,
        request=request,
        response=response,
        handler=_calling(verb_key(namespace, name), response),
        roles=roles,
        rate=rate,
    )


def verb_key(namespace: str, name: str) -> str:
    """`worker.grab`: the name under which `Ports.verbs` has it."""
    return f"{namespace.removeprefix('/')}.{name}"


def _calling(key: str, response: type[msgspec.Struct]) -> Handler:
    async def call(ask: Ask, body: Any) -> msgspec.Struct:  # noqa: ANN401 - the type is the request's
        given = await ask.services.ports.verbs[key](ask.services.db, ask.principal, body)
        return msgspec.convert(given, response)

    return call
