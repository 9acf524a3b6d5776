"""JSON Schema of the registry's types (2020-12, as OpenAPI 3.1 wants it), from msgspec."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from rest.edge.registry import Route

REF = "#/components/schemas/{name}"
Schema = dict[str, Any]


def schemas_of(routes: Iterable[Route]) -> tuple[dict[Any, Schema], dict[str, Schema]]:
    """(schema of each type used, components by name). Raises ValueError when two types want one name."""
    kinds: list[Any] = []
    for route in routes:
        for kind in (route.request, route.query, route.response):
            if kind is not None and kind not in kinds:
                kinds.append(kind)
    found, components = msgspec.json.schema_components(kinds, ref_template=REF, schema_hook=_any_value)
    for schema in components.values():
        _tidy(schema)
    return dict(zip(kinds, found, strict=True)), components


def _any_value(kind: type) -> Schema:
    """`object` in an answer: foreign JSON passed through, such as GeoJSON."""
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError


def query_parameters(schema: Schema, components: dict[str, Schema]) -> list[Schema]:
    """The fields of a query type as OpenAPI parameters; lists are comma-separated."""
    described = components[schema["$ref"].rsplit("/", 1)[1]]
    parameters = []
    for name, field in described["properties"].items():
        plain = _without_null(field)
        parameter = {
            "name": name,
            "in": "query",
            "required": name in described.get("required", []),
            "schema": plain,
        }
        if plain.get("type") == "array":
            parameter |= {"style": "form", "explode": False}
        if "description" in plain:
            parameter["description"] = plain.pop("description")
        parameters.append(parameter)
    return parameters


def _without_null(field: Schema) -> Schema:
    """A parameter cannot be null: it is left out instead."""
    field = {name: value for name, value in field.items() if name != "default" or value is not None}
    choices = [choice for choice in field.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        field.pop("anyOf")
        field |= choices[0]
    return field


def _tidy(schema: Schema) -> None:
    # The class docstring is written for readers of the code; its first sentence is enough here.
    if "description" in schema:
        schema["description"] = schema["description"].split("\n\n")[0].replace("\n", " ")
    if not schema.get("required", True):
        schema.pop("required")
    _publish_patterns(schema)


def _publish_patterns(schema: Any) -> None:  # noqa: ANN401 - any part of a schema
    """Patterns as JSON Schema reads them: its `$` needs no help (see values.exactly)."""
    if isinstance(schema, list):
        for part in schema:
            _publish_patterns(part)
    elif isinstance(schema, dict):
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            schema["pattern"] = pattern.removesuffix("(?!\\n)")
        for part in schema.values():
            _publish_patterns(part)
