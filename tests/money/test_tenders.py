"""Mixed payments on the real book: held while the channel is awaited, posted together, freed, given back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.money import ledger, payments, points
from rest.money.payments import DailyLimit, Part, Payment, PayPolicy, Tender
from rest.money.payments import PaymentState as State
from rest.money.payments.audit import CHECKS, verify
from rest.money.payments.entries import giving_back, holding, releasing, taking, voiding
from rest.money.points import InsufficientPoints
from storage.base.clock import ManualClock
from storage.postgres import Database
from storage.tx import Tx
from tests.conftest import MONDAY

ANN, ORDER, WU = "acc_ann", "ord_1", "wrk_wu"
T = Tender

HAS = {
    "wallet": (ledger.customer_wallet(ANN), 1_000),
    "prepaid": (ledger.customer_prepaid(ANN), 200),
    "bonus": (ledger.customer_bonus(ANN), 100),
    "credit": (ledger.customer_credit(ANN, WU), 500),
}
POINTS = 5_000
EVERYTHING = (
    Part(T.CREDIT, 500, worker_id=WU),
    Part(T.PREPAID, 200),
    Part(T.BONUS, 50),
    Part(T.POINTS, 30, points=3_000),
    Part(T.WALLET, 120),
    Part(T.WECHAT, 1_100),
)
"""2,000 fen of six sources."""


async def fund(tx: Tx) -> None:
    for name, (code, fen) in HAS.items():
        await ledger.post(tx, ref=f"fund:{name}", kind="gift", entries=[(ledger.platform_topup(), -fen), (code, fen)])
    await points.earn(tx, ANN, POINTS, ref="fund:points", reason="gift")


async def begin(
    tx: Tx, parts: Sequence[Part] = EVERYTHING, *, epoch: int = 1, order: str = ORDER, **more: Any
) -> Payment:
    amount = sum(part.amount_fen for part in parts)
    return await payments.open_payment(
        tx, order_id=order, account_id=ANN, amount_fen=amount, lock_epoch=epoch, parts=parts, **more
    )


async def purse(tx: Tx) -> dict[str, int]:
    """What Ann has left of what she was given; and the book must be right."""
    assert await ledger.verify(tx) + await verify(tx) == []
    found = {name: fen - await ledger.balance(tx, code) for name, (code, fen) in HAS.items()}
    found["points"] = POINTS - await ledger.balance(tx, ledger.customer_points(ANN))
    return {name: gone for name, gone in found.items() if gone}


ALL_GONE = {"credit": 500, "prepaid": 200, "bonus": 50, "points": 3_000, "wallet": 120}


async def escrow(tx: Tx, order: str = ORDER) -> int:
    return await ledger.balance(tx, ledger.escrow(order))


@pytest.fixture
async def ann(db: Database) -> None:
    async with db.begin() as tx:
        await fund(tx)


@pytest.mark.usefixtures("ann")
async def test_all_parts_are_posted_together_when_the_channel_has_its_own(db: Database) -> None:
    """FR-064, FR-065: held at once, the order's only with the verified news, in one transfer."""
    async with db.begin() as tx:
        opened = await begin(tx)
        assert (opened.state, opened.method, opened.is_held) == (State.CREATED, T.WECHAT, True)
        assert await purse(tx) == ALL_GONE
        assert await escrow(tx) == 0
    async with db.begin() as tx:
        receipt = await payments.receive(tx, opened.id, lock_epoch=1, ref="wx-1")
        assert (receipt.late, receipt.payment.paid_fen) == (False, 2_000)
        assert await purse(tx) == ALL_GONE
        assert await escrow(tx) == 2_000
        assert await ledger.balance(tx, ledger.clearing("wechat")) == -1_100
        assert await ledger.balance(tx, ledger.promo("points")) == -30
        count = "SELECT count(*) FROM ledger_transfers WHERE order_id = $1 AND kind = 'pay'"
        assert await tx.fetchval(count, ORDER) == 1


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize("end", ["close", "fail", "replace"])
async def test_whatever_ends_without_money_frees_all_it_held(db: Database, end: str) -> None:
    """FR-071, I18."""
    async with db.begin() as tx:
        opened = await begin(tx)
    async with db.begin() as tx:
        if end == "close":
            await payments.close_open(tx, ORDER, "unbound")
        elif end == "fail":
            await payments.fail(tx, opened.id, "refused")
        else:
            await payments.open_payment(
                tx, order_id=ORDER, account_id=ANN, amount_fen=2_000, lock_epoch=1, method=T.ALIPAY
            )
        assert await purse(tx) == {}
        ended = await payments.find(tx, opened.id)
    assert ended is not None
    assert (ended.state, ended.is_held) == (State.FAILED if end == "fail" else State.CLOSED, False)


