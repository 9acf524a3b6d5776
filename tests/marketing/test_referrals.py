"""Who brought whom: once, never in a circle, and what it brings him."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dispatch
from rest.marketing.referrals import actions
from rest.marketing.referrals.model import ALPHABET, CODE_LENGTH, new_code, read_code
from rest.marketing.referrals.routes import ROUTES
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.money.serving import serve
from tests.money.settling import Shop

STAFF = {"opal": ["ops"], "fay": ["finance"]}
TECHNICIANS = ("tom", "uma", "vic")


@given(st.text(ALPHABET, min_size=CODE_LENGTH, max_size=CODE_LENGTH))
def test_a_code_is_read_as_people_write_it(code: str) -> None:
    assert read_code(code.lower().replace("0", "o").replace("1", "l")) == code


def test_codes_differ() -> None:
    assert len({new_code() for _ in range(1_000)}) == 1_000


@pytest.fixture
async def client(db: Database, settings: Settings) -> AsyncIterator[Client]:
    names = ["ann", "ben", *TECHNICIANS]
    async with db.begin() as tx:
        for n, name in enumerate(names):
            await tx.execute(
                """
                INSERT INTO accounts (id, phone, nickname, roles, created_at, updated_at)
                VALUES ($1, $2, $3, '{user}', $4, $4)
                """,
                f"acc_{name}",
                f"+861380000000{n}",
                name.title(),
                tx.now,
            )
        for name in TECHNICIANS:
            await dispatch.create_worker(
                tx, account_id=f"acc_{name}", display_name=f"{name.title()} Li", services=[], area_code=""
            )
    roles = {"ann": [], "ben": [], **{name: ["technician"] for name in TECHNICIANS}, **STAFF}
    async with serve(db, settings, ROUTES, roles) as running:
        yield running


async def ask(client: Client, who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    status, _, answer = await client.as_(who).send(method, path, json=body)
    return status, answer


async def code_of(client: Client, who: str) -> str:
    code: str = (await ask(client, who, "GET", "/v1/referral_code"))[1]["code"]
    return code


async def worker_id(db: Database, who: str) -> str:
    worker = await db.run(dispatch.worker_of, f"acc_{who}")
    assert worker is not None
    return worker.id


async def test_a_technician_names_his_referrer_once_and_both_see_it(client: Client, db: Database) -> None:
    """HS-165, HS-166, HS-168."""
    code = await code_of(client, "ann")
    assert await code_of(client, "ann") == code
    status, made = await ask(client, "tom", "POST", "/v1/partner/referral", {"code": code.lower()})
    assert (status, made["side"], made["referrer_name"]) == (201, "technician", "A**")
    other = await ask(client, "tom", "POST", "/v1/partner/referral", {"code": await code_of(client, "ben")})
    assert (other[0], other[1]["code"]) == (409, "already_bound")
    _, team = await ask(client, "ann", "GET", "/v1/team_members")
    assert [(one["side"], one["name"], one["is_open"], one["bonus"]["amount"]) for one in team["data"]] == [
        ("technician", "T**", True, 0)
    ]
    async with db.begin() as tx:
        told = [row["body"] for row in await tx.fetch("SELECT body FROM outbox WHERE topic = 'referral.joined'")]
    assert len(told) == 1
    assert '"T**"' in told[0]
    assert "Tom" not in told[0]


async def test_nobody_brings_himself_not_by_a_circle_either(client: Client) -> None:
    """HS-167: ann brought tom, tom brought uma; uma cannot have brought ann or tom."""
    for who, referrer in (("tom", "ann"), ("uma", "tom")):
        body = {"code": await code_of(client, referrer)}
        assert (await ask(client, who, "POST", "/v1/partner/referral", body))[0] == 201
    for who, path in (("ann", "/v1/referral"), ("tom", "/v1/referral"), ("uma", "/v1/referral")):
        status, refused = await ask(client, who, "POST", path, {"code": await code_of(client, "uma")})
        assert (status, refused["code"]) == (422, "self_referral"), who
    status, made = await ask(client, "ben", "POST", "/v1/referral", {"code": await code_of(client, "uma")})
    assert (status, made["side"], made["referrer_name"]) == (201, "customer", "U**")


async def test_who_name_each_other_at_once_make_no_circle(client: Client, db: Database) -> None:
    """The second is asked while the first has bound and not committed."""
    codes = {who: await code_of(client, who) for who in ("tom", "uma")}
    async with db.begin() as tx:
        await actions.bind_customer(tx, "acc_tom", codes["uma"])
        other = asyncio.create_task(ask(client, "uma", "POST", "/v1/referral", {"code": codes["tom"]}))
        await asyncio.wait([other], timeout=0.2)
    status, refused = await other
    assert (status, refused["code"]) == (422, "self_referral")


async def test_codes_of_nobody_and_of_closed_accounts_are_unknown(client: Client, db: Database) -> None:
    code = await code_of(client, "ben")
    async with db.begin() as tx:
        await tx.execute("UPDATE accounts SET status = 'closed' WHERE id = 'acc_ben'")
    for unknown in (code, "ZZZZZZZZ"):
        status, refused = await ask(client, "ann", "POST", "/v1/referral", {"code": unknown})
        assert (status, refused["code"]) == (422, "referral_code_unknown")
    assert (await ask(client, "ann", "POST", "/v1/referral", {"code": "short"}))[0] == 400
    assert (await ask(client, "ann", "POST", "/v1/partner/referral", {"code": code}))[0] == 403


async def test_rewards_are_listed_and_summed_and_end_with_the_account(
    client: Client, db: Database, clock: ManualClock
) -> None:
    """HS-156, HS-169, HS-173; spec part 8: 1 % and 3 % of the item."""
    shop, worker = Shop(db), await worker_id(db, "tom")
    await ask(client, "tom", "POST", "/v1/partner/referral", {"code": await code_of(client, "uma")})
    first = await shop.order(worker=worker, item=40_000, kept=40_000)
    clock.advance(seconds=1)
    second = await shop.order(worker=worker, item=10_000, kept=10_000)
    await shop.refund(second.order_id, 0)
    own = await shop.order(worker=await worker_id(db, "uma"), item=10_000, kept=10_000)

    seen: list[tuple[str, str, int]] = []
    path = "/v1/team_rewards?limit=2"
    while path:
        _, page = await ask(client, "uma", "GET", path)
        seen += [(one["order_id"], one["kind"], one["amount"]["amount"]) for one in page["data"]]
        path = f"/v1/team_rewards?limit=2&cursor={page['next_cursor']}" if page["has_more"] else ""
    assert own.order_id not in {order_id for order_id, _, _ in seen}
    assert sorted(seen) == sorted(
        [
            (first.order_id, "channel_reward", 400),
            (first.order_id, "platform_bonus", 1_200),
            (second.order_id, "channel_reward", 100),
            (second.order_id, "channel_reward", -100),
            (second.order_id, "platform_bonus", 300),
            (second.order_id, "platform_bonus", -300),
        ]
    )
    _, totals = await ask(client, "uma", "GET", "/v1/team_rewards/totals")
    assert [(one["kind"], one["pending"]["amount"], one["paid"]["amount"]) for one in totals["kinds"]] == [
        ("channel_reward", 400, 0),
        ("platform_bonus", 1_200, 0),
    ]
    assert (await ask(client, "ann", "GET", "/v1/team_rewards"))[1]["data"] == []

    path = "/v1/admin/accounts/acc_uma/close_channels"
    assert (await ask(client, "fay", "POST", path, {"reason": "left"}))[0] == 403
    status, closed = await ask(client, "opal", "POST", path, {"reason": "left"})
    assert (status, closed) == (200, {"account_id": "acc_uma", "technicians": 1})
    last = await shop.order(worker=worker, item=40_000, kept=40_000)
    assert {line.kind for line in last.lines} == {"technician", "platform"}
    assert (await ask(client, "uma", "GET", "/v1/team_members"))[1]["data"][0]["is_open"] is False
    assert await shop.faults() == []
