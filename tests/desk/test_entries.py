"""Service entries: where one tap leads by the operator's settings, and that it was made (MA-038 to MA-040)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from rest.desk.entries.routes import ROUTES
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.money.serving import serve

PEOPLE = {"ann": [], "bob": [], "sue": ["support"], "fin": ["finance"], "tia": ["tenant_agent", "@ten_a"],
          "odd": ["support", "@ten_a"]}  # fmt: skip
ORDER = "ord_" + "a" * 26
WECOM = {"service_wecom_corp_id": "ww1", "service_wecom_url": "https://work.weixin.qq.com/kfid/kfc1"}
QR = {"service_qr_url": "https://static.example/qr.png"}


@pytest.fixture
async def order(db: Database) -> str:
    async with db.begin() as tx:
        await tx.execute(
            """INSERT INTO orders (id, no, line, kind, mode, customer_id, status, version, total_fen, snapshot,
                                   created_at, updated_at)
               VALUES ($1, '1', 'mall', 'goods', 'shop', 'acc_ann', 'paid', 1, 0, '{}', $2, $2)""",
            ORDER, tx.now,
        )  # fmt: skip
    return ORDER


@pytest.fixture
async def client(db: Database, settings: Settings) -> AsyncIterator[Client]:
    async with serve(db, replace(settings, **WECOM, **QR), ROUTES, PEOPLE) as made:
        yield made


async def tap(client: Client, who: str, **body: Any) -> tuple[int, Any]:
    status, _, answer = await client.as_(who).send("POST", "/v1/service_entries", json=body)
    return status, answer


@pytest.mark.parametrize(
    ("given", "leads_to"),
    [
        (WECOM | QR, ("wecom", "ww1", WECOM["service_wecom_url"], QR["service_qr_url"])),
        (WECOM, ("wecom", "ww1", WECOM["service_wecom_url"], None)),
        (QR, ("qr", None, None, QR["service_qr_url"])),
        ({}, ("support", None, None, None)),
    ],
)
async def test_what_is_set_up_leads_there(
    db: Database, settings: Settings, given: dict[str, str], leads_to: tuple[Any, ...]
) -> None:
    async with serve(db, replace(settings, **given), ROUTES, PEOPLE) as client:
        status, answer = await tap(client, "ann")
    assert status == 201
    assert tuple(answer[name] for name in ("method", "corp_id", "url", "qr_url")) == leads_to


async def test_each_tap_is_kept_with_who_when_and_which_order(client: Client, clock: ManualClock, order: str) -> None:
    taps = [("ann", {"kind": "after_sale", "order_id": order}), ("bob", {}), ("ann", {})]
    for who, body in taps:
        clock.advance(minutes=1)
        assert (await tap(client, who, **body))[0] == 201
    assert (await tap(client, "bob", order_id=order))[0] == 404, "another's order"
    assert (await tap(client, "bob", kind="magic"))[0] == 400
    sue = client.as_("sue")
    first = (await sue.send("GET", "/v1/admin/service_entries?limit=2"))[2]
    rest = (await sue.send("GET", f"/v1/admin/service_entries?limit=2&cursor={first['next_cursor']}"))[2]
    rows = [*first["data"], *rest["data"]]
    assert [(row["account_id"], row["kind"], row["order_id"], row["at"][11:16]) for row in rows] == [
        ("acc_ann", "general", None, "02:03"), ("acc_bob", "general", None, "02:02"),
        ("acc_ann", "after_sale", order, "02:01"),
    ]  # fmt: skip
    for query, count in ((f"order_id={order}", 1), ("account_id=acc_bob", 1), ("kind=general", 2), ("order_id=x", 0)):
        assert len((await sue.send("GET", f"/v1/admin/service_entries?{query}"))[2]["data"]) == count, query
    for who in ("ann", "fin", "tia", "odd"):
        assert (await client.as_(who).send("GET", "/v1/admin/service_entries"))[0] == 403, who


async def test_a_finger_that_does_not_stop_is_stopped(client: Client) -> None:
    codes = [(await tap(client, "bob"))[0] for _ in range(61)]
    assert codes == [201] * 60 + [429]


@pytest.mark.parametrize("given", [{"service_wecom_corp_id": "ww1"}, {"service_qr_url": "http://plain.example/qr.png"}])
def test_half_of_it_is_refused_at_the_start(settings: Settings, given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="SERVICE"):
        replace(settings, **given).check()
