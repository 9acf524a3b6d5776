"""Money going out: the table, the limits, the freeze, four eyes, and everything at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import pytest

from rest.money import ledger, settlement, wallet, withdrawals
from rest.money.withdrawals import Owner, Payee, PayoutMethod, Withdrawal, WithdrawalState, actions, store
from rest.money.withdrawals.jobs import outside_jobs
from rest.money.withdrawals.model import OPEN, TRANSITIONS, VERBS
from rest.money.withdrawals.payouts import ManualPayouts, Payout, Refused, Taken
from rest.money.withdrawals.rules import WithdrawalRules
from storage.base import codec
from storage.base.clock import ManualClock
from storage.base.errors import HubError
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database, TryAgain
from tests.money.settling import Shop

ANN = Owner("customer", "acc_ann")
WU = Owner("worker", "wrk_wu")
BANK = Payee(method=PayoutMethod.BANK, name="Wu Lei", number="6222020200112233445")
RULES = WithdrawalRules(min_fen=100, review_over_fen=50_000, day_max_fen=150_000, day_count_max=4)
HOLDER = {ANN: "acc_ann", WU: "acc_wu"}


@dataclass
class Till:
    """Gives people money and pays it out."""

    db: Database
    rules: WithdrawalRules = RULES

    async def give(self, owner: Owner, fen: int) -> None:
        entries = [(ledger.platform_topup(), -fen), (owner.wallet, fen)]
        async with self.db.begin() as tx:
            await wallet.move(tx, ref=tx.new_id("ref"), kind="credit", entries=entries)

    async def ask(self, owner: Owner = WU, fen: int = 10_000) -> Withdrawal:
        return await self.db.run(
            actions.request, self.rules, owner, account_id=HOLDER[owner], amount_fen=fen, payee=BANK
        )

    async def approve(self, one: Withdrawal, by: str = "acc_fay", reason: str = "ok") -> Withdrawal:
        return await self.db.run(actions.approve, one.id, by=by, reason=reason)

    async def reject(self, one: Withdrawal, by: str = "acc_fay", reason: str = "odd") -> Withdrawal:
        return await self.db.run(actions.reject, one.id, by=by, reason=reason)

    async def send(self, one: Withdrawal, by: str = "acc_fay", ref: str | None = None) -> Withdrawal:
        return await self.db.run(actions.mark_sent, one.id, by=by, ref=ref or f"bank-{one.id}")

    async def confirm(self, one: Withdrawal, by: str = "acc_fay") -> Withdrawal:
        return await self.db.run(actions.confirm, one.id, by=by)

    async def fail(self, one: Withdrawal, by: str = "acc_fay", reason: str = "no such account") -> Withdrawal:
        return await self.db.run(actions.fail, one.id, by=by, reason=reason)

    async def in_state(self, state: WithdrawalState) -> Withdrawal:
        """A withdrawal brought to this state along the usual way."""
        await self.give(WU, 100_000)
        over = state in {WithdrawalState.REVIEW, WithdrawalState.REJECTED}
        one = await self.ask(WU, 50_001 if over else 10_000)
        for step in WAY_TO[state]:
            one = await getattr(self, step)(one, by="acc_first")
        assert one.state is state
        return one

    async def balances(self, owner: Owner = WU) -> tuple[int, int]:
        return tuple([await self.db.run(ledger.balance, code) for code in (owner.wallet, owner.frozen)])  # type: ignore[return-value]

    async def faults(self) -> list[str]:
        return await Shop(self.db).faults()


WAY_TO: dict[WithdrawalState, list[str]] = {
    WithdrawalState.REVIEW: [],
    WithdrawalState.REJECTED: ["reject"],
    WithdrawalState.SENDING: [],
    WithdrawalState.SENT: ["send"],
    WithdrawalState.CONFIRMED: ["send", "confirm"],
    WithdrawalState.FAILED: ["send", "fail"],
}


@pytest.fixture
def till(db: Database) -> Till:
    return Till(db)


async def answer(act: Awaitable[Any]) -> str:
    try:
        await act
    except TryAgain:
        raise
    except HubError as problem:
        return problem.code
    return "ok"


# The table: written from spec 5.7, not from the code

EXPECTED: dict[WithdrawalState, dict[str, WithdrawalState]] = {
    WithdrawalState.REVIEW: {"approve": WithdrawalState.SENDING, "reject": WithdrawalState.REJECTED},
    WithdrawalState.REJECTED: {},
    WithdrawalState.SENDING: {"send": WithdrawalState.SENT, "fail": WithdrawalState.FAILED},
    WithdrawalState.SENT: {"confirm": WithdrawalState.CONFIRMED, "fail": WithdrawalState.FAILED},
    WithdrawalState.CONFIRMED: {},
    WithdrawalState.FAILED: {},
}


@pytest.mark.parametrize("state", WithdrawalState)
@pytest.mark.parametrize("verb", ["approve", "reject", "send", "confirm", "fail"])
async def test_every_verb_in_every_state(till: Till, state: WithdrawalState, verb: str) -> None:
    before = await till.in_state(state)
    found, expected = await answer(getattr(till, verb)(before)), EXPECTED[state].get(verb)
    async with till.db.begin() as tx:
        after = await withdrawals.any_one(tx, before.id)
    assert found == ("withdrawal_state" if expected is None else "ok")
    assert after.state == (expected or state)
    if expected is None:
        assert after == before
    else:
        again = await getattr(till, verb)(before)
        assert again == after  # the same word of the same person changes nothing
        assert await answer(getattr(till, verb)(before, by="acc_third")) == "withdrawal_state"
    assert await till.faults() == []


def test_the_table_has_no_other_verbs() -> None:
    assert set(VERBS) == {"approve", "reject", "send", "confirm", "fail"}
    assert len(TRANSITIONS) == sum(map(len, EXPECTED.values()))
    assert {state for state, verbs in EXPECTED.items() if verbs} == OPEN


@pytest.mark.parametrize("state", WithdrawalState)
async def test_what_is_open_is_frozen_and_what_is_not_is_back_or_gone(till: Till, state: WithdrawalState) -> None:
    one = await till.in_state(state)
    left = 100_000 - one.amount_fen
    expected = {
        WithdrawalState.CONFIRMED: (left, 0),
        WithdrawalState.REJECTED: (100_000, 0),
        WithdrawalState.FAILED: (100_000, 0),
    }.get(state, (left, one.amount_fen))
    assert await till.balances() == expected
    gone = await till.db.run(ledger.balance, ledger.clearing("manual"))
    assert gone == (one.amount_fen if state is WithdrawalState.CONFIRMED else 0)
    assert await till.faults() == []


# Asking


@pytest.mark.parametrize(
    ("fen", "found"), [(99, "below_minimum"), (100, "ok"), (30_000, "ok"), (30_001, "insufficient_balance")]
)
@pytest.mark.parametrize("owner", [ANN, WU], ids=["customer", "worker"])
async def test_the_amount_is_between_the_minimum_and_the_balance(
    till: Till, owner: Owner, fen: int, found: str
) -> None:
    """HS-177."""
    await till.give(owner, 30_000)
    assert await answer(till.ask(owner, fen)) == found
    assert await till.balances(owner) == ((30_000 - fen, fen) if found == "ok" else (30_000, 0))
    assert await till.faults() == []


@pytest.mark.parametrize(("fen", "state"), [(50_000, WithdrawalState.SENDING), (50_001, WithdrawalState.REVIEW)])
async def test_over_the_limit_a_person_looks_first(till: Till, fen: int, state: WithdrawalState) -> None:
    """HS-181."""
    await till.give(WU, 100_000)
    assert (await till.ask(WU, fen)).state is state


async def test_below_zero_nothing_goes_out(till: Till) -> None:
    """HS-180."""
    await till.give(WU, 1_000)
    async with till.db.begin() as tx:
        entries = [(WU.wallet, -21_000), (ledger.revenue("homeservice"), 21_000)]
        await wallet.move(tx, ref="penalty", kind="penalty", entries=entries, overdraw=True)
    assert await answer(till.ask(WU, 100)) == "insufficient_balance"
    await till.give(WU, 20_100)
    assert await answer(till.ask(WU, 101)) == "insufficient_balance"
    assert await answer(till.ask(WU, 100)) == "ok"


async def test_pending_money_is_not_there_yet(till: Till) -> None:
    await Shop(till.db).order(item=40_000, kept=40_000)
    assert await answer(till.ask(WU, 100)) == "insufficient_balance"


async def test_a_customer_pays_nothing_out_that_he_owes(till: Till) -> None:
    shop = Shop(till.db)
    await shop.bind(settlement.Party("customer", "acc_ann"))
    done = await shop.order(hold_s=0, item=40_000, kept=40_000)
    assert (await till.balances(ANN))[0] == 1_600
    await till.ask(ANN, 1_600)
    async with till.db.begin() as tx:
        await settlement.reverse(tx, done.order_id, 0, reason="refund")
        await wallet.refund(tx, "acc_ben", done.order_id, 40_000, "r1")
    assert await till.db.run(ledger.balance, ledger.customer_owed("acc_ann")) == -1_600
    await till.give(ANN, 2_000)
    assert await answer(till.ask(ANN, 401)) == "insufficient_balance"
    assert await answer(till.ask(ANN, 400)) == "ok"
    assert await till.faults() == []


async def test_a_day_has_its_limits_and_the_next_day_new_ones(till: Till, clock: ManualClock) -> None:
    await till.give(WU, 900_000)
    assert await answer(till.ask(WU, 150_001)) == "day_limit"
    assert await answer(till.ask(WU, 100_000)) == "ok"
    assert await answer(till.ask(WU, 50_001)) == "day_limit"
    assert await answer(till.ask(WU, 50_000)) == "ok"
    assert await answer(till.ask(WU, 100)) == "day_limit"
    clock.advance(hours=13, minutes=59)  # 23:59 in Shanghai
    assert await answer(till.ask(WU, 100)) == "day_limit"
    clock.advance(minutes=1)
    assert [await answer(till.ask(WU, 100)) for _ in range(5)] == ["ok"] * 4 + ["day_limit"]
    assert await till.faults() == []


async def test_what_came_back_counts_for_no_limit(till: Till) -> None:
    await till.give(WU, 200_000)
    await till.reject(await till.ask(WU, 150_000))
    assert await answer(till.ask(WU, 150_000)) == "ok"


@pytest.mark.parametrize("wrong", [{"min_fen": 0}, {"day_count_max": -1}, {"day_max_fen": 10**12 + 1}])
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="FIELDHUB_WITHDRAWAL_"):
        WithdrawalRules(**wrong)


def test_limits_come_from_the_environment() -> None:
    assert WithdrawalRules.from_env({"FIELDHUB_WITHDRAWAL_MIN_FEN": "500"}).min_fen == 500
    with pytest.raises(ValueError, match="MIN_FEN"):
        WithdrawalRules.from_env({"FIELDHUB_WITHDRAWAL_MIN_FEN": "five"})
    with pytest.raises(ValueError, match="minimum"):
        WithdrawalRules(min_fen=200, day_max_fen=199)


# Deciding


@pytest.mark.parametrize(("state", "verb"), [(state, verb) for state, verbs in EXPECTED.items() for verb in verbs])
async def test_nobody_decides_about_his_own_money(till: Till, state: WithdrawalState, verb: str) -> None:
    one = await till.in_state(state)
    assert await answer(getattr(till, verb)(one, by=one.account_id)) == "own_withdrawal"
    async with till.db.begin() as tx:
        assert await withdrawals.any_one(tx, one.id) == one


async def test_everything_done_is_kept_with_its_reason(till: Till) -> None:
    """I24: a row for every privileged change, never changed afterwards."""
    await till.give(WU, 100_000)
    one = await till.ask(WU, 60_000)
    await till.approve(one, reason="known for years")
    await till.send(one, by="acc_finn", ref="20260105-77")
    await till.fail(one, by="acc_finn", reason="account closed")
    async with till.db.begin() as tx:
        events = await store.events(tx, one.id)
    assert [(event.n, event.actor, event.verb, event.to_state, event.detail) for event in events] == [
        (1, "account:acc_wu", "request", "review", None),
        (2, "account:acc_fay", "approve", "sending", "known for years"),
        (3, "account:acc_finn", "send", "sent", "20260105-77"),
        (4, "account:acc_finn", "fail", "failed", "account closed"),
    ]
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        async with till.db.begin() as tx:
            await tx.execute("UPDATE withdrawal_events SET actor = 'x'")


async def test_one_transfer_of_the_bank_pays_one_withdrawal(till: Till) -> None:
    await till.give(WU, 100_000)
    first, second = await till.ask(WU, 10_000), await till.ask(WU, 10_000)
    await till.send(first, ref="20260105-77")
    assert await answer(till.send(second, ref="20260105-77")) == "bank_ref_used"
    assert await answer(till.send(second, ref="20260105-78")) == "ok"


async def test_the_owner_hears_every_step_and_no_account_number(till: Till) -> None:
    await till.give(WU, 100_000)
    one = await till.ask(WU, 60_000)
    await till.reject(one)
    async with till.db.begin() as tx:
        rows = await tx.fetch("SELECT topic, body, audience FROM outbox ORDER BY id")
    told = [codec.loads(row["body"]) for row in rows if row["topic"] == "withdrawal.changed"]
    assert [(fact["state"], fact["reason"], fact["version"]) for fact in told] == [
        ("review", None, 1), ("rejected", "odd", 2),
    ]  # fmt: skip
    assert {tuple(row["audience"]) for row in rows} == {("worker:wrk_wu",)}
    assert BANK.number not in str([row["body"] for row in rows])


# Sending


class Channel:
    """A payout channel that answers as it is told, and notes what it was asked."""

    name = "toybank"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Payout] = []
        self.before: Callable[[], Awaitable[Any]] | None = None

    async def send(self, payout: Payout) -> Taken | Refused | None:
        self.asked.append(payout)
        if self.before is not None:
            await self.before()
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]


def runner(till: Till, adapter: Any, settings: Settings) -> JobRunner:
    return JobRunner(till.db, settings, {}, outside=outside_jobs(till.db, adapter))


async def state_of(till: Till, one: Withdrawal) -> WithdrawalState:
    async with till.db.begin() as tx:
        return (await withdrawals.any_one(tx, one.id)).state


async def test_the_manual_adapter_leaves_it_to_finance(till: Till, settings: Settings) -> None:
    await till.give(WU, 100_000)
    one = await till.ask()
    assert await runner(till, ManualPayouts(), settings).drain() == 1
    assert await state_of(till, one) is WithdrawalState.SENDING
    assert (await till.confirm(await till.send(one))).state is WithdrawalState.CONFIRMED
    assert await till.faults() == []


async def test_a_channel_takes_it_and_says_later_that_it_arrived(till: Till, settings: Settings) -> None:
    await till.give(WU, 100_000)
    one = await till.ask()
    channel = Channel(Taken("toy-1"))
    await runner(till, channel, settings).drain()
    assert (channel.asked[0].withdrawal_id, channel.asked[0].amount_fen) == (one.id, 10_000)
    assert await state_of(till, one) is WithdrawalState.SENT
    for _ in range(2):
        assert (await till.db.run(withdrawals.payout_arrived, one.id)).state is WithdrawalState.CONFIRMED
    assert await till.db.run(ledger.balance, ledger.clearing("toybank")) == 10_000
    assert await till.faults() == []


async def test_a_channel_refuses_and_the_money_is_back(till: Till, settings: Settings) -> None:
    await till.give(WU, 100_000)
    one = await till.ask()
    await runner(till, Channel(Refused("name and number differ")), settings).drain()
    async with till.db.begin() as tx:
        after = await withdrawals.any_one(tx, one.id)
    assert (after.state, after.reason) == (WithdrawalState.FAILED, "name and number differ")
    assert await till.balances() == (100_000, 0)


async def test_an_answer_that_was_lost_is_asked_for_again_under_the_same_number(
    till: Till, settings: Settings, clock: ManualClock
) -> None:
    await till.give(WU, 100_000)
    one = await till.ask()
    channel = Channel(TimeoutError(), Taken("toy-1"))
    jobs = runner(till, channel, settings)
    await jobs.drain()
    assert await state_of(till, one) is WithdrawalState.SENDING
    clock.advance(seconds=30)
    await jobs.drain()
    assert await state_of(till, one) is WithdrawalState.SENT
    assert [payout.withdrawal_id for payout in channel.asked] == [one.id, one.id]
    assert await till.faults() == []


async def test_two_hands_never_pay_the_same_withdrawal(till: Till, settings: Settings) -> None:
    """While a channel has it and has not answered, finance neither pays it nor gives it back."""
    await till.give(WU, 100_000)
    one = await till.ask()
    said: list[str] = []
    channel = Channel(Taken("toy-1"))

    async def meddle() -> None:
        said.extend([await answer(till.send(one)), await answer(till.fail(one))])

    channel.before = meddle
    await runner(till, channel, settings).drain()
    assert said == ["withdrawal_state", "withdrawal_state"]
    assert await state_of(till, one) is WithdrawalState.SENT
    assert await till.faults() == []


async def test_what_finance_has_paid_no_channel_pays_again(till: Till, settings: Settings) -> None:
    await till.give(WU, 100_000)
    await till.send(await till.ask())
    channel = Channel()
    await runner(till, channel, settings).drain()
    assert channel.asked == []


async def test_a_channel_that_may_have_paid_is_not_replaced_by_another(
    till: Till, settings: Settings, clock: ManualClock
) -> None:
    await till.give(WU, 100_000)
    one = await till.ask()
    await runner(till, Channel(TimeoutError()), settings).drain()
    clock.advance(seconds=30)
    other = Channel(Taken("toy-1"))
    other.name = "otherbank"
    await runner(till, other, settings).drain()
    assert other.asked == []
    assert await state_of(till, one) is WithdrawalState.SENDING


# Races on real connections


async def test_two_withdrawals_of_the_same_balance_take_it_once(till: Till) -> None:
    """D4, HS-182."""
    for owner in (ANN, WU):
        await till.give(owner, 10_000)
        found = await asyncio.gather(*(answer(till.ask(owner, 10_000)) for _ in range(8)))
        assert sorted(found) == ["insufficient_balance"] * 7 + ["ok"]
        assert await till.balances(owner) == (0, 10_000)
    assert await till.faults() == []


async def test_many_at_once_keep_the_limit_of_the_day(till: Till) -> None:
    await till.give(WU, 900_000)
    found = await asyncio.gather(*(answer(till.ask(WU, 40_000)) for _ in range(10)))
    assert sorted(found) == ["day_limit"] * 7 + ["ok"] * 3
    assert await till.faults() == []


@pytest.mark.parametrize(
    ("state", "first", "second"),
    [
        (WithdrawalState.REVIEW, "approve", "reject"),
        (WithdrawalState.SENDING, "send", "fail"),
        (WithdrawalState.SENT, "confirm", "fail"),
        (WithdrawalState.REVIEW, "approve", "approve"),
    ],
)
async def test_of_two_decisions_at_once_one_counts(till: Till, state: WithdrawalState, first: str, second: str) -> None:
    for _ in range(5):
        one = await till.in_state(state)
        found = await asyncio.gather(
            answer(getattr(till, first)(one, by="acc_fay")), answer(getattr(till, second)(one, by="acc_finn"))
        )
        # A withdrawal that was approved, then sent and failed in one breath has taken both words in their order.
        assert sorted(found) in (["ok", "withdrawal_state"], ["ok", "ok"])
        after = await state_of(till, one)
        legal = {EXPECTED[state][first], EXPECTED[state][second]}
        assert after in legal
        if found == ["ok", "ok"]:
            assert (first, second, after) == ("send", "fail", WithdrawalState.FAILED)
        async with till.db.begin() as tx:
            await tx.execute("UPDATE withdrawals SET day = day - 1")
    assert await till.faults() == []


async def test_the_same_word_twice_at_once_is_one_word(till: Till) -> None:
    one = await till.in_state(WithdrawalState.SENT)
    found = await asyncio.gather(*(answer(till.confirm(one)) for _ in range(6)))
    assert found == ["ok"] * 6
    assert await till.db.run(ledger.balance, ledger.clearing("manual")) == one.amount_fen


async def test_a_refund_and_a_withdrawal_at_once_end_as_one_of_their_orders(till: Till) -> None:
    """What was taken out first is owed; what was taken back first cannot go out."""
    shop = Shop(till.db)
    for n in range(10):
        owner = Owner("worker", f"wrk_{n}")
        HOLDER[owner] = f"acc_{n}"
        done = await shop.order(worker=owner.id, hold_s=0, item=40_000, kept=40_000)
        found, _ = await asyncio.gather(answer(till.ask(owner, 24_000)), shop.refund(done.order_id, 0))
        balances = await till.balances(owner)
        assert balances == {"ok": (-24_000, 24_000), "insufficient_balance": (0, 0)}[found]
        if found == "ok":
            assert await answer(till.ask(owner, 100)) == "insufficient_balance"
    assert await till.faults() == []


def test_a_number_is_masked_but_for_its_end() -> None:
    assert BANK.masked == "***************3445"
    assert replace(BANK, number="1234").masked == "**34"