@pytest.mark.usefixtures("ann")
async def test_a_double_tap_is_one_payment_however_its_prepaid_money_is_made_up(db: Database) -> None:
    async with db.begin() as tx:
        opened = await begin(tx)
        again = [Part(T.PREPAID, 250), *(part for part in EVERYTHING if part.tender not in {T.PREPAID, T.BONUS})]
        assert (await begin(tx, again)).id == opened.id
        other = await begin(tx, [*EVERYTHING[:-1], Part(T.ALIPAY, 1_100)])
        assert other.id != opened.id
        assert await purse(tx) == ALL_GONE
        assert [one.state for one in await payments.of_order(tx, ORDER)].count(State.CLOSED) == 1


@pytest.mark.usefixtures("ann")
async def test_all_or_nothing(db: Database) -> None:
    """One part too large: nothing of the others is held."""
    with pytest.raises(InsufficientPoints) as refusal:
        async with db.begin() as tx:
            await begin(tx, [Part(T.WALLET, 100), Part(T.POINTS, 51, points=5_001), Part(T.WECHAT, 10)])
    assert refusal.value.fields["available"] == {"amount": POINTS, "unit": "PTS"}
    async with db.begin() as tx:
        assert await purse(tx) == {}
        assert await payments.of_order(tx, ORDER) == []


@pytest.mark.usefixtures("ann")
async def test_without_a_channel_nothing_waits(db: Database) -> None:
    async with db.begin() as tx:
        opened = await begin(tx, EVERYTHING[:-1])
        assert (opened.is_held, await purse(tx)) == (False, {})
        paid = await payments.settle_paid(tx, opened)
        assert (paid.state, paid.paid_fen, await escrow(tx)) == (State.PAID, 900, 900)
        assert await purse(tx) == ALL_GONE


async def late(tx: Tx, *, closed: bool) -> Payment:
    opened = await begin(tx)
    if closed:
        await payments.close_open(tx, ORDER, "unbound")
    receipt = await payments.receive(tx, opened.id, lock_epoch=2)
    assert (receipt.late, receipt.payment.paid_fen, await purse(tx)) == (True, 1_100, {})
    assert await ledger.balance(tx, ledger.unapplied(ANN)) == 1_100
    return receipt.payment


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize("closed", [True, False])
async def test_late_money_that_is_good_takes_the_other_parts_again(db: Database, closed: bool) -> None:
    """D5, HS-088: only the channel's part has come; the rest is taken when the lock is back."""
    async with db.begin() as tx:
        payment = await late(tx, closed=closed)
        assert await payments.hold_late(tx, payment.id)
        assert await payments.hold_late(tx, payment.id)
        restored = await payments.restore_late(tx, payment.id, lock_epoch=3)
        assert (restored.state, restored.paid_fen, restored.is_held) == (State.PAID, 2_000, False)
        assert (await purse(tx), await escrow(tx)) == (ALL_GONE, 2_000)


@pytest.mark.usefixtures("ann")
async def test_late_money_without_its_other_parts_goes_back(db: Database) -> None:
    async with db.begin() as tx:
        payment = await late(tx, closed=True)
        wallet = ledger.customer_wallet(ANN)
        await ledger.post(tx, ref="spent", kind="pay", entries=[(wallet, -900), (ledger.platform_topup(), 900)])
        assert not await payments.hold_late(tx, payment.id)
        returned = await payments.return_late(tx, payment.id)
        assert (returned.state, returned.refunded_fen) == (State.REFUNDED, 1_100)
        assert await ledger.balance(tx, ledger.refunding("wechat")) == 1_100
        assert await purse(tx) == {"wallet": 900}
        with pytest.raises(payments.model.RefundExceedsPaid):
            await payments.give_back(tx, ORDER, 1, ref="none", reason="cancelled")


@pytest.mark.usefixtures("ann")
async def test_what_was_held_for_late_money_is_free_when_it_goes_back_after_all(db: Database) -> None:
    async with db.begin() as tx:
        payment = await late(tx, closed=False)
        assert await payments.hold_late(tx, payment.id)
        await payments.return_late(tx, payment.id)
        assert await purse(tx) == {}


# Giving back


