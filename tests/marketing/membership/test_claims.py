"""Coupons for members: who sees them, who may take one, and a membership that ends at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import Any

import pytest

from rest.marketing import claims, coupons, membership
from rest.marketing.coupons import Members
from storage.base.errors import HubError
from storage.postgres import RetryTx
from tests.marketing.membership.conftest import Till, buy, faults, of, rich
from tests.money.channels.test_topups import ask
from tests.money.members_book import publish

ANN = "acc_cust1"
OFFERS = "/v1/coupon_templates"
BODY = {
    "name": {"zh-CN": "会员券", "en": "Members'"}, "quota": 50, "per_account_max": 50, "claimable": True,
    "terms": {"amount": {"amount": 500, "currency": "CNY"}, "valid_days": 90},
    "members": {"line": "homeservice", "levels": ["gold", "black"]},
}  # fmt: skip


async def made(till: Till, **changes: Any) -> str:
    status, _, template = await ask(till, "opal", "POST", "/v1/admin/coupon_templates", BODY | changes)
    assert status == 201, template
    return str(template["id"])


async def claim(till: Till, template_id: str, who: str = "cust1") -> str:
    """`ok`, or the code of the refusal."""
    _, _, answer = await ask(till, who, "POST", f"{OFFERS}/{template_id}/claim")
    return str(answer.get("code", "ok"))


async def offered(till: Till, who: str = "cust1") -> set[str]:
    return {one["id"] for one in (await ask(till, who, "GET", OFFERS))[2]["data"]}


async def standing(till: Till, state: str) -> None:
    """Ann's membership is in this state, and the clock may be at its end."""
    await rich(till.db, ANN)
    for code in ("silver", "gold", "black"):
        await publish(till.db, code)
    await publish(till.db, "plus", line="rv")
    if state == "waiting":
        await buy(till.db, ANN, "gold", method="wechat")
    elif state == "of another line":
        await buy(till.db, ANN, "plus")
    elif state != "none":
        await buy(till.db, ANN, state if state in {"silver", "gold", "black"} else "gold")
    if state in {"last second", "over, unnoticed", "expired"}:
        run = (await of(till.db, ANN)).run
        assert run is not None
        till.clock.advance(seconds=(run.ends_at - till.clock.now()).total_seconds() - (state == "last second"))
    if state == "expired":
        await till.run()


STATES = {
    "none": (False, False), "waiting": (False, False), "of another line": (False, False), "silver": (True, False),
    "gold": (True, True), "black": (True, True), "last second": (True, True), "over, unnoticed": (False, False),
    "expired": (False, False),
}  # fmt: skip
"""State of a membership → whether a coupon for all members of its line, and one for two levels, may be taken."""


@pytest.mark.parametrize("state", STATES)
async def test_only_those_who_may_take_a_coupon_for_members_see_it(till: Till, state: str) -> None:
    every, some, free = (
        await made(till, members={"line": "homeservice"}),
        await made(till),
        await made(till, members=None),
    )
    await standing(till, state)
    may = dict(zip((every, some), STATES[state], strict=True)) | {free: True}
    assert await offered(till) == {one for one, can in may.items() if can}
    for one, can in may.items():
        status, _, answer = await ask(till, "cust1", "POST", f"{OFFERS}/{one}/claim")
        assert (status, answer.get("code")) == ((201, None) if can else (403, "members_only")), answer
    counted = {row: await till.value("SELECT issued FROM coupon_templates WHERE id = $1", row) for row in may}
    assert counted == {one: int(can) for one, can in may.items()}  # what is refused takes nothing
    assert await faults(till) == []


async def test_what_was_taken_stays_usable_after_the_membership(till: Till) -> None:
    await standing(till, "gold")
    template = await made(till)
    held = await till.db.run(claims.claim, template, ANN)
    till.clock.advance(hours=24 * 40)
    await till.run()
    assert await claim(till, template) == "members_only"
    await till.town.post(ANN, coupon_id=held.coupon.id)
    assert await till.value("SELECT state FROM coupons WHERE id = $1", held.coupon.id) == "locked"
    assert await faults(till) == []


async def test_staff_give_a_coupon_for_members_to_anybody(till: Till) -> None:
    template = await made(till)
    gift, _ = await till.db.run(coupons.give, template, [ANN], by_id="acc_opal", reason="sorry")
    assert gift.count == 1


