"""The published contract of the sockets: valid, complete, and the same table that answers requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest

import hub.process  # noqa: F401 - imports every package that declares facts
from hub import asyncapi, registry
from hub.notices import NOTICES
from hub.server import REGISTRY
from storage.base.facts import declared_facts
from tests.hub.world import World

SCHEMA = Path(__file__).parents[2] / "node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json"


def document() -> dict[str, Any]:
    return json.loads(json.dumps(asyncapi.document(REGISTRY, version="1", host="localhost")))


def test_the_document_follows_the_published_schema() -> None:
    if not SCHEMA.exists():
        pytest.skip("the npm package @asyncapi/specs is not installed")
    validator = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))
    assert [error.message for error in validator.iter_errors(document())] == []


def test_a_broken_document_does_not() -> None:
    if not SCHEMA.exists():
        pytest.skip("the npm package @asyncapi/specs is not installed")
    broken = document()
    broken["operations"]["worker.grab"]["action"] = "ask"
    assert list(jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).iter_errors(broken))


def test_every_request_is_an_operation_with_a_reply() -> None:
    operations = document()["operations"]
    for (namespace, name), request in REGISTRY.requests.items():
        operation = operations[f"{namespace[1:]}.{name}"]
        assert operation["summary"] == request.summary
        assert [ref["$ref"].rsplit("/", 1)[1] for ref in operation["reply"]["messages"]] == [f"ack.{name}", "error_ack"]


def test_every_fact_is_heard_somewhere_or_is_control() -> None:
    contract = document()
    for topic in declared_facts():
        for namespace in registry.heard_in(topic):  # raises for a topic nobody has placed
            assert f"hear.{topic}" in contract["channels"][namespace[1:]]["messages"]
        if registry.heard_in(topic):
            assert f"hear.{topic}" in contract["components"]["messages"]
    assert {topic for topic in declared_facts() if not registry.heard_in(topic)} <= {
        "session.revoked",
        "session.bell_rung",
        # Between domains
        "money.attempt_closed",
        "money.came",
        "money.order_refunded",
        "money.refund_due",
        "money.refused",
    }


def test_a_fact_nobody_has_placed_is_an_error() -> None:
    with pytest.raises(LookupError, match="registry"):
        registry.heard_in("weather.changed")


def test_every_notice_is_in_the_channels_where_it_is_said() -> None:
    channels = document()["channels"]
    for notice in NOTICES:
        for namespace in notice.namespaces:
            assert f"hear.{notice.name}" in channels[namespace[1:]]["messages"]


def test_every_reference_leads_somewhere() -> None:
    contract = document()
    for ref in references(contract):
        target: Any = contract
        for step in ref.removeprefix("#/").split("/"):
            target = target[step]


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for part in value.values() for ref in references(part)]
    return [ref for part in value for ref in references(part)] if isinstance(value, list) else []


def test_a_fact_has_its_envelope_and_its_fields() -> None:
    payload = document()["components"]["messages"]["hear.order.changed"]["payload"]
    assert [part["$ref"].rsplit("/", 1)[1] for part in payload["allOf"]] == ["FactEnvelope", "OrderChanged"]


def test_the_position_request_shows_all_its_shapes() -> None:
    payload = document()["components"]["messages"]["ask.worker.position"]["payload"]
    assert len(payload["oneOf"]) == 4


async def test_the_contract_is_served(world: World) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{world.url}/asyncapi.json") as answer:
        assert answer.status == 200
        assert (await answer.json())["asyncapi"] == "3.0.0"