async def paid(tx: Tx) -> Payment:
    opened = await begin(tx)
    return (await payments.receive(tx, opened.id, lock_epoch=1)).payment


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize("steps", [[2_000], [1] * 7 + [1_993], [667, 666, 667], [1_999, 1], [33, 900, 67, 1_000]])
async def test_each_part_has_its_own_back_in_the_end(db: Database, steps: list[int]) -> None:
    """HS-150, RV-289, I4: points as points, channels over themselves, to the fen."""
    async with db.begin() as tx:
        await paid(tx)
        for n, fen in enumerate(steps):
            legs = await payments.give_back(tx, ORDER, fen, ref=f"r{n}", reason="part")
            assert sum(leg.amount_fen for leg in legs) == fen
        assert (await purse(tx), await escrow(tx)) == ({}, 0)
        assert await ledger.balance(tx, ledger.refunding("wechat")) == 1_100
        assert await ledger.balance(tx, ledger.promo("points")) == 0
        [payment] = await payments.of_order(tx, ORDER)
        assert (payment.state, payment.refunded_fen) == (State.REFUNDED, 2_000)
        assert all(part.refunded_fen == part.amount_fen for part in payment.parts)


@pytest.mark.usefixtures("ann")
async def test_the_same_refund_again_is_the_same_refund(db: Database) -> None:
    """D9: whatever was given back in between."""
    async with db.begin() as tx:
        payment = await paid(tx)
        first = await payments.give_back(tx, ORDER, 333, ref="r1", reason="part")
        await payments.refund(tx, payment.id, 100, ref="r2", reason="part")
        assert await payments.give_back(tx, ORDER, 333, ref="r1", reason="part") == first
        assert await payments.legs(tx, ref="r1") == first
        assert (await payments.refund(tx, payment.id, 100, ref="r2", reason="part")).refunded_fen == 433
        for again in (payments.give_back(tx, ORDER, 334, ref="r1", reason="part"),
                      payments.refund(tx, payment.id, 99, ref="r2", reason="part")):  # fmt: skip
            with pytest.raises(ledger.RefReused):
                await again
        assert await escrow(tx) == 1_567
        due = [waiting.fact for waiting in tx.pending.facts if waiting.fact.topic == "money.refund_due"]
        assert {fact.total_fen for fact in due} == {1_100}


@pytest.mark.usefixtures("ann")
async def test_an_order_paid_twice_over_gives_back_from_both(db: Database) -> None:
    async with db.begin() as tx:
        await paid(tx)
        more = await begin(tx, [Part(T.WALLET, 100), Part(T.ALIPAY, 100)], epoch=2)
        await payments.receive(tx, more.id, lock_epoch=2)
        legs = await payments.give_back(tx, ORDER, 1_100, ref="r1", reason="half")
        assert {leg.payment_id for leg in legs} == {payment.id for payment in await payments.of_order(tx, ORDER)}
        with pytest.raises(payments.model.RefundExceedsPaid):
            await payments.give_back(tx, ORDER, 1_101, ref="r2", reason="rest")
        await payments.give_back(tx, ORDER, 1_100, ref="r3", reason="rest")
        assert (await purse(tx), await escrow(tx)) == ({}, 0)


# Entries, without a database

