"""Top-ups from the tap to the credit, over the simulator: kinds, offers, late and double money, and races."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from rest.money import channels, ledger, topups
from rest.money.topups import Kind, TopupState
from rest.money.topups.actions import expire, receive_money
from rest.money.topups.model import LOCK_EPOCH, PAY_WITHIN, TRANSITIONS, VERBS, Past, Topup, WrongTopupState, best_offer
from storage.base.codec import instant
from storage.base.errors import HubError
from tests.conftest import MONDAY
from tests.money.channels.conftest import Till

keys = itertools.count(1)
YUAN = 100
ANN = "acc_cust1"


async def ask(till: Till, who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
    keyed = {"Idempotency-Key": f"key-topup-{next(keys):08d}"} if method == "POST" else {}
    return await till.client.as_(who).send(method, path, json=body, headers=keyed | headers)


def yuan(number: int) -> dict[str, Any]:
    return {"amount": number * YUAN, "currency": "CNY"}


async def tier(till: Till, number: int, kind: str = "platform") -> str:
    status, _, made = await ask(till, "opal", "POST", "/v1/admin/topup_tiers", {"kind": kind, "amount": yuan(number)})
    assert status == 201, made
    return str(made["id"])


async def offer(till: Till, **more: Any) -> str:
    body = {
        "name": {"zh-CN": "送", "en": "Gift"},
        "kind": "platform",
        "bonus": yuan(10),
        "valid_from": instant(MONDAY),
        "valid_until": instant(MONDAY + timedelta(days=30)),
    }
    status, _, made = await ask(till, "opal", "POST", "/v1/admin/topup_offers", body | more)
    assert status == 201, made
    return str(made["id"])


async def begun(till: Till, **body: Any) -> tuple[str, str]:
    """A top-up that can be paid: its id, and the number at the channel."""
    status, headers, made = await ask(
        till, "cust1", "POST", "/v1/topups", {"kind": "platform", "method": "wechat"} | body
    )
    assert (status, headers["Location"]) == (201, f"/v1/topups/{made.get('id')}"), made
    await till.run()
    return made["id"], (await ask(till, "cust1", "GET", f"/v1/topups/{made['id']}/payment"))[2]["payment_id"]


async def paid(till: Till, number: str) -> None:
    await till.press(number)
    assert set(await till.deliver()) == {200}
    await till.run()


async def state(till: Till, topup_id: str) -> str:
    return str((await ask(till, "cust1", "GET", f"/v1/topups/{topup_id}"))[2]["state"])


async def wallet(till: Till) -> Any:
    return (await ask(till, "cust1", "GET", "/v1/wallet"))[2]


async def balance(till: Till, code: str) -> int:
    async with till.db.begin() as tx:
        return await ledger.balance(tx, code)


async def right(till: Till) -> bool:
    """The book, the payments, and nothing left in any top-up's escrow."""
    async with till.db.begin() as tx:
        left = await tx.fetch("SELECT code FROM ledger_accounts WHERE code LIKE 'order:top%' AND balance_fen <> 0")
    return left == [] and await till.town.faults() == []


async def test_a_paid_tier_credits_principal_and_bonus_once(till: Till) -> None:
    tier_id = await tier(till, 100)
    await offer(till, tier_ids=[tier_id], bonus_points=50)
    shown = (await ask(till, "cust1", "GET", "/v1/topup_offers"))[2]
    (one,) = shown["tiers"]
    assert (one["tier_id"], one["offer"]["bonus"]["amount"], one["offer"]["points"]) == (tier_id, 1_000, 50)

    topup_id, number = await begun(till, tier_id=tier_id, offer_id=one["offer"]["offer_id"])
    await till.press(number)
    news = await till.owed()
    await till.deliver(*news)
    await till.deliver(*news)
    await till.run()
    assert await state(till, topup_id) == "paid"
    assert await balance(till, ledger.customer_wallet(ANN)) == 10_000
    assert await balance(till, ledger.customer_bonus(ANN)) == 1_000
    assert await balance(till, ledger.promo("topup")) == -1_000
    (told,) = await till.town.heard(f"customer:{ANN}", "topup.paid")
    assert (told["topup_id"], told["bonus_points"]) == (topup_id, 50)
    assert (await ask(till, "ben", "GET", f"/v1/topups/{topup_id}"))[0] == 404
    assert await right(till)


