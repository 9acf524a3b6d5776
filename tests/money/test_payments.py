"""Attempts to pay: the transition table, and money that comes in time, late, twice or never."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from rest.money import ledger, payments, wallet
from rest.money.payments import Method
from rest.money.payments import PaymentState as State
from rest.money.payments.model import MONEY_IS_IN, TRANSITIONS, VERBS
from storage.base.clock import ManualClock
from storage.base.errors import NotFound
from storage.postgres import Database
from storage.tx import Tx
from tests.conftest import MONDAY

ANN, ORDER = "acc_ann", "ord_1"


async def fund(tx: Tx, amount: int = 1000) -> None:
    await wallet.credit(tx, ANN, amount, f"fund:{amount}", "gift")


async def attempt(tx: Tx, *, amount: int = 430, epoch: int = 1, method: Method = Method.WALLET) -> payments.Payment:
    return await payments.open_payment(
        tx, order_id=ORDER, account_id=ANN, amount_fen=amount, lock_epoch=epoch, method=method
    )


async def where_the_money_is(tx: Tx) -> dict[str, int]:
    """Balances that are not zero; the book must be right as well."""
    assert await ledger.verify(tx) == []
    codes = {
        "wallet": ledger.customer_wallet(ANN),
        "escrow": ledger.escrow(ORDER),
        "unapplied": ledger.unapplied(ANN),
        "wechat": ledger.clearing("wechat"),
        "alipay": ledger.clearing("alipay"),
        "back by wechat": ledger.refunding("wechat"),
    }
    found = {name: await ledger.balance(tx, code) for name, code in codes.items()}
    return {name: amount for name, amount in found.items() if amount}


def a_payment(state: payments.PaymentState) -> payments.Payment:
    return payments.Payment(
        id="pay_1", order_id=ORDER, account_id=ANN, method=Method.WALLET, amount_fen=430, refunded_fen=0, state=state,
        lock_epoch=1, ref=None, reason=None, version=3, created_at=MONDAY, paid_at=None, ended_at=None,
    )  # fmt: skip


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_in_every_state(state: payments.PaymentState, verb: str) -> None:
    """I15: what the table lists happens and makes one version; everything else is refused."""
    payment = a_payment(state)
    expected = TRANSITIONS.get((state, verb))
    if expected is None:
        with pytest.raises(payments.WrongPaymentState):
            payment.after(verb)
        return
    assert payment.after(verb) == replace(payment, state=expected, version=4)


def test_money_never_leaves_the_states_that_hold_it() -> None:
    for (state, _), after in TRANSITIONS.items():
        assert state not in MONEY_IS_IN or after in MONEY_IS_IN
    assert {after for (state, _), after in TRANSITIONS.items() if state is State.REFUNDED} == set()


async def test_paying_by_wallet(db: Database, clock: ManualClock) -> None:
    async with db.begin() as tx:
        await fund(tx)
        opened = await attempt(tx)
    clock.advance(seconds=3)
    async with db.begin() as tx:
        paid = await payments.settle_paid(tx, opened)
        assert await payments.of_order(tx, ORDER) == [paid]
        assert await where_the_money_is(tx) == {"wallet": 570, "escrow": 430}
    assert (opened.state, paid.state, paid.paid_at) == (State.CREATED, State.PAID, clock.now())


async def test_a_wallet_too_small_fails_the_attempt_in_the_same_transaction(db: Database) -> None:
    """HS-087, HS-151: the order stays payable, so a new attempt may follow."""
    async with db.begin() as tx:
        opened = await attempt(tx)
        with pytest.raises(ledger.InsufficientFunds):
            await payments.settle_paid(tx, opened)
        failed = await payments.fail(tx, opened.id, "insufficient_balance")
    async with db.begin() as tx:
        await fund(tx)
        again = await attempt(tx)
        await payments.settle_paid(tx, again)
        states = {payment.id: payment.state for payment in await payments.of_order(tx, ORDER)}
        assert await where_the_money_is(tx) == {"wallet": 570, "escrow": 430}
    assert failed.reason == "insufficient_balance"
    assert states == {failed.id: State.FAILED, again.id: State.PAID}


async def test_a_double_tap_is_one_attempt(db: Database) -> None:
    async with db.begin() as tx:
        first, second = await attempt(tx), await attempt(tx)
    assert first == second


@pytest.mark.parametrize("change", [{"amount": 431}, {"epoch": 2}, {"method": Method.WECHAT}])
async def test_an_order_has_one_open_attempt(db: Database, change: dict[str, object]) -> None:
    async with db.begin() as tx:
        first = await attempt(tx)
        second = await attempt(tx, **change)  # type: ignore[arg-type]  # one of attempt's own keywords
        found = await payments.of_order(tx, ORDER)
    assert {payment.id: payment.state for payment in found} == {first.id: State.CLOSED, second.id: State.CREATED}


async def test_money_of_this_lock_is_in_time(db: Database) -> None:
    async with db.begin() as tx:
        opened = await attempt(tx, method=Method.WECHAT, epoch=7)
        receipt = await payments.receive(tx, opened.id, lock_epoch=7, ref="wx-1")
        assert await where_the_money_is(tx) == {"wechat": -430, "escrow": 430}
    assert (receipt.late, receipt.repeated, receipt.payment.ref) == (False, False, "wx-1")


@pytest.mark.parametrize("epoch", [None, 8], ids=["unlocked", "locked anew"])
@pytest.mark.parametrize("before", ["open", "closed", "failed"])
async def test_money_of_another_lock_is_late_and_booked(db: Database, epoch: int | None, before: str) -> None:
    """D5: late money must not pay an order that has moved on, and must not be lost (HS-088, HS-152)."""
    async with db.begin() as tx:
        opened = await attempt(tx, method=Method.WECHAT, epoch=7)
        if before == "closed":
            await payments.close_open(tx, ORDER, "unbound")
        if before == "failed":
            await payments.fail(tx, opened.id, "declined")
        receipt = await payments.receive(tx, opened.id, lock_epoch=epoch)
        assert await where_the_money_is(tx) == {"wechat": -430, "unapplied": 430}
    assert receipt.late
    assert receipt.payment.state is State.PAID_LATE


async def test_a_closed_attempt_stays_late_even_if_its_epoch_is_current(db: Database) -> None:
    async with db.begin() as tx:
        opened = await attempt(tx, method=Method.WECHAT, epoch=7)
        await payments.close_open(tx, ORDER, "replaced")
        assert (await payments.receive(tx, opened.id, lock_epoch=7)).late


async def test_late_money_may_pay_after_all(db: Database) -> None:
    async with db.begin() as tx:
        opened = await attempt(tx, method=Method.WECHAT, epoch=7)
        await payments.receive(tx, opened.id, lock_epoch=None)
        restored = await payments.restore_late(tx, opened.id, lock_epoch=8)
        assert await where_the_money_is(tx) == {"wechat": -430, "escrow": 430}
    assert (restored.state, restored.lock_epoch) == (State.PAID, 8)


async def test_late_money_may_go_back(db: Database) -> None:
    async with db.begin() as tx:
        opened = await attempt(tx, method=Method.WECHAT, epoch=7)
        await payments.receive(tx, opened.id, lock_epoch=None)
        returned = await payments.return_late(tx, opened.id)
        assert await where_the_money_is(tx) == {"wechat": -430, "back by wechat": 430}
        with pytest.raises(payments.WrongPaymentState):
            await payments.restore_late(tx, opened.id, lock_epoch=8)
    assert (returned.state, returned.refunded_fen) == (State.REFUNDED, 430)


async def test_both_attempts_of_one_order_succeed(db: Database) -> None:
    """D1: the second money is booked and given back; nothing throws, nothing is paid twice."""
    async with db.begin() as tx:
        first = await attempt(tx, method=Method.WECHAT)
        second = await attempt(tx, method=Method.ALIPAY)
        assert not (await payments.receive(tx, second.id, lock_epoch=1)).late
        assert (await payments.receive(tx, first.id, lock_epoch=None)).late
        await payments.return_late(tx, first.id)
        money = {"wechat": -430, "alipay": -430, "escrow": 430, "back by wechat": 430}
        assert await where_the_money_is(tx) == money


async def test_the_same_news_again_books_nothing(db: Database) -> None:
    """D8, HS-147; I12."""
    async with db.begin() as tx:
        opened = await attempt(tx, method=Method.WECHAT)

    async def notify() -> payments.Receipt:
        async with db.begin() as tx:
            return await payments.receive(tx, opened.id, lock_epoch=1, ref="wx-1")

    receipts = await asyncio.gather(*(notify() for _ in range(10)))
    assert [receipt.repeated for receipt in receipts].count(False) == 1
    assert not any(receipt.late for receipt in receipts)
    async with db.begin() as tx:
        assert await where_the_money_is(tx) == {"wechat": -430, "escrow": 430}


async def test_money_races_the_end_of_the_lock(db: Database) -> None:
    """I17: whichever comes first, the money is booked once and the attempt is either paid or late."""
    for n in range(8):
        async with db.begin() as tx:
            opened = await attempt(tx, method=Method.WECHAT, epoch=n)

        async def come(payment: payments.Payment = opened) -> bool:
            async with db.begin() as tx:
                receipt = await payments.receive(tx, payment.id, lock_epoch=payment.lock_epoch)
                return receipt.late

        async def unbind() -> payments.Payment | None:
            async with db.begin() as tx:
                return await payments.close_open(tx, ORDER, "unbound")

        late, closed = await asyncio.gather(come(), unbind())
        assert late == (closed is not None)
    async with db.begin() as tx:
        money = await where_the_money_is(tx)
    assert money.pop("wechat") == -430 * 8
    assert sum(money.values()) == 430 * 8


async def test_refunds_count_up_to_what_was_paid(db: Database) -> None:
    """HS-150; D9: the same refund three times is one refund."""
    async with db.begin() as tx:
        await fund(tx)
        opened = await attempt(tx)
        await payments.settle_paid(tx, opened)
        for _ in range(3):
            part = await payments.refund(tx, opened.id, 130, ref="r1", reason="late arrival")
        assert (part.state, part.refunded_fen, part.refundable_fen) == (State.PAID, 130, 300)
        with pytest.raises(wallet.RefundExceedsPaid) as refusal:
            await payments.refund(tx, opened.id, 301, ref="r2", reason="too much")
        assert refusal.value.fields["remaining_refundable"]["amount"] == 300
        rest = await payments.refund(tx, opened.id, 300, ref="r3", reason="cancelled")
        again = await payments.refund(tx, opened.id, 300, ref="r3", reason="cancelled")
        assert await where_the_money_is(tx) == {"wallet": 1000}
    assert (rest.state, rest.refunded_fen) == (State.REFUNDED, 430)
    assert again == rest


async def test_the_rest_of_an_order_goes_back_over_all_its_payments(db: Database) -> None:
    """HS-091; I6: parts and the rest end like one refund of the whole."""
    async with db.begin() as tx:
        await fund(tx)
        await attempt(tx, amount=431)
        opened = await attempt(tx)
        await payments.settle_paid(tx, opened)
        await payments.refund(tx, opened.id, 30, ref="r1", reason="part")
        await attempt(tx, epoch=2)
        await payments.give_back(tx, ORDER, 400, ref="r2", reason="cancelled")
        with pytest.raises(wallet.RefundExceedsPaid):
            await payments.give_back(tx, ORDER, 1, ref="r3", reason="cancelled")
        assert await where_the_money_is(tx) == {"wallet": 1000}


async def test_money_goes_back_the_way_it_came(db: Database) -> None:
    """HS-150: what came over a channel is set aside for it, once for each reference, and never reaches the wallet."""
    async with db.begin() as tx:
        opened = await attempt(tx, method=Method.WECHAT)
        await payments.receive(tx, opened.id, lock_epoch=1, ref="wx-1")
        for _ in range(3):
            await payments.refund(tx, opened.id, 130, ref="r1", reason="late arrival")
        assert await where_the_money_is(tx) == {"wechat": -430, "escrow": 300, "back by wechat": 130}
        due = [waiting.fact for waiting in tx.pending.facts if waiting.fact.topic == "money.refund_due"]
        assert [(fact.ref, fact.amount_fen, fact.total_fen) for fact in due] == [("r1", 130, 430)]
        for amount_fen in (0, -1):
            with pytest.raises(ledger.BadTransfer):
                await payments.refund(tx, opened.id, amount_fen, ref=f"r{amount_fen}", reason="?")


async def test_an_attempt_without_money_has_nothing_to_refund(db: Database) -> None:
    async with db.begin() as tx:
        opened = await attempt(tx)
        with pytest.raises(payments.WrongPaymentState):
            await payments.refund(tx, opened.id, 1, ref="r1", reason="?")
        closed = await payments.close_open(tx, ORDER, "unbound")
        assert closed is not None
        assert await payments.close_open(tx, ORDER, "unbound") is None
        with pytest.raises(payments.WrongPaymentState):
            await payments.settle_paid(tx, closed)
        with pytest.raises(NotFound):
            await payments.receive(tx, "pay_nothing", lock_epoch=1)