parts_of = st.lists(
    st.sampled_from(EVERYTHING).flatmap(
        lambda part: st.integers(1, 10**6).map(
            lambda fen: Part(part.tender, fen, points=fen * 7 if part.points else 0, worker_id=part.worker_id)
        )
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda part: part.tender,
)


def sums(entries: list[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for code, amount in entries:
        found[code] = found.get(code, 0) + amount
    return {code: amount for code, amount in found.items() if amount}


@given(parts_of, st.data())
def test_every_step_balances_and_undoes_what_it_should(parts: list[Part], data: st.DataObject) -> None:
    whole = sum(part.amount_fen for part in parts)
    payment = Payment(
        id="pay_1", order_id=ORDER, account_id=ANN, method=parts[0].tender, amount_fen=whole, refunded_fen=0,
        state=State.PAID, lock_epoch=1, ref=None, reason=None, version=1, created_at=MONDAY, paid_at=MONDAY,
        ended_at=None, paid_fen=whole, parts=tuple(parts),
    )  # fmt: skip
    to = ledger.escrow(ORDER)
    assert sums(holding(payment) + voiding(payment)) == {}
    inner = [part for part in parts if not part.by_channel]
    assert sums(holding(payment) + releasing(payment, to)) == sums(taking(payment, inner, to))
    given_back = payment.spread(data.draw(st.integers(1, payment.amount_fen)))
    for entries in (taking(payment, parts, to), giving_back(payment, given_back, to)):
        by_unit: dict[Any, int] = {}
        for code, amount in entries:
            unit = ledger.account_of(code).unit
            by_unit[unit] = by_unit.get(unit, 0) + amount
        assert not any(by_unit.values())


# Many at once


@pytest.mark.usefixtures("ann")
async def test_two_mixed_payments_never_spend_the_same_wallet(db: Database) -> None:
    """HS-182: a thousand fen, eight orders that want six hundred of it each."""

    async def pay(n: int) -> str | None:
        try:
            async with db.begin() as tx:
                return (await begin(tx, [Part(T.WALLET, 600), Part(T.WECHAT, 1)], order=f"ord_{n}")).id
        except ledger.InsufficientFunds:
            return None

    made = [one for one in await asyncio.gather(*(pay(n) for n in range(8))) if one]
    assert len(made) == 1
    async with db.begin() as tx:
        assert await purse(tx) == {"wallet": 600}


@pytest.mark.usefixtures("ann")
async def test_news_close_and_paying_again_meet(db: Database) -> None:
    """I17, I18: whichever comes first, each fen is in one place and nothing stays held."""

    async def again(epoch: int) -> None:
        other = [Part(T.WALLET, 300), Part(T.POINTS, 10, points=1_000), Part(T.ALIPAY, 50)]
        await db.run(begin, other, epoch=epoch)

    for n in range(12):
        async with db.begin() as tx:
            opened = await begin(
                tx, [Part(T.WALLET, 300), Part(T.POINTS, 10, points=1_000), Part(T.WECHAT, 50)], epoch=n
            )
        await asyncio.gather(
            db.run(payments.receive, opened.id, lock_epoch=n), db.run(payments.close_open, ORDER, "unbound"), again(n)
        )
        async with db.begin() as tx:
            await payments.close_open(tx, ORDER, "end")
            for payment in await payments.of_order(tx, ORDER):
                if payment.state is State.PAID_LATE:
                    await payments.return_late(tx, payment.id)
            if left := sum(payment.refundable_fen for payment in await payments.of_order(tx, ORDER)):
                await payments.give_back(tx, ORDER, left, ref=f"end:{n}", reason="end")
            assert (await purse(tx), await escrow(tx)) == ({}, 0)


POLICY = PayPolicy(version=1, tenders=(T.WALLET, T.WECHAT, T.OFFLINE), methods_max=2, daily_max_fen=1_000)


async def test_a_day_has_its_limit_also_for_many_at_once(db: Database, clock: ManualClock) -> None:
    """RV-280: six payments of 300 begun at once; three fit into a day of 1,000."""

    async def pay(n: int, method: Tender = T.WECHAT) -> Payment | None:
        try:
            async with db.begin() as tx:
                return await begin(tx, [Part(method, 300)], order=f"ord_{n}", policy=POLICY)
        except DailyLimit as refusal:
            assert refusal.fields["left"]["amount"] == 100
            return None

    made = [one for one in await asyncio.gather(*(pay(n) for n in range(6))) if one]
    assert len(made) == 3
    assert await pay(7, T.OFFLINE) is not None  # transfers are exempt
    async with db.begin() as tx:
        assert await verify(tx) == []
        await payments.close_open(tx, made[0].order_id, "given_up")
    assert await pay(8) is not None  # what was given up counts no more
    assert await pay(9) is None
    clock.advance(hours=24)
    assert await pay(10) is not None
    async with db.begin() as tx:
        assert await verify(tx) == []


# The checks themselves


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize(
    ("tamper", "check"),
    [
        ("UPDATE payments SET is_held = false", "I18 whoever"),
        ("UPDATE payments SET state = 'closed', is_held = false", "I18 what is held"),
        ("UPDATE payment_parts SET amount_fen = 121 WHERE tender = 'wallet'", "a payment is"),
        ("UPDATE payment_parts SET points = 2999 WHERE tender = 'points'", "I18 what is held"),
        ("UPDATE payment_parts SET refunded_fen = 1 WHERE tender = 'wallet'", "I4"),
        ("UPDATE payments SET paid_fen = 7", "I12"),
        ("INSERT INTO payment_days VALUES ('acc_ann', '2026-01-01', 5)", "RV-280"),
        ("UPDATE payments SET state = 'paid_late', paid_at = created_at, paid_fen = 1100", "I18 whoever"),
    ],
)
async def test_each_check_finds_what_it_is_for(db: Database, tamper: str, check: str) -> None:
    async with db.begin() as tx:
        await begin(tx)
        assert await verify(tx) == []
        await tx.execute(tamper)
        found = {name: await tx.fetch(sql) for name, sql in CHECKS.items() if name.startswith(check)}
        assert any(found.values()), found