async def test_each_kind_goes_where_it_belongs(till: Till) -> None:
    tech = await till.town.technician()
    recharge = await tier(till, 200, "recharge")
    for body in (
        {"amount": yuan(30)},
        {"kind": "recharge", "tier_id": recharge},
        {"kind": "technician", "amount": yuan(40), "worker_id": tech.id},
    ):
        _, number = await begun(till, **body)
        await paid(till, number)
    assert await balance(till, ledger.customer_wallet(ANN)) == 3_000
    assert await balance(till, ledger.customer_prepaid(ANN)) == 20_000
    assert await balance(till, ledger.customer_credit(ANN, tech.id)) == 4_000
    assert await right(till)


async def test_a_technician_pays_what_he_owes(till: Till) -> None:
    """HS-179: a penalty may have taken his wallet below zero."""
    tech = await till.town.technician()
    async with till.db.begin() as tx:
        moves = [(ledger.worker_wallet(tech.id), -5_000), (ledger.revenue("homeservice"), 5_000)]
        await ledger.post(tx, ref="penalty", kind="penalty", entries=moves, overdraw=True)
        made = await topups.create(
            tx, tech.account_id, Kind.WORKER, method="wechat", amount_fen=3_000, worker_id=tech.id
        )
    await till.run()
    async with till.db.begin() as tx:
        number = await tx.fetchval("SELECT id FROM payments WHERE order_id = $1", made.id)
    await paid(till, number)
    assert await balance(till, ledger.worker_wallet(tech.id)) == -2_000
    assert await right(till)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"amount": {"amount": 99, "currency": "CNY"}}, 422, "amount_range"),
        ({"amount": yuan(50_001)}, 422, "amount_range"),
        ({"kind": "recharge", "amount": yuan(10)}, 422, "amount_range"),
        ({"kind": "technician", "amount": yuan(10), "worker_id": "wrk_" + "0" * 26}, 404, "not_found"),
        ({"kind": "technician", "amount": yuan(10)}, 400, "invalid_input"),
        ({"tier_id": "tir_" + "0" * 26}, 404, "not_found"),
        ({}, 400, "invalid_input"),
        ({"amount": yuan(10), "offer_id": "tof_" + "0" * 26}, 409, "topup_offer_unavailable"),
        ({"amount": yuan(10), "method": "wallet"}, 400, "invalid_input"),
    ],
)
async def test_what_cannot_be_topped_up(till: Till, body: dict[str, Any], status: int, code: str) -> None:
    got = await ask(till, "cust1", "POST", "/v1/topups", {"kind": "platform", "method": "wechat"} | body)
    assert (got[0], got[2]["code"]) == (status, code)


async def test_a_tier_that_was_withdrawn_is_not_sold(till: Till) -> None:
    tier_id = await tier(till, 100)
    path = f"/v1/admin/topup_tiers/{tier_id}"
    twice = await ask(till, "opal", "POST", "/v1/admin/topup_tiers", {"kind": "platform", "amount": yuan(100)})
    assert (twice[0], twice[2]["code"]) == (409, "tier_exists")
    assert (await ask(till, "opal", "PATCH", path, {"active": False}, **{"If-Match": '"v1"'}))[0] == 200
    got = await ask(till, "cust1", "POST", "/v1/topups", {"kind": "platform", "method": "wechat", "tier_id": tier_id})
    assert (got[0], got[2]["code"]) == (409, "tier_inactive")
    assert (await ask(till, "sue", "PATCH", path, {"active": True}, **{"If-Match": '"v2"'}))[0] == 403


