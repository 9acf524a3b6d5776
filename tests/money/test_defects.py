"""Defects that well-known payment systems have shipped, each as a test that fails where it is made again.

D3, D6 and D11 to D13 are proved elsewhere; what is here is what payments, refunds and wallets must not do.
"""

from __future__ import annotations

import asyncio

import pytest

from rest.money import ledger, payments, points, wallet
from rest.money.channels.model import Attempt, AttemptState, Outcome, Trade, TradeState, judge
from rest.money.payments import Part, Payment, Tender
from rest.money.payments import PaymentState as State
from rest.money.payments.audit import verify
from storage.postgres import Database
from storage.tx import Tx
from tests.conftest import MONDAY

ANN, ORDER = "acc_ann", "ord_1"
T = Tender
MIX = (Part(T.WALLET, 300), Part(T.POINTS, 10, points=1_000), Part(T.WECHAT, 690))


@pytest.fixture(autouse=True)
async def ann(db: Database) -> None:
    async with db.begin() as tx:
        await wallet.credit(tx, ANN, 1_000, "gift", "test")
        await points.earn(tx, ANN, 5_000, ref="points", reason="gift")


async def begin(tx: Tx, parts: tuple[Part, ...] = MIX, *, epoch: int = 1) -> Payment:
    amount = sum(part.amount_fen for part in parts)
    return await payments.open_payment(
        tx, order_id=ORDER, account_id=ANN, amount_fen=amount, lock_epoch=epoch, parts=parts
    )


async def money(tx: Tx) -> dict[str, int]:
    """Where all of it is; the book, payments and holds must be right."""
    assert await ledger.verify(tx) + await verify(tx) == []
    codes = {
        "wallet": ledger.customer_wallet(ANN),
        "points": ledger.customer_points(ANN),
        "escrow": ledger.escrow(ORDER),
        "unapplied": ledger.unapplied(ANN),
        "wechat": ledger.clearing("wechat"),
        "alipay": ledger.clearing("alipay"),
        "back by wechat": ledger.refunding("wechat"),
    }
    found = {name: await ledger.balance(tx, code) for name, code in codes.items()}
    return {name: amount for name, amount in found.items() if amount}


async def test_d1_two_channels_pay_one_order(db: Database) -> None:
    """Elsewhere the second news throws and rolls back for ever: money unbooked, and every refund after it refused."""
    async with db.begin() as tx:
        first = await begin(tx)
        second = await begin(tx, (*MIX[:2], Part(T.ALIPAY, 690)))
    for payment, epoch in ((second, 1), (first, None)):
        async with db.begin() as tx:
            receipt = await payments.receive(tx, payment.id, lock_epoch=epoch, ref=f"trade-{payment.id}")
            assert receipt.late == (payment is first)
    async with db.begin() as tx:
        assert await money(tx) == {
            "wallet": 700, "points": 4_000, "escrow": 1_000, "unapplied": 690, "wechat": -690, "alipay": -690,
        }  # fmt: skip
        await payments.return_late(tx, first.id)
        await payments.give_back(tx, ORDER, 1_000, ref="r1", reason="cancelled")
        assert (await money(tx))["back by wechat"] == 690
        assert (await money(tx))["wallet"] == 1_000


@pytest.mark.parametrize("paid_fen", [1, 689, 691, 1_000])
def test_d2_news_of_another_amount_pays_nothing(paid_fen: int) -> None:
    """Elsewhere the notification's amount is not even read. Of a mix the channel's part is what counts, not the
    price."""
    attempt = Attempt(
        payment_id="pay_1", order_id=ORDER, account_id=ANN, channel="wechat", amount_fen=690, state=AttemptState.READY,
        payer=None, description="x", expires_at=MONDAY, params=None, trade_no=None, reason=None, version=1,
        created_at=MONDAY,
    )  # fmt: skip
    trade = Trade(out_trade_no="pay_1", state=TradeState.PAID, trade_no="wx-1", amount_fen=paid_fen)
    assert judge(trade, attempt, "wechat") is Outcome.WRONG_AMOUNT


