"""Home service paid by wallet, points and a channel at once, over real HTTP and the simulator, to the last fen."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from rest.lines.homeservice import actions
from rest.lines.homeservice.model import Job
from rest.money import ledger, passwords, payments, points, wallet
from rest.money.passwords.hashing import new_salt, slow_hash
from rest.money.payments import Ask, Tender
from storage.base.codec import instant
from storage.tx import Tx
from tests.conftest import SECRET
from tests.homeservice.conftest import _SERVED, Tech
from tests.homeservice.test_pool import refused
from tests.money.channels.conftest import BOTH, Till

ME = "acc_cust1"
PRICE = 40_900
MIX = [
    {"method": "points", "amount": {"amount": 1_000, "currency": "CNY"}},
    {"method": "wallet", "amount": {"amount": 10_000, "currency": "CNY"}},
    {"method": "wechat"},
]
REST = PRICE - 11_000
ASKED = [Ask(Tender.POINTS, 1_000), Ask(Tender.WALLET, 10_000)]


async def fund(tx: Tx, who: str = ME, *, wallet_fen: int = 50_000, points_given: int = 3_000) -> None:
    await wallet.credit(tx, who, wallet_fen, f"gift:{who}", "test")
    await points.earn(tx, who, points_given, ref=f"gift:{who}", reason="gift")


async def my_order(till: Till) -> tuple[Job, Tech]:
    """An order of the customer whose token is `cust1`, with a technician locked."""
    await till.db.run(fund)
    tech = await till.town.technician()
    job = await till.town.post(ME)
    return await till.town.choose(job, await till.town.grab(job, tech)), tech


async def call(till: Till, method: str, path: str, body: Any = None, *, who: str = "cust1", key: int = 0) -> Any:
    headers = {"Idempotency-Key": f"key-mixed-{key:08}"} if key else {}
    status, _, answer = await till.client.as_(who).send(method, path, json=body, headers=headers)
    return status, answer


async def pay(till: Till, job: Job, tenders: Any = MIX, *, key: int = 1, **more: Any) -> Any:
    return await call(till, "POST", "/v1/payments", {"order_id": job.order.id, "tenders": tenders, **more}, key=key)


async def purse(till: Till) -> tuple[int, int]:
    """Fen in the wallet, and points."""
    return await till.town.wallet(ME), await till.town.balance(ledger.customer_points(ME))


async def mixed(till: Till, job: Job, channel: str = "wechat", *extra: Ask) -> str:
    """Begin to pay by points, wallet and a channel; the payment's id."""
    asked = [*ASKED, *extra, Ask(Tender(channel))]
    await till.town.by_customer(
        lambda tx, order_id, who: actions.pay(tx, order_id, who, asked=asked, open_channels=frozenset(BOTH)), job
    )
    sql = "SELECT id FROM payments WHERE order_id = $1 AND state = 'created'"
    return str(await till.value(sql, job.order.id))


async def test_a_customer_pays_with_wallet_points_and_wechat(till: Till) -> None:
    """The whole way and back: options, pay, held, press pay, paid; cancelled, and each source has its own again."""
    job, _ = await my_order(till)
    order_id = job.order.id
    _, ways = await call(till, "GET", f"/v1/orders/{order_id}/payment-options")
    assert ways["payable"]["amount"] == PRICE
    assert [(way["method"], way["available"]["amount"]) for way in ways["methods"]] == [
        ("credit", 0), ("prepaid", 0), ("points", 3_000), ("wallet", PRICE), ("wechat", PRICE), ("alipay", PRICE),
    ]  # fmt: skip
    assert [(part["method"], part["amount"]["amount"]) for part in ways["suggested"]] == [
        ("points", 3_000), ("wallet", PRICE - 3_000),
    ]  # fmt: skip

    status, done = await pay(till, job, quote_hash=ways["quote_hash"])
    shown = done["payment"]
    assert (status, shown["state"], shown["method"]) == (201, "created", "wechat")
    assert [(part["method"], part["amount"]["amount"], part["state"]) for part in shown["parts"]] == [
        ("points", 1_000, "held"), ("wallet", 10_000, "held"), ("wechat", REST, "waiting"),
    ]  # fmt: skip
    assert await purse(till) == (40_000, 2_000)
    assert (await pay(till, job, quote_hash=ways["quote_hash"]))[1] == done  # the same key
    assert (await pay(till, job, key=2))[1]["payment"]["payment_id"] == shown["payment_id"]  # a double tap
    await till.run()
    number = shown["payment_id"]
    assert (await till.trade(number))["amount_fen"] == REST
    assert (await call(till, "GET", f"/v1/payments/{number}"))[1]["params"]["kind"] == "code"

    await till.press(number)
    assert await till.deliver() == [200]
    await till.run()
    assert (await till.status(job), await till.states(job)) == ("paid", ["paid"])
    assert await till.balances() == (-REST, 0, 0)
    settled = (await till.town.heard(f"customer:{ME}", "payment.settled"))[-1]
    assert [(part["method"], part["amount"]["amount"], part["points"]) for part in settled["parts"]] == [
        ("points", 1_000, 1_000), ("wallet", 10_000, None), ("wechat", REST, None),
    ]  # fmt: skip
    assert (await call(till, "GET", "/v1/payments?tender=points&state=paid"))[1]["data"][0]["payment_id"] == number
    assert (await call(till, "GET", "/v1/payments?tender=alipay"))[1]["data"] == []
    assert (await call(till, "GET", f"/v1/orders/{order_id}/payment-options"))[1]["code"] == "not_payable"
    assert await till.town.faults() == []

    await till.town.by_customer(actions.cancel, job, "changed my mind")
    await till.db.run(actions.decide_cancel, order_id, "acc_staff", saved=False, note="ok")
    assert await purse(till) == (50_000, 3_000)
    refunded = (await till.town.heard(f"customer:{ME}", "payment.settled"))[-1]
    assert sum(part["amount"]["amount"] for part in refunded["parts"]) == refunded["amount"]["amount"] == PRICE
    await till.advance(seconds=120)
    assert (await till.trade(number))["refunded_fen"] == REST
    assert await till.balances() == (0, 0, 0)
    assert await till.town.faults() == []