async def test_late_money_is_credited_with_the_bonus_only_if_it_is_still_to_be_had(till: Till) -> None:
    tier_id = await tier(till, 100)
    await offer(till, first_time_only=True)
    first, first_number = await begun(till, tier_id=tier_id)
    await till.press(first_number)  # its news is still under way
    till.clock.advance(minutes=16)
    await till.db.run(expire, {"topup_id": first})
    assert await state(till, first) == "closed"
    second = (await till.db.run(topups.create, ANN, Kind.PLATFORM, method="wechat", tier_id=tier_id)).id
    await till.run()  # asks the channel before closing the first: it has been paid
    second_number = (await ask(till, "cust1", "GET", f"/v1/topups/{second}/payment"))[2]["payment_id"]
    await paid(till, second_number)
    assert [await state(till, one) for one in (first, second)] == ["paid", "paid"]
    assert await balance(till, ledger.customer_wallet(ANN)) == 20_000
    assert await balance(till, ledger.customer_bonus(ANN)) == 1_000
    assert await right(till)


async def test_money_that_comes_twice_goes_back(till: Till) -> None:
    """The payer had two codes and paid both: the first makes the top-up, whichever it is."""
    topup_id, first = await begun(till, amount=yuan(50))

    async def another_code(tx: Any) -> str:
        payment = await channels.begin(
            tx, order_id=topup_id, account_id=ANN, amount_fen=5_000, lock_epoch=LOCK_EPOCH, channel="alipay",
            payer=None, description="x", expires_at=tx.now + PAY_WITHIN,
        )  # fmt: skip
        return payment.id

    second = await till.db.run(another_code)
    for number in (first, second, first):
        await till.db.run(receive_money, topup_id, number, ref=f"trade {number}")
    async with till.db.begin() as tx:
        rows = await tx.fetch("SELECT id, state FROM payments WHERE order_id = $1", topup_id)
    assert {row["id"]: row["state"] for row in rows} == {first: "paid", second: "refunded"}
    assert await state(till, topup_id) == "paid"
    assert await balance(till, ledger.customer_wallet(ANN)) == 5_000
    assert await balance(till, ledger.refunding("alipay")) == 5_000
    assert await right(till)


async def test_of_many_first_top_ups_at_once_one_has_the_bonus(till: Till) -> None:
    tier_id = await tier(till, 100)
    offer_id = await offer(till, first_time_only=True)

    async def one(account_id: str, chosen: str | None) -> str:
        try:
            made = await till.db.run(
                topups.create, account_id, Kind.PLATFORM, method="wechat", tier_id=tier_id, offer_id=chosen
            )
        except HubError as refused:
            return refused.code
        return "bonus" if made.offer_id else "plain"

    for who in range(4):  # the first round opens the connections, one after another
        asked: list[Awaitable[str]] = [one(f"acc_{who}", offer_id if n % 2 else None) for n in range(8)]
        answers = await asyncio.gather(*asked)
        assert answers.count("bonus") == 1
        assert set(answers) <= {"bonus", "plain", "topup_offer_unavailable"}


async def test_paying_and_the_end_of_the_window_at_once_credits_once(till: Till) -> None:
    for n in range(4):
        topup_id, number = await begun(till, amount=yuan(10 + n))
        await till.press(number)
        await till.deliver()
        till.clock.advance(minutes=15)
        await asyncio.gather(*(till.town.runner.drain() for _ in range(4)))
        assert await state(till, topup_id) == "paid"
    assert await balance(till, ledger.customer_wallet(ANN)) == 4_600
    assert await right(till)


def a_topup(state: TopupState) -> Topup:
    return Topup(
        id="top_1", account_id=ANN, kind=Kind.PLATFORM, worker_id=None, amount_fen=100, tier_id=None, offer_id=None,
        bonus_fen=0, bonus_points=0, bonus_coupon=None, method="wechat", state=state, reason=None, version=1,
        created_at=MONDAY, expires_at=MONDAY, paid_at=None, closed_at=None,
    )  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("before", list(TopupState))
def test_every_verb_in_every_state(before: TopupState, verb: str) -> None:
    to = TRANSITIONS.get((before, verb))
    if to is None:
        with pytest.raises(WrongTopupState):
            a_topup(before).after(verb)
    else:
        assert (a_topup(before).after(verb).state, a_topup(before).after(verb).version) == (to, 2)
    assert not any(was is TopupState.PAID for was, _ in TRANSITIONS)  # what is paid stays paid


def test_no_offer_is_the_best_of_none() -> None:
    assert best_offer([], "tir_1", Past(is_first=True, taken={}), MONDAY) is None
