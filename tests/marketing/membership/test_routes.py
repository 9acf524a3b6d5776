"""Levels and members over HTTP: who may what, what each sees, and that versions never change."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from tests.marketing.membership.conftest import Till, faults, rich
from tests.money.channels.test_topups import ask
from tests.money.members_book import publish

GOLD = {
    "code": "gold", "line": "homeservice", "name": {"zh-CN": "金卡", "en": "Gold"}, "rank": 2, "price_fen": 3_000,
    "months": 1, "discount_bps": 1_000,
}  # fmt: skip
LEVELS = "/v1/admin/member_levels"


async def test_ops_publish_versions_and_everybody_sees_what_is_sold(till: Till) -> None:
    for who in ("cust1", "sue", "fay"):
        assert (await ask(till, who, "POST", LEVELS, GOLD))[0] == 403
    status, _, made = await ask(till, "opal", "POST", LEVELS, GOLD)
    assert (status, made["version"], made["changed_by"]) == (201, 1, "acc_opal")
    status, _, second = await ask(till, "opal", "POST", LEVELS, GOLD | {"price_fen": 2_500, "discount_bps": 1_200})
    assert (status, second["version"]) == (201, 2)
    await ask(till, "opal", "POST", LEVELS, GOLD | {"code": "silver", "rank": 1})
    await ask(till, "opal", "POST", LEVELS, GOLD | {"code": "plus", "line": "rv"})  # a rank is a line's
    status, _, shown = await till.client.send("GET", "/v1/member_levels?limit=1")  # nobody needs to sign in
    assert (status, [one["code"] for one in shown["data"]], shown["has_more"]) == (200, ["silver"], True)
    rest = (await till.client.send("GET", f"/v1/member_levels?limit=1&cursor={shown['next_cursor']}"))[2]
    assert [(one["code"], one["version"], one["price"]["amount"]) for one in rest["data"]] == [("gold", 2, 2_500)]
    assert not rest["has_more"]
    await ask(till, "opal", "POST", LEVELS, GOLD | {"code": "silver", "rank": 1, "on_sale": False})
    sold = (await ask(till, "cust1", "GET", "/v1/member_levels"))[2]["data"]
    assert [one["code"] for one in sold] == ["gold"]
    found, cursor = [], ""
    while cursor is not None:
        page = (await ask(till, "opal", "GET", f"{LEVELS}?limit=2{cursor and '&cursor=' + cursor}"))[2]
        found += [(one["code"], one["version"]) for one in page["data"]]
        cursor = page["next_cursor"]
    assert found == [("gold", 2), ("gold", 1), ("plus", 1), ("silver", 2), ("silver", 1)]
    assert await till.value("SELECT count(*) FROM audit WHERE operation = 'admin_member_levels.publish'") == 5


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rank": 3}, "member_rank_taken"),
        ({"line": "rv"}, "member_rank_taken"),
        ({"code": "silver"}, "member_rank_taken"),
        ({"coupon_templates": ["cpt_01kcbs3t20ewxvqs1a5d9rm2f7"]}, "not_found"),
        ({"discount_bps": 9_001}, "invalid_input"),
        ({"months": 0}, "invalid_input"),
        ({"price_fen": 0}, "invalid_input"),
        ({"code": "Gold!"}, "invalid_input"),
    ],
)
async def test_a_level_that_cannot_be(till: Till, changes: dict[str, Any], code: str) -> None:
    assert (await ask(till, "opal", "POST", LEVELS, GOLD))[0] == 201
    assert (await ask(till, "opal", "POST", LEVELS, GOLD | changes))[2]["code"] == code


async def test_versions_never_change(till: Till) -> None:
    await publish(till.db)
    for sql in ("UPDATE member_levels SET price_fen = 1", "DELETE FROM member_levels"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with till.db.begin() as tx:
                await tx.execute(sql)


async def test_people_see_their_own_and_ops_see_all(till: Till) -> None:
    await publish(till.db)
    bought = {}
    for who in ("cust1", "ben"):
        await rich(till.db, f"acc_{who}")
        body = {"version": 1, "method": "wallet"}
        bought[who] = (await ask(till, who, "POST", "/v1/member_levels/gold/buy", body))[2]
        till.clock.advance(seconds=1)
    mine = (await ask(till, "ben", "GET", "/v1/memberships"))[2]["data"]
    assert [(one["line"], one["state"], one["level"], one["discount_bps"]) for one in mine] == [
        ("homeservice", "active", "gold", 1_000)
    ]
    purchase = bought["ben"]["id"]
    for path in (purchase, f"{purchase}/payment", f"{purchase}/coupons"):
        assert (await ask(till, "cust1", "GET", f"/v1/member_purchases/{path}"))[0] == 404
        assert (await ask(till, "ben", "GET", f"/v1/member_purchases/{path}"))[0] == 200
    assert [one["id"] for one in (await ask(till, "ben", "GET", "/v1/member_purchases"))[2]["data"]] == [purchase]
    for path in ("/v1/admin/members", "/v1/admin/member_purchases"):
        assert [(await ask(till, who, "GET", path))[0] for who in ("ben", "fay", "sue")] == [403, 403, 200]
        first = (await ask(till, "opal", "GET", f"{path}?limit=1"))[2]
        rest = (await ask(till, "opal", "GET", f"{path}?limit=1&cursor={first['next_cursor']}"))[2]
        assert [one["account_id"] for one in first["data"] + rest["data"]] == ["acc_ben", "acc_cust1"]
        assert not rest["has_more"]
    only = (await ask(till, "opal", "GET", "/v1/admin/members?state=expired&line=homeservice&level=gold"))[2]["data"]
    assert only == []
    of_ben = (await ask(till, "opal", "GET", "/v1/admin/member_purchases?state=paid"))[2]["data"]
    assert len(of_ben) == 2
    assert await faults(till) == []