async def test_who_may_see_and_end_a_payment(till: Till) -> None:
    """FR-075, FR-072; giving up frees what was held at once, and the order still waits."""
    job, _ = await my_order(till)
    number = (await pay(till, job))[1]["payment"]["payment_id"]
    for method, path in (("GET", ""), ("POST", "/cancel")):
        assert (await call(till, method, f"/v1/payments/{number}{path}", who="ben"))[0] == 404
    assert (await call(till, "GET", f"/v1/orders/{job.order.id}/payment-options", who="fay"))[0] == 404
    body = {"order_id": job.order.id, "tenders": MIX}
    assert (await call(till, "POST", "/v1/payments", body, who="fay", key=3))[0] == 404
    assert (await call(till, "GET", f"/v1/admin/payments/{number}", who="fay"))[1]["payment_id"] == number
    assert (await call(till, "GET", "/v1/admin/payments", who="ben"))[0] == 403

    status, ended = await call(till, "POST", f"/v1/payments/{number}/cancel")
    assert (status, ended["state"], {part["state"] for part in ended["parts"]}) == (200, "closed", {"released"})
    assert (await call(till, "POST", f"/v1/payments/{number}/cancel"))[0] == 200
    assert (await purse(till), await till.status(job)) == ((50_000, 3_000), "pending_payment")
    till.clock.advance(seconds=1)  # the latest payment is told by its age
    status, done = await pay(till, job, [{"method": "wallet"}], key=4)
    assert (status, done["payment"]["state"]) == (201, "paid")
    assert (await call(till, "POST", f"/v1/payments/{done['payment']['payment_id']}/cancel"))[1][
        "code"
    ] == "payment_state"
    assert await till.town.faults() == []


@pytest.mark.parametrize(
    ("tenders", "code"),
    [
        ([{"method": "wallet", "amount": {"amount": 100, "currency": "CNY"}}], "parts_mismatch"),
        ([{"method": "points"}], "points_share"),
        ([{"method": "offline"}], "method_unavailable"),
        ([{"method": "wechat"}, {"method": "alipay"}], "parts_mismatch"),
        ([{"method": "credit"}], "insufficient_balance"),
        (
            [{"method": "prepaid", "amount": {"amount": 1, "currency": "CNY"}}, {"method": "wechat"}],
            "insufficient_balance",
        ),
    ],
)
async def test_what_cannot_be_paid_takes_nothing(till: Till, tenders: Any, code: str) -> None:
    job, _ = await my_order(till)
    status, problem = await pay(till, job, tenders)
    assert (status, problem["code"]) == (422, code)
    status, problem = await call(till, "POST", f"/v1/orders/{job.order.id}/pay", {"tenders": tenders}, key=2)
    assert (status, problem["code"]) == (422, code)
    assert (await call(till, "POST", f"/v1/orders/{job.order.id}/pay", {}, key=3))[1]["code"] == "method_missing"
    assert (await purse(till), await till.states(job)) == ((50_000, 3_000), [])
    assert await till.town.faults() == []


