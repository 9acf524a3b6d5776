"""The OpenAPI 3.1 document, built at start from the route tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from rest.edge.problems import PROBLEM
from rest.edge.refusals import errors_of
from rest.edge.registry import Link, Route
from rest.edge.reply import JSON
from rest.edge.schemas import Schema, query_parameters, schemas_of
from storage.base.errors import HubError

TITLE = "fieldhub"
_PROBLEM: Schema = {
    "type": "object",
    "description": "RFC 9457 problem. `code` is stable; `title` and `detail` follow Accept-Language.",
    "required": ["type", "title", "status", "detail", "instance", "code", "retryable"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "code": {"type": "string"},
        "retryable": {"type": "boolean", "description": "Whether the same request may succeed later."},
        "field": {"type": "string"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}},
    },
}
_FAULT: Schema = {
    "type": "object",
    "description": "One fault: `pointer` (RFC 6901) into the body, or the name of a query parameter.",
    "required": ["code", "detail"],
    "properties": {
        "pointer": {"type": "string"},
        "parameter": {"type": "string"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
}
_BYTES: Schema = {"type": "string", "format": "binary"}
_HEADERS: dict[str, Schema] = {
    "X-Request-Id": {"description": "Names this request in logs.", "schema": {"type": "string"}},
    "RateLimit": {"description": "What is left of the quota.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "The quota.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "ETag": {"description": "The version, for If-Match and If-None-Match.", "schema": {"type": "string"}},
    "Location": {"description": "Where the new resource is.", "schema": {"type": "string"}},
    "Link": {"description": "RFC 8288; `next` is the next page.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {"description": "`true` on a stored answer.", "schema": {"type": "string"}},
}


def document(routes: Sequence[Route], *, version: str) -> Schema:
    """The whole document, ready for JSON."""
    kinds, components = schemas_of(routes)
    paths: dict[str, Schema] = defaultdict(dict)
    for route in routes:
        paths[route.path][route.method.lower()] = _operation(route, kinds, components)
    # Query types are spelled out as parameters; their schemas would be leftovers.
    for route in routes:
        if route.query is not None:
            components.pop(kinds[route.query]["$ref"].rsplit("/", 1)[1], None)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": version, "description": _intro()},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(tag for route in routes for tag in route.tags)],
        "paths": dict(paths),
        "components": {
            "schemas": {**components, "Problem": _PROBLEM, "Fault": _FAULT},
            "headers": _HEADERS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(route: Route, kinds: dict[Any, Schema], components: dict[str, Schema]) -> Schema:
    parameters: list[Schema] = [_path_parameter(name) for name in route.path_variables]
    if route.query is not None:
        parameters += query_parameters(kinds[route.query], components)
    parameters += _header_parameters(route)
    operation: Schema = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "tags": list(route.tags),
        "parameters": parameters,
        "responses": _responses(route, kinds),
        "security": [] if route.is_public else [{"bearer": []}],
        "x-roles": list(route.roles),
    }
    if route.description:
        operation["description"] = route.description
    if route.request is not None:
        required = bool(components[kinds[route.request]["$ref"].rsplit("/", 1)[1]].get("required"))
        operation["requestBody"] = {"required": required, "content": {JSON: {"schema": kinds[route.request]}}}
    if route.uploads:
        operation["requestBody"] = {"required": True, "content": {media: _upload(media) for media in route.uploads}}
    return operation


def _upload(media: str) -> Schema:
    """A file as a body, or as the field `file` of a form."""
    if media != "multipart/form-data":
        return {"schema": _BYTES}
    return {"schema": {"type": "object", "required": ["file"], "properties": {"file": _BYTES}}}


def _path_parameter(name: str) -> Schema:
    schema = {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _header_parameters(route: Route) -> list[Schema]:
    found = []
    if route.idempotent is not None:
        text = "Made by the client and kept before sending; the same key and body give the same answer for 72 h."
        schema = {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{16,64}$"}
        required = route.idempotent == "required"
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": required,
                "description": text,
                "schema": schema,
            }
        )
    if route.if_match:
        schema = {"type": "string", "pattern": '^"v[1-9][0-9]{0,8}"$'}
        text = "The ETag that was read."
        found.append({"name": "If-Match", "in": "header", "required": True, "description": text, "schema": schema})
    return found


def _responses(route: Route, kinds: dict[Any, Schema]) -> Schema:
    success: Schema = {"description": HTTPStatus(route.status).phrase, "headers": _success_headers(route)}
    if route.response is not None:
        success["content"] = {route.media: {"schema": _BYTES if route.response is bytes else kinds[route.response]}}
    if route.links:
        success["links"] = {name: _link(link) for name, link in route.links.items()}
    responses: Schema = {str(route.status): success}
    if route.method == "GET":
        responses["304"] = {"description": "Not modified: the caller has this version."}
    by_status: dict[int, list[type[HubError]]] = defaultdict(list)
    for kind in errors_of(route):
        by_status[kind.status].append(kind)
    for status in sorted(by_status):
        responses[str(status)] = _refusals(by_status[status])
    return responses


def _success_headers(route: Route) -> Schema:
    names = ["X-Request-Id", "RateLimit", "RateLimit-Policy"]
    if route.has_etag or route.if_match:
        names.append("ETag")
    if route.status in {201, 202}:
        names.append("Location")
    if route.query is not None and "cursor" in route.query.__struct_fields__:
        names.append("Link")
    if route.idempotent is not None:
        names.append("Idempotency-Replayed")
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _refusals(kinds: list[type[HubError]]) -> Schema:
    codes = sorted({kind.code for kind in kinds})
    lines = [f"`{kind.code}`: {(kind.__doc__ or '').strip().splitlines()[0]}" for kind in kinds]
    schema = {
        "allOf": [{"$ref": "#/components/schemas/Problem"}],
        "properties": {"code": {"enum": codes}, "status": {"const": kinds[0].status}},
    }
    answer: Schema = {"description": "\n".join(sorted(lines)), "content": {PROBLEM: {"schema": schema}}}
    if kinds[0].status in {429, 503}:
        answer["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    return answer


def _link(link: Link) -> Schema:
    found: Schema = {"operationId": link.operation_id, "parameters": dict(link.parameters)}
    if link.body is not None:
        found["requestBody"] = dict(link.body)
    if link.description:
        found["description"] = link.description
    return found


def _intro() -> str:
    return (
        "Errors are RFC 9457 problems with a stable `code`. Money is integer fen. Instants are RFC 3339. "
        "Lists are keyset pages. POSTs that create or move value take an `Idempotency-Key`. "
        "Socket contract: `/asyncapi.json`."
    )