async def test_who_may_take_it_is_fixed_with_the_first_and_shown(till: Till) -> None:
    await standing(till, "gold")
    template = await made(till)
    path = f"/v1/admin/coupon_templates/{template}"
    members = {"line": "homeservice", "levels": ["gold"]}
    changed = (await ask(till, "opal", "PATCH", path, {"members": members}, **{"If-Match": '"v1"'}))[2]
    assert changed["members"] == members
    assert [one["members"] for one in (await ask(till, "cust1", "GET", OFFERS))[2]["data"]] == [members]
    assert await claim(till, template) == "ok"
    wider = {"members": {"line": "homeservice"}}
    assert (await ask(till, "opal", "PATCH", path, wider, **{"If-Match": '"v2"'}))[2]["code"] == "coupon_terms_fixed"
    assert (await ask(till, "opal", "PATCH", path, {"quota": 60}, **{"If-Match": '"v2"'}))[0] == 200


@pytest.mark.parametrize("members", [{"levels": ["gold"]}, {"line": "space"}, {"line": "rv", "levels": ["Gold!"]}])
async def test_members_that_cannot_be(till: Till, members: Any) -> None:
    assert (await ask(till, "opal", "POST", "/v1/admin/coupon_templates", BODY | {"members": members}))[0] == 400


def test_members_are_of_a_line_and_of_its_levels() -> None:
    has = {"rv": "plus", "homeservice": "gold"}
    assert Members(line="rv").admit(has)
    assert Members(line="homeservice", levels=("black", "gold")).admit(has)
    assert not Members(line="homeservice", levels=("plus",)).admit(has)
    assert not Members(line="mall").admit(has)


async def test_a_claim_holds_the_membership_until_it_is_done(till: Till) -> None:
    """What ends it waits for the claim; a claim that waited for that end is refused."""
    await standing(till, "last second")
    template, one = await made(till), await of(till.db, ANN)

    async def expire(tx: Any) -> None:
        await membership.expire(tx, {"membership_id": one.id})

    async with till.db.begin() as tx:
        assert await claims.claim(tx, template, ANN)
        till.clock.advance(seconds=1)
        ending = asyncio.create_task(till.db.run(expire))
        await asyncio.sleep(0.05)
        assert not ending.done()
    await ending
    assert (await of(till.db, ANN)).state.value == "expired"
    assert await claim(till, template) == "members_only"
    assert await faults(till) == []


async def test_a_claim_that_began_before_its_membership_begins_again(till: Till) -> None:
    """Else its coupon would be older than the purchase, whose refund takes back what came after it (RV-269)."""
    await standing(till, "none")
    template = await made(till)
    async with till.db.begin() as tx:
        till.clock.advance(seconds=1)
        await buy(till.db, ANN, "gold")
        with pytest.raises(RetryTx):
            await claims.claim(tx, template, ANN)
    assert await claim(till, template) == "ok"


async def answer(work: Awaitable[Any]) -> str:
    try:
        await work
    except HubError as refused:
        return refused.code
    return "ok"


async def test_claiming_and_ending_at_once_agree_with_the_clock(till: Till) -> None:
    """Sixteen at a time on connections of their own: each claim's own instant decides, and no other."""
    await standing(till, "last second")
    template, one = await made(till), await of(till.db, ANN)
    assert one.run is not None
    begun: list[tuple[datetime, str]] = []
    first, over = asyncio.Event(), asyncio.Event()

    async def take(n: int) -> None:
        async def act(tx: Any) -> None:
            instants.append(tx.now)
            first.set()
            await claims.claim(tx, template, ANN)

        instants: list[datetime] = []
        await (over.wait() if n == 14 else asyncio.sleep(n / 1_000))
        code = await answer(till.db.run(act))
        begun.append((instants[-1], code))

    async def end() -> None:
        await first.wait()
        await asyncio.sleep(0.005)
        till.clock.advance(seconds=1)
        over.set()
        await till.db.run(membership.expire, {"membership_id": one.id})

    await asyncio.gather(*(take(n) for n in range(15)), end())
    ends_at = one.run.ends_at
    assert len(begun) == 15
    assert all(code == ("ok" if at < ends_at else "members_only") for at, code in begun), begun
    assert {code for _, code in begun} == {"ok", "members_only"}
    took = await till.value("SELECT issued FROM coupon_templates WHERE id = $1", template)
    assert took == sum(code == "ok" for _, code in begun)
    assert await faults(till) == []