async def test_credit_pays_only_its_technician(till: Till) -> None:
    """HS-176; the order's own route takes tenders as well."""
    job, tech = await my_order(till)
    for worker in (tech.id, "wrk_other"):
        code = ledger.customer_credit(ME, worker)
        async with till.db.begin() as tx:
            await ledger.post(
                tx, ref=f"credit:{worker}", kind="gift", entries=[(ledger.platform_topup(), -500), (code, 500)]
            )
    tenders = [{"method": "credit", "amount": {"amount": 500, "currency": "CNY"}}, {"method": "wallet"}]
    assert (await call(till, "POST", f"/v1/orders/{job.order.id}/pay", {"tenders": tenders}, key=1))[0] == 200
    assert await till.town.balance(ledger.customer_credit(ME, tech.id)) == 0
    assert await till.town.balance(ledger.customer_credit(ME, "wrk_other")) == 500
    assert await till.town.faults() == []


async def test_an_unpaid_mix_is_free_again_when_the_lock_ends(till: Till) -> None:
    """HS-086, FR-071."""
    job, _ = await my_order(till)
    await mixed(till, job)
    await till.run()
    await till.advance(minutes=3)
    assert (await till.status(job), await purse(till)) == ("in_pool", (50_000, 3_000))
    assert await till.town.faults() == []


@pytest.mark.parametrize("spent", [False, True])
async def test_late_money_takes_its_other_parts_again_or_goes_back(till: Till, spent: bool) -> None:
    """HS-088: the technician is free; the wallet may not be what it was."""
    job, _ = await my_order(till)
    number = await mixed(till, job)
    await till.run()
    till.clock.advance(seconds=179)
    await till.press(number, "pay_late", after_s=60)
    await till.town.fresh()
    await till.advance(seconds=1)
    assert (await till.status(job), await purse(till)) == ("in_pool", (50_000, 3_000))
    if spent:
        async with till.db.begin() as tx:
            await wallet.move(
                tx,
                ref="spent",
                kind="pay",
                entries=[(ledger.customer_wallet(ME), -45_000), (ledger.platform_topup(), 45_000)],
            )
    await till.advance(seconds=60)
    await till.deliver()
    await till.advance(seconds=120)
    if spent:
        assert (await till.status(job), await till.states(job)) == ("in_pool", ["refunded"])
        assert (await till.trade(number))["refunded_fen"] == REST
        assert (await purse(till), await till.balances()) == ((5_000, 3_000), (0, 0, 0))
        returned = (await till.town.heard(f"customer:{ME}", "payment.settled"))[-1]
        assert (returned["state"], [part["method"] for part in returned["parts"]]) == ("returned", ["wechat"])
        assert returned["amount"]["amount"] == REST
    else:
        assert (await till.status(job), await till.states(job)) == ("paid", ["paid"])
        assert (await purse(till), await till.balances()) == ((40_000, 2_000), (-REST, 0, 0))
    assert await till.town.faults() == []


async def test_both_channels_of_two_mixes_succeed(till: Till) -> None:
    """D1 with mixed payments: the second success goes back over its channel, the wallet is taken once."""
    job, _ = await my_order(till)
    wechat = await mixed(till, job)
    await till.run()
    await till.press(wechat, "pay_late", after_s=30)
    alipay = await mixed(till, job, "alipay")
    await till.run()
    await till.press(alipay, channel="alipay")
    await till.deliver()
    await till.run()
    assert await till.status(job) == "paid"
    await till.advance(seconds=31)
    await till.deliver()
    await till.advance(seconds=120)
    assert sorted(await till.states(job)) == ["paid", "refunded"]
    assert (await till.balances("wechat"), await till.balances("alipay")) == ((0, 0, 0), (-REST, 0, 0))
    assert await purse(till) == (40_000, 2_000)
    assert await till.town.faults() == []


async def test_a_refused_channel_frees_the_rest_and_asks_support(till: Till) -> None:
    job, _ = await my_order(till)
    await till.control("POST", "faults", **{"wechat.refuse": 1})
    await mixed(till, job)
    await till.run()
    assert (await till.states(job), await purse(till)) == (["failed"], (50_000, 3_000))
    assert await till.town.open_cases(job) == {"payment_failed": "queue"}
    assert await till.town.faults() == []


async def test_parts_of_a_completed_order_go_back_in_any_steps(till: Till) -> None:
    """RV-289, HS-161: finance gives back a third, one fen and the rest; everybody with a line bears his part."""
    job, tech = await my_order(till)
    number = await mixed(till, job)
    await till.run()
    await till.press(number)
    await till.deliver()
    await till.run()
    for name in _SERVED[3:]:
        job = await till.town._go(job, tech, name)
    for fen in (13_633, 1, PRICE - 13_634):
        await till.db.run(actions.refund, job.order.id, "acc_fay", fen, "late")
        assert await till.town.faults() == []
        till.clock.advance(minutes=2)
        await till.run()
    assert (await purse(till), await till.balances()) == ((50_000, 3_000), (0, 0, 0))
    assert (await till.trade(number))["refunded_fen"] == REST
    assert await refused(till.db.run(actions.refund, job.order.id, "acc_fay", 1, "late")) == "refund_exceeds_paid"


