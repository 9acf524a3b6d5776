"""Coupons over HTTP: who may what, what each sees, and that other people's coupons are not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from chat import cases
from rest.marketing.claims.routes import ROUTES as CLAIMS
from rest.marketing.coupons.routes import ROUTES
from rest.people.operators import create_accounts
from storage.base.clock import ManualClock
from storage.base.codec import instant
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.money.serving import serve

PEOPLE = {"ann": [], "ben": [], "opal": ["ops"], "sue": ["support"], "fay": ["finance"]}
TERMS = {"amount": {"amount": 3_000, "currency": "CNY"}, "valid_days": 7}
BODY = {"name": {"zh-CN": "新人券", "en": "Welcome"}, "terms": TERMS, "quota": 5, "claimable": True}


@pytest.fixture
async def client(db: Database, settings: Settings) -> AsyncIterator[Client]:
    async with serve(db, settings, [*ROUTES, *CLAIMS], PEOPLE) as running:
        yield running


async def ask(client: Client, who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """(status, headers, answer); a POST has a key of its own."""
    ask.calls += 1
    keyed = {"Idempotency-Key": f"key-{ask.calls:012d}"} if method == "POST" else {}
    return await client.as_(who).send(method, path, json=body, headers=keyed | headers)


ask.calls = 0


async def made(client: Client, **changes: Any) -> Any:
    status, headers, answer = await ask(client, "opal", "POST", "/v1/admin/coupon_templates", BODY | changes)
    assert (status, headers["ETag"]) == (201, '"v1"'), answer
    assert headers["Location"] == f"/v1/admin/coupon_templates/{answer['id']}"
    return answer


async def claimed(client: Client, who: str, template: Any) -> Any:
    status, _, answer = await ask(client, who, "POST", f"/v1/coupon_templates/{template['id']}/claim")
    assert status == 201, answer
    return answer


async def test_ops_make_read_list_and_change_templates(client: Client, clock: ManualClock) -> None:
    template = await made(client, per_account_max=2)
    path = f"/v1/admin/coupon_templates/{template['id']}"
    assert template["name"] == {"zh-CN": "新人券", "en": "Welcome"}
    assert (template["terms"]["amount"]["amount"], template["terms"]["threshold"]["amount"]) == (3_000, 0)
    status, headers, read = await ask(client, "opal", "GET", path)
    assert (status, headers["ETag"], read) == (200, '"v1"', template)

    change = {"quota": 9, "terms": {**TERMS, "region_codes": ["510100"]}}
    assert (await ask(client, "opal", "PATCH", path, change))[0] == 428
    assert (await ask(client, "opal", "PATCH", path, change, **{"If-Match": '"v2"'}))[0] == 412
    status, headers, after = await ask(client, "opal", "PATCH", path, change, **{"If-Match": '"v1"'})
    assert (status, headers["ETag"], after["quota"], after["version"]) == (200, '"v2"', 9, 2)
    assert (after["terms"]["region_codes"], after["per_account_max"]) == (["510100"], 2)

    await claimed(client, "ann", template)
    tag = {"If-Match": '"v2"'}
    status, _, refused = await ask(client, "opal", "PATCH", path, {"terms": TERMS}, **tag)
    assert (status, refused["code"]) == (409, "coupon_terms_fixed")
    status, _, off = await ask(client, "opal", "PATCH", path, {"active": False}, **tag)
    assert (status, off["active"]) == (200, False)
    counts = (await ask(client, "opal", "GET", f"{path}/counts"))[2]
    assert counts == {"left": 8, "issued": 1, "locked": 0, "used": 0, "expired": 0, "revoked": 0}

    clock.advance(seconds=1)  # lists are by age
    other = await made(client)
    listed = (await ask(client, "opal", "GET", "/v1/admin/coupon_templates?limit=1"))[2]
    assert ([one["id"] for one in listed["data"]], listed["has_more"]) == ([other["id"]], True)
    rest = (await ask(client, "opal", "GET", f"/v1/admin/coupon_templates?limit=1&cursor={listed['next_cursor']}"))[2]
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == ([template["id"]], False)
    active = (await ask(client, "opal", "GET", "/v1/admin/coupon_templates?active=true"))[2]
    assert [one["id"] for one in active["data"]] == [other["id"]]


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"valid_days": 7}, "coupon_terms_invalid"),
        ({**TERMS, "percent_bps": 100}, "coupon_terms_invalid"),
        ({"percent_bps": 100, "valid_days": 7}, "coupon_terms_invalid"),
        ({**TERMS, "valid_from": "2026-01-05T00:00:00Z"}, "coupon_terms_invalid"),
        ({**TERMS, "region_codes": ["5101"]}, "invalid_input"),
        ({**TERMS, "valid_days": 0}, "invalid_input"),
        ({**TERMS, "amount": {"amount": 0, "currency": "CNY"}}, "invalid_input"),
        ({**TERMS, "line": "space"}, "invalid_input"),
    ],
)
async def test_terms_that_cannot_be(client: Client, terms: Any, code: str) -> None:
    status, _, refused = await ask(client, "opal", "POST", "/v1/admin/coupon_templates", BODY | {"terms": terms})
    assert (status, refused["code"]) == (400, code)


async def test_people_see_take_and_list_their_own_coupons(client: Client, clock: ManualClock, db: Database) -> None:
    hidden, shown = await made(client, claimable=False), await made(client, per_account_max=2)
    offers = (await ask(client, "ann", "GET", "/v1/coupon_templates"))[2]
    assert [one["id"] for one in offers["data"]] == [shown["id"]]
    assert set(offers["data"][0]) == {"id", "name", "terms", "per_account_max", "members"}
    assert (await ask(client, "ann", "POST", f"/v1/coupon_templates/{hidden['id']}/claim"))[0] == 404

    path, key = f"/v1/coupon_templates/{shown['id']}/claim", {"Idempotency-Key": "key-claim-00000001"}
    first = await client.as_("ann").send("POST", path, headers=key)
    again = await client.as_("ann").send("POST", path, headers=key)
    assert (first[0], first[2]) == (again[0], again[2])
    assert (again[1]["Idempotency-Replayed"], first[1]["Location"]) == ("true", f"/v1/coupons/{first[2]['id']}")
    coupon = first[2]
    assert (coupon["state"], coupon["valid_until"]) == ("issued", instant(clock.now() + timedelta(days=7)))

    clock.advance(seconds=1)
    second = await claimed(client, "ann", shown)
    status, _, refused = await ask(client, "ann", "POST", path)
    assert (status, refused["code"]) == (409, "coupon_limit")

    page = (await ask(client, "ann", "GET", "/v1/coupons?limit=1"))[2]
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([second["id"]], True)
    page = (await ask(client, "ann", "GET", f"/v1/coupons?limit=1&cursor={page['next_cursor']}"))[2]
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([coupon["id"]], False)
    async with db.begin() as tx:
        await tx.execute("UPDATE coupons SET state = 'expired' WHERE id = $1", second["id"])
    for state, ids in (("unused", [coupon["id"]]), ("used", []), ("expired", [second["id"]])):
        page = (await ask(client, "ann", "GET", f"/v1/coupons?state={state}"))[2]
        assert [one["id"] for one in page["data"]] == ids
    assert (await ask(client, "ann", "GET", "/v1/coupons?state=lost"))[0] == 400


async def test_other_peoples_coupons_are_not_there(client: Client) -> None:
    coupon = await claimed(client, "ann", await made(client))
    path = f"/v1/coupons/{coupon['id']}"
    status, headers, mine = await ask(client, "ann", "GET", path)
    assert (status, headers["ETag"], mine) == (200, '"v1"', coupon)
    assert (await ask(client, "ben", "GET", path))[0] == 404
    assert (await ask(client, "ben", "GET", "/v1/coupons"))[2]["data"] == []


async def test_staff_give_coupons_and_the_record_says_who_and_why(
    client: Client, db: Database, settings: Settings, clock: ManualClock
) -> None:
    accounts = [one["account_id"] for one in await create_accounts(db, settings, "user", 3)]
    template = await made(client, claimable=False)
    path = f"/v1/admin/coupon_templates/{template['id']}/gifts"
    status, _, gift = await ask(client, "opal", "POST", path, {"account_ids": accounts[:2], "reason": "he came late"})
    assert (status, gift["count"], gift["by"], gift["value"]["amount"]) == (201, 2, "acc_opal", 6_000)
    nobody = {"account_ids": ["acc_00000000000000000000000000"], "reason": "x"}
    assert (await ask(client, "opal", "POST", path, nobody))[0] == 404

    mine = {"account_ids": accounts[2:], "reason": "sorry"}
    status, _, refused = await ask(client, "sue", "POST", path, mine)
    assert (status, refused["code"], refused["field"]) == (400, "invalid_input", "case_id")
    unknown = mine | {"case_id": "cas_00000000000000000000000000"}
    assert (await ask(client, "sue", "POST", path, unknown))[0] == 404
    async with db.begin() as tx:
        case = await cases.open_case(
            tx, type="no_grab", line="homeservice", subject_kind="order", subject_id="ord_1", title="t",
            due_at=clock.now(),
        )  # fmt: skip
    dear = await made(client, claimable=False, terms={**TERMS, "amount": {"amount": 10_001, "currency": "CNY"}})
    dear_path = f"/v1/admin/coupon_templates/{dear['id']}/gifts"
    status, _, refused = await ask(client, "sue", "POST", dear_path, mine | {"case_id": case.id})
    assert (status, refused["code"], refused["left"]["amount"]) == (422, "coupon_gift_limit", 10_000)
    status, _, given = await ask(client, "sue", "POST", path, mine | {"case_id": case.id})
    assert (status, given["case_id"], given["by"]) == (201, case.id, "acc_sue")

    listed = (await ask(client, "opal", "GET", f"/v1/admin/coupon_gifts?template_id={template['id']}"))[2]
    assert {one["id"] for one in listed["data"]} == {gift["id"], given["id"]}


@pytest.mark.parametrize("who", ["ann", "sue", "fay"])
async def test_offering_is_for_ops(client: Client, who: str) -> None:
    template = await made(client)
    path = f"/v1/admin/coupon_templates/{template['id']}"
    assert (await ask(client, who, "POST", "/v1/admin/coupon_templates", BODY))[0] == 403
    assert (await ask(client, who, "PATCH", path, {"quota": 6}, **{"If-Match": '"v1"'}))[0] == 403
    assert (await ask(client, who, "GET", "/v1/admin/coupon_gifts"))[0] == 403
    assert (await ask(client, who, "GET", path))[0] == (200 if who == "sue" else 403)
