"""What a technician sees of his money over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from rest.lines.homeservice.routes.earnings import ROUTES
from rest.money import ledger, settlement, wallet
from rest.money.settlement import Party
from storage.base.settings import Settings
from tests.edge.conftest import Client
from tests.homeservice.conftest import Tech, Town
from tests.money.serving import serve

PEOPLE = {"tech1": ["technician"], "tech2": ["technician"], "nobody": ["technician"], "cust3": []}


@pytest.fixture
async def techs(town: Town) -> tuple[Tech, Tech]:
    return await town.technician(), await town.technician()


@pytest.fixture
async def client(town: Town, techs: tuple[Tech, Tech], settings: Settings) -> AsyncIterator[Client]:
    async with serve(town.db, settings, ROUTES, PEOPLE) as client:
        yield client


async def get(client: Client, path: str, who: str = "tech1") -> Any:
    status, _, answer = await client.as_(who).send("GET", path)
    assert status == 200, answer
    return answer


async def money(client: Client) -> tuple[int, int, int]:
    mine = await get(client, "/v1/partner/wallet")
    return mine["balance"]["amount"], mine["pending"]["amount"], mine["frozen"]["amount"]


async def test_from_the_order_s_end_to_the_bank(client: Client, town: Town, techs: tuple[Tech, Tech]) -> None:
    """HS-162, HS-163, HS-178, HS-180."""
    job, _ = await town.in_status("completed", techs[0])
    assert await money(client) == (0, 24_900, 0)
    statement = await get(client, f"/v1/partner/orders/{job.order.id}/settlement")
    assert {name: statement[name]["amount"] for name in ("item", "travel", "voucher", "tip", "penalty", "net")} == {
        "item": 40_000, "travel": 900, "voucher": 0, "tip": 0, "penalty": 0, "net": 24_900,
    }  # fmt: skip
    assert (statement["rate_bps"], statement["state"]) == (6_000, "done")
    assert [(line["kind"], line["state"]) for line in statement["lines"]] == [("technician", "accrued")]

    await town.advance(hours=24)
    assert await money(client) == (24_900, 0, 0)
    (entry,) = (await get(client, "/v1/partner/wallet/entries"))["data"]
    assert (entry["kind"], entry["amount"]["amount"], entry["order_id"]) == ("settlement", 24_900, job.order.id)
    body = {
        "amount": {"amount": 20_000, "currency": "CNY"},
        "payee": {"method": "alipay", "name": "Li", "number": "13800001234"},
    }
    key = {"Idempotency-Key": "withdrawal-key-0001"}
    status, headers, asked = await client.as_("tech1").send(
        "POST", "/v1/partner/wallet/withdrawals", json=body, headers=key
    )
    assert (status, asked["state"]) == (201, "sending")
    assert await money(client) == (4_900, 0, 20_000)
    assert (await get(client, headers["Location"]))["id"] == asked["id"]
    assert await town.faults() == []


async def test_nobody_sees_what_another_earns(client: Client, town: Town, techs: tuple[Tech, Tech]) -> None:
    job, _ = await town.in_status("completed", techs[0])
    await town.db.run(settlement.bind_channel, techs[0].id, Party("worker", techs[1].id))
    second, _ = await town.in_status("completed", techs[0])
    path = f"/v1/partner/orders/{second.order.id}/settlement"
    assert (await client.as_("tech2").send("GET", path))[0] == 404
    assert (await get(client, "/v1/partner/settlements", "tech2"))["data"] == []
    assert [one["order_id"] for one in (await get(client, "/v1/partner/settlements"))["data"]] == [
        second.order.id,
        job.order.id,
    ]
    kinds = {line["kind"] for line in (await get(client, path))["lines"]}
    assert kinds == {"technician"}  # his channel's and the platform's parts are not his business
    assert (await get(client, "/v1/partner/wallet", "tech2"))["pending"]["amount"] == 1_600
    for path in ("/v1/partner/wallet", "/v1/partner/settlements", "/v1/partner/wallet/entries"):
        status, _, problem = await client.as_("nobody").send("GET", path)
        assert (status, problem["code"]) == (403, "not_active")
        assert (await client.as_("cust3").send("GET", path))[0] == 403


async def test_a_wallet_below_zero_is_shown_and_pays_nothing_out(
    client: Client, town: Town, techs: tuple[Tech, Tech]
) -> None:
    mine = ledger.worker_wallet(techs[0].id)
    async with town.db.begin() as tx:
        entries = [(mine, -20_000), (ledger.revenue("homeservice"), 20_000)]
        await wallet.move(tx, ref="penalty", kind="penalty", entries=entries, overdraw=True)
    assert await money(client) == (-20_000, 0, 0)
    body = {
        "amount": {"amount": 100, "currency": "CNY"},
        "payee": {"method": "bank", "name": "Li", "number": "622202020011"},
    }
    status, _, problem = await client.as_("tech1").send(
        "POST", "/v1/partner/wallet/withdrawals", json=body, headers={"Idempotency-Key": "withdrawal-key-0001"}
    )
    assert (status, problem["code"]) == (422, "insufficient_balance")


async def test_orders_without_a_wait_are_paid_at_once(new_town: Callable[..., Any]) -> None:
    from rest.lines.homeservice.rules import HomeserviceRules

    town = await new_town(HomeserviceRules(settle_hold_s=0))
    _, tech = await town.in_status("completed")
    assert await town.balance(ledger.worker_wallet(tech.id)) == 24_900
    assert await town.faults() == []