async def test_eight_orders_of_one_customer_race_for_his_wallet(till: Till) -> None:
    """HS-182: each wants 10,000 of 15,000 beside its channel."""
    await till.db.run(lambda tx: fund(tx, wallet_fen=15_000, points_given=9_000))
    jobs = []
    for _ in range(4):
        tech = await till.town.technician()
        job = await till.town.post(ME)
        jobs.append(await till.town.choose(job, await till.town.grab(job, tech)))

    async def try_it(job: Job) -> str:
        try:
            return await mixed(till, job)
        except ledger.InsufficientFunds:
            return ""

    made = [number for number in await asyncio.gather(*map(try_it, jobs)) if number]
    assert (len(made), await till.town.wallet(ME)) == (1, 5_000)
    assert await till.town.faults() == []


async def test_the_password_guards_the_wallet_and_not_the_channel(till: Till) -> None:
    """RV-041, RV-042: three wrong ones are forgiven, the fourth locks for a day, also in the middle of paying."""
    job, _ = await my_order(till)
    salt = new_salt()
    await till.db.run(passwords.actions.put, ME, salt, await slow_hash("123456", salt, SECRET))
    assert (await pay(till, job))[1]["code"] == "pay_password_required"
    for key, left in enumerate((3, 2, 1), 10):
        status, problem = await pay(till, job, key=key, password="000000")
        assert (status, problem["code"], problem["tries_left"]) == (422, "pay_password_wrong", left)
    status, problem = await pay(till, job, key=20, password="000000")
    assert (status, problem["code"], problem["until"]) == (
        423,
        "pay_locked",
        instant(till.clock.now() + timedelta(hours=24)),
    )
    assert (await pay(till, job, key=21, password="123456"))[0] == 423
    assert (await pay(till, job, [{"method": "wechat"}], key=22))[0] == 201
    assert (await purse(till), await till.states(job)) == ((50_000, 3_000), ["created"])


# Finance


async def test_money_of_a_wrong_amount_is_listed_and_given_back_once(till: Till) -> None:
    """D2, FR-074."""
    job, _ = await my_order(till)
    number = await mixed(till, job)
    await till.run()
    await till.press(number, amount_fen=REST - 1)
    await till.deliver()
    await till.run()
    assert (await till.status(job), await till.balances()) == ("pending_payment", (-(REST - 1), 0, REST - 1))
    listed = (await call(till, "GET", "/v1/admin/abnormal_payments?kind=stray", who="fay"))[1]["data"]
    assert [(one["what"], one["payment_id"], one["amount"]["amount"]) for one in listed] == [
        ("wrong_amount", number, REST - 1)
    ]
    path = f"/v1/admin/suspense/{listed[0]['id']}"
    assert (await call(till, "POST", f"{path}/refund", {"reason": "asked too little"}, who="fay", key=1))[0] == 200
    status, problem = await call(till, "POST", f"{path}/write_off", {"reason": "twice"}, who="fay", key=2)
    assert (status, problem["code"]) == (409, "suspense_state")
    await till.advance(seconds=1)
    assert (await till.trade(number))["refunded_fen"] == REST - 1
    assert await till.balances() == (0, 0, 0)
    assert (await call(till, "GET", "/v1/admin/abnormal_payments?kind=stray", who="fay"))[1]["data"] == []


async def test_a_payment_without_news_is_listed_and_asked_for(till: Till) -> None:
    """FR-074: a channel that is away; finance asks again when it is back."""
    job, _ = await my_order(till)
    number = await mixed(till, job)
    await till.run()
    await till.press(number)
    async with till.db.begin() as tx:
        await tx.execute("DELETE FROM jobs WHERE key LIKE $1", f"{number}%")
    till.clock.advance(minutes=14)
    listed = (await call(till, "GET", "/v1/admin/abnormal_payments?kind=silent", who="fay"))[1]["data"]
    assert [(one["payment_id"], one["what"]) for one in listed] == [(number, "ready")]
    assert (await call(till, "POST", f"/v1/admin/payments/{number}/ask", who="fay"))[0] == 200
    await till.town.fresh()
    await till.run()
    assert await till.attempt(number) == "paid"
    assert (await call(till, "POST", f"/v1/admin/payments/{number}/ask", who="fay"))[1]["code"] == "channel_state"
    assert (await call(till, "GET", "/v1/admin/abnormal_payments?kind=silent", who="fay"))[1]["data"] == []
    assert (await call(till, "GET", "/v1/admin/abnormal_payments?kind=late", who="fay"))[1]["data"] == []
    assert await payments_of(till, job) == ["paid"]


async def payments_of(till: Till, job: Job) -> list[str]:
    async with till.db.begin() as tx:
        return [one.state.value for one in await payments.of_order(tx, job.order.id)]