async def test_d4_a_balance_is_never_computed_from_what_was_read_before_the_lock(db: Database) -> None:
    """Elsewhere two spenders read 1,000 each and both write their own rest; here every entry's balance follows the
    last."""

    async def spend(n: int) -> None:
        async with db.begin() as tx:
            await payments.purse(tx, ANN, order_id=f"ord_{n}")  # a look before, as an app does
            await wallet.pay(tx, ANN, f"ord_{n}", 100, f"pay:{n}")

    await asyncio.gather(*(spend(n) for n in range(10)))
    async with db.begin() as tx:
        assert (await money(tx)).get("wallet", 0) == 0
        lines = await wallet.entries(tx, ANN, limit=20)
        assert [line.balance_after_fen for line in lines] == [*range(0, 1_000, 100), 1_000]
    with pytest.raises(ledger.InsufficientFunds):
        await spend(11)


async def test_d5_late_news_never_pays_an_order_that_has_moved_on(db: Database) -> None:
    """Elsewhere a cancelled order whose stock is sold again turns paid. The wallet's part is not taken either."""
    async with db.begin() as tx:
        opened = await begin(tx)
        await payments.close_open(tx, ORDER, "cancelled")
    async with db.begin() as tx:
        receipt = await payments.receive(tx, opened.id, lock_epoch=None, ref="wx-1")
        assert (receipt.late, receipt.payment.state) == (True, State.PAID_LATE)
        assert await money(tx) == {"wallet": 1_000, "points": 5_000, "unapplied": 690, "wechat": -690}


async def test_d7_refunds_never_gross_more_than_the_payment(db: Database) -> None:
    """Elsewhere each refund is checked against the payment, not against what the others left; also many at once."""
    async with db.begin() as tx:
        opened = await begin(tx)
        await payments.receive(tx, opened.id, lock_epoch=1)

    async def refund(n: int) -> int:
        try:
            await db.run(payments.refund, opened.id, 300, ref=f"r{n}", reason="part")
        except payments.model.RefundExceedsPaid:
            return 0
        return 300

    assert sum(await asyncio.gather(*(refund(n) for n in range(8)))) == 900
    async with db.begin() as tx:
        [payment] = await payments.of_order(tx, ORDER)
        assert (payment.refunded_fen, (await money(tx))["escrow"]) == (900, 100)
        with pytest.raises(payments.model.RefundExceedsPaid):
            await payments.give_back(tx, ORDER, 101, ref="r", reason="part")
        await payments.give_back(tx, ORDER, 100, ref="r", reason="rest")
        assert (await money(tx)).get("wallet") == 1_000


async def test_d8_news_and_the_customers_own_return_meet(db: Database) -> None:
    """Elsewhere the notification and the page that comes back both finish the checkout: two charges, counted twice."""
    async with db.begin() as tx:
        opened = await begin(tx)

    async def told() -> bool:
        return (await db.run(payments.receive, opened.id, lock_epoch=1, ref="wx-1")).repeated

    assert sorted(await asyncio.gather(*(told() for _ in range(10)))) == [False] + [True] * 9
    async with db.begin() as tx:
        assert await money(tx) == {"wallet": 700, "points": 4_000, "escrow": 1_000, "wechat": -690}


async def test_d9_one_refund_recorded_thrice_is_one(db: Database) -> None:
    """Elsewhere the channel's webhook beats the local commit, and each of them debits the seller."""
    async with db.begin() as tx:
        opened = await begin(tx)
        await payments.receive(tx, opened.id, lock_epoch=1)

    async def refund() -> None:
        await db.run(payments.refund, opened.id, 500, ref="r1", reason="part")

    await asyncio.gather(*(refund() for _ in range(6)))
    async with db.begin() as tx:
        [payment] = await payments.of_order(tx, ORDER)
        assert (payment.refunded_fen, (await money(tx))["escrow"]) == (500, 500)
        count = "SELECT count(*) FROM outbox WHERE topic = 'money.refund_due'"
        assert await tx.fetchval(count) == 1


async def test_d10_an_attempt_of_unknown_end_and_a_new_one_never_both_pay(db: Database) -> None:
    """Elsewhere the unknown one is mended to "paid" after a second payment was taken: one invoice paid twice."""
    async with db.begin() as tx:
        unknown = await begin(tx)  # its channel has not answered
    async with db.begin() as tx:
        paid = await begin(tx, (Part(T.WALLET, 1_000),))
        await payments.settle_paid(tx, paid)
    async with db.begin() as tx:
        receipt = await payments.receive(tx, unknown.id, lock_epoch=1, ref="wx-1")
        assert receipt.late
        await payments.return_late(tx, unknown.id)
        assert await money(tx) == {"points": 5_000, "escrow": 1_000, "wechat": -690, "back by wechat": 690}
