"""The whole contract as published: valid, complete, bounded, and the same as what is served."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from aiohttp import ClientSession
from openapi_spec_validator import validate

from rest.app import OPERATIONS, build_app
from rest.edge import PUBLIC, Route
from rest.edge.catalogue import catalogue
from rest.edge.openapi import document
from rest.edge.refusals import errors_of
from rest.edge.registry import Link, check_table
from rest.edge.wording import ZH
from storage.base.errors import all_errors
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge import shop
from tests.edge.conftest import serving
from tests.edge.errors_page import PAGE, import_everything


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return document(OPERATIONS, version="1.2.3")


def test_the_document_is_valid_openapi(contract: dict[str, Any]) -> None:
    validate(contract)
    validate(document(shop.ROUTES, version="1"))


def test_every_route_is_one_operation(contract: dict[str, Any]) -> None:
    described = {
        (method.upper(), path, operation["operationId"])
        for path, methods in contract["paths"].items()
        for method, operation in methods.items()
    }
    assert described == {(route.method, route.path, route.operation_id) for route in OPERATIONS}
    assert len(described) == len(OPERATIONS)


async def test_the_application_serves_what_the_document_says(db: Database, settings: Settings) -> None:
    app = build_app(db, settings)
    served = Counter(
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/v1/") and route.method != "HEAD"
    )
    assert served == Counter((route.method, route.path) for route in OPERATIONS)


def test_every_refusal_a_route_declares_is_in_its_answers(contract: dict[str, Any]) -> None:
    for route in OPERATIONS:
        answers = contract["paths"][route.path][route.method.lower()]["responses"]
        for kind in errors_of(route):
            schema = answers[str(kind.status)]["content"]["application/problem+json"]["schema"]
            assert kind.code in schema["properties"]["code"]["enum"]


def test_every_schema_that_is_referred_to_exists(contract: dict[str, Any]) -> None:
    text = str(contract)
    for kind, name in re.findall(r"#/components/(\w+)/([\w-]+)", text):
        assert name in contract["components"][kind]


def unbounded(schema: Any, contract: dict[str, Any], path: str) -> list[str]:
    """Where a request could be of any size."""
    if "$ref" in schema:
        return unbounded(contract["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], contract, path)
    found: list[str] = []
    for part in schema.get("anyOf", []):
        found += unbounded(part, contract, path)
    if "enum" in schema or "const" in schema:
        return found
    match schema.get("type"):
        case "string":
            if not {"maxLength", "pattern", "format"} & schema.keys():
                found.append(path)
        case "integer" | "number":
            if (
                not {"minimum", "exclusiveMinimum"} & schema.keys()
                or not {"maximum", "exclusiveMaximum"} & schema.keys()
            ):
                found.append(path)
        case "array":
            found += [] if "maxItems" in schema else [path]
            found += unbounded(schema["items"], contract, path + "[]")
        case "object":
            for name, field in schema.get("properties", {}).items():
                found += unbounded(field, contract, f"{path}.{name}")
            found += [] if schema.get("additionalProperties") is False else [path]
    return found


def test_nothing_in_a_request_is_unbounded(contract: dict[str, Any]) -> None:
    found = []
    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            for parameter in operation["parameters"]:
                found += unbounded(parameter["schema"], contract, f"{method} {path} {parameter['name']}")
            body = operation.get("requestBody")
            if body and "application/json" in body["content"]:  # files are bounded by their setting
                found += unbounded(body["content"]["application/json"]["schema"], contract, f"{method} {path} body")
    assert found == []


def test_the_check_for_bounds_can_fail() -> None:
    for schema in ({"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "array", "items": {"const": 1}}):
        assert unbounded(schema, {}, "x") == ["x"]


def test_security_and_keys_are_described(contract: dict[str, Any]) -> None:
    for route in OPERATIONS:
        operation = contract["paths"][route.path][route.method.lower()]
        assert bool(operation["security"]) == bool(route.roles)
        names = {parameter["name"]: parameter["required"] for parameter in operation["parameters"]}
        assert names.get("Idempotency-Key") == {None: None, "optional": False, "required": True}[route.idempotent]
        assert ("If-Match" in names) == route.if_match


def test_a_code_means_one_thing_and_is_documented() -> None:
    import_everything()
    product = [kind for kind in all_errors() if not kind.__module__.startswith("tests.")]
    meanings: dict[str, set[tuple[int, bool]]] = {}
    for kind in product:
        meanings.setdefault(kind.code, set()).add((kind.status, kind.retry))
        assert re.fullmatch(r"[a-z][a-z0-9_]*", kind.code), kind
        assert (kind.__doc__ or "").strip(), kind
        assert 400 <= kind.status <= 599, kind
    assert {code: found for code, found in meanings.items() if len(found) > 1} == {}
    page = PAGE.read_text()
    missing = [
        entry.code for entry in catalogue() if f"`{entry.code}`" not in page and not entry.code.startswith("test_")
    ]
    assert missing == [], "run: python -m tests.edge.errors_page"


def test_every_code_has_a_chinese_title() -> None:
    import_everything()
    assert sorted({entry.code for entry in catalogue() if not entry.code.startswith("test_")} - set(ZH)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/v1/Jars"},
        {"path": "v1/jars"},
        {"operation_id": "jars"},
        {"request": shop.Jar},
        {"query": shop.Jar},
        {"method": "GET", "request": shop.JarBody},
        {"method": "PUT", "idempotent": "required"},
        {"idempotent": "optional", "roles": ()},
        {"response": None},
        {"status": 204},
    ],
)
def test_a_row_that_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    row: dict[str, Any] = {
        "method": "POST", "path": "/v1/jars", "handler": shop.add, "operation_id": "jars.add", "summary": "Add",
        "response": shop.Jar,
    }  # fmt: skip
    Route(**row)
    with pytest.raises(ValueError):
        Route(**{**row, **change})


def test_two_rows_for_one_operation_are_refused() -> None:
    first = Route("GET", "/v1/a/{x}", shop.greet, "a.read", "A", response=shop.Greeting, roles=PUBLIC)
    same_path = Route("GET", "/v1/a/{y}", shop.greet, "b.read", "A", response=shop.Greeting)
    same_id = Route("GET", "/v1/b", shop.greet, "a.read", "A", response=shop.Greeting)
    lost = Route("GET", "/v1/c", shop.greet, "c.read", "A", response=shop.Greeting, links={"next": Link("d.read")})
    for other in (same_path, same_id, lost):
        with pytest.raises(ValueError):
            check_table([first, other])


async def test_the_documents_are_served_and_compared_by_tag(db: Database, settings: Settings) -> None:
    async with serving(build_app(db, settings)) as base, ClientSession() as session:
        async with session.get(f"{base}/openapi.json") as answer:
            served, tag = await answer.json(), answer.headers["ETag"]
        assert set(served["paths"]) == {route.path for route in OPERATIONS}
        assert {entry["code"] for entry in served["x-problems"]} >= {"not_found", "code_wrong", "key_reused"}
        async with session.get(f"{base}/openapi.json", headers={"If-None-Match": tag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
        async with session.get(f"{base}/docs") as answer:
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            page = await answer.text()
        for path in re.findall(r'(?:src|href)="(/docs/[^"]+)"', page):
            async with session.get(base + path) as answer:
                assert answer.status == 200
        assert "//" not in re.sub(r"<!doctype.*?>", "", page).replace("</", "")
        async with session.get(f"{base}/problems/code_wrong") as answer:
            assert (await answer.json())["status"] == 422
        browser = {"Accept": "text/html"}
        async with session.get(f"{base}/problems/code_wrong", headers=browser, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, "/docs#problem-code_wrong")
        async with session.get(f"{base}/problems/nonsense") as answer:
            assert answer.status == 404
