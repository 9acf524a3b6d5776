"""The AsyncAPI 3.0 document of the socket edge, built from the registry at start.

One channel per namespace. Requests are `receive` operations with a reply (the Socket.IO ack); what the server says by
itself is one `send` operation per namespace. Schemas come from the types that decode and encode the messages.
Source: https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from hub.registry import Notice, Registry, Request, facts_of
from storage.base.facts import Fact

ERROR_ACK = "error_ack"
_REF = "#/components/schemas/{name}"

Json = dict[str, Any]


class ErrorBody(msgspec.Struct, frozen=True):
    """`code` is stable and made for programs, `detail` is for people. Some codes carry more fields."""

    code: str
    detail: str
    retry: bool


class ErrorAck(msgspec.Struct, frozen=True):
    """The ack of a request that was refused."""

    error: ErrorBody


class FactEnvelope(msgspec.Struct, frozen=True):
    """What every fact carries besides its own fields: a unique id, its place in the one order, when it was told."""

    id: str
    seq: int
    at: datetime


def document(registry: Registry, *, version: str, host: str) -> Json:
    """The whole contract as a JSON value."""
    schemas, messages = _components(registry)
    channels: Json = {}
    operations: Json = {}
    for namespace in registry.namespaces:
        name = namespace.removeprefix("/")
        said = [*(notice.name for notice in registry.notices_of(namespace)), *facts_of(namespace)]
        asked = registry.requests_of(namespace)
        channels[name] = _channel(namespace, asked, said)
        operations |= {f"{name}.{request.name}": _asking(name, request) for request in asked}
        operations[f"{name}.hear"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "summary": "What the server says: facts, live values and news of the connection.",
            "messages": [{"$ref": f"#/channels/{name}/messages/{_key(event)}"} for event in said],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "fieldhub sockets",
            "version": version,
            "description": "Socket.IO 5 over Engine.IO 4. One namespace per app; every request is answered by an ack.",
        },
        "defaultContentType": "application/json",
        "servers": {"hub": {"host": host, "pathname": "/socket.io/", "protocol": "wss"}},
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _channel(namespace: str, asked: Iterable[Request], said: Iterable[str]) -> Json:
    name = namespace.removeprefix("/")
    refs = {ERROR_ACK: ERROR_ACK}
    for request in asked:
        key = f"{name}.{request.name}"
        refs |= {f"ask.{request.name}": f"ask.{key}", f"ack.{request.name}": f"ack.{key}"}
    refs |= {_key(event): _key(event) for event in said}
    return {
        "address": namespace,
        "messages": {key: {"$ref": f"#/components/messages/{message}"} for key, message in refs.items()},
    }


def _asking(channel: str, request: Request) -> Json:
    messages = f"#/channels/{channel}/messages"
    roles = ", ".join(request.roles) or "everybody in this app"
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": request.summary,
        "description": f"For {roles}; {request.rate.burst} at once, then {request.rate.per_s:g} a second.",
        "messages": [{"$ref": f"{messages}/ask.{request.name}"}],
        "reply": {
            "channel": {"$ref": f"#/channels/{channel}"},
            "messages": [{"$ref": f"{messages}/ack.{request.name}"}, {"$ref": f"{messages}/{ERROR_ACK}"}],
        },
    }


def _components(registry: Registry) -> tuple[Json, Json]:
    facts = {topic: kind for namespace in registry.namespaces for topic, kind in facts_of(namespace).items()}
    requests = list(registry.requests.values())
    types: list[Any] = [ErrorAck, FactEnvelope, *facts.values()]
    for request in requests:
        types += [*_shapes(request), request.response]
    types += [notice.body for notice in registry.notices]
    shapes, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = {id(kind): shape for kind, shape in zip(types, shapes, strict=True)}
    messages = {ERROR_ACK: _message("error", by_type[id(ErrorAck)], "The request was refused.")}
    for request in requests:
        key = f"{request.namespace.removeprefix('/')}.{request.name}"
        messages[f"ask.{key}"] = _message(
            request.name, _one_of([by_type[id(shape)] for shape in _shapes(request)]), request.summary
        )
        messages[f"ack.{key}"] = _message(f"{request.name} ack", by_type[id(request.response)], "Done.")
    for notice in registry.notices:
        messages[_key(notice.name)] = _notice(notice, by_type[id(notice.body)])
    for topic, kind in facts.items():
        payload = {"allOf": [by_type[id(FactEnvelope)], by_type[id(kind)]]}
        messages[_key(topic)] = _message(topic, payload, _first_line(kind))
    return dict(sorted(schemas.items())), messages


def _shapes(request: Request) -> tuple[Any, ...]:
    return request.shapes or (request.request,)


def _one_of(shapes: list[Json]) -> Json:
    return shapes[0] if len(shapes) == 1 else {"oneOf": shapes}


def _notice(notice: Notice, shape: Json) -> Json:
    return _message(notice.name, shape, notice.summary)


def _message(name: str, payload: Json, summary: str) -> Json:
    return {"name": name, "payload": payload, "summary": summary}


def _first_line(kind: type[Fact]) -> str:
    return (kind.__doc__ or kind.topic).strip().splitlines()[0]


def _key(event: str) -> str:
    """Message keys share a table with `ask.…` and `ack.…`; what is heard has a prefix of its own."""
    return f"hear.{event}"
