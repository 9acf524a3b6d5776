"""Verbs of withdrawals. Lock order: the withdrawal → ledger accounts. Repeating a verb changes nothing."""

from __future__ import annotations

from rest.edge.values import Money
from rest.money import ledger, wallet
from rest.money.withdrawals import store
from rest.money.withdrawals.facts import WithdrawalChanged
from rest.money.withdrawals.model import (
    GIVES_BACK,
    SYSTEM,
    BelowMinimum,
    DayLimit,
    Event,
    Owner,
    OwnWithdrawal,
    Payee,
    Withdrawal,
    WithdrawalState,
    WrongWithdrawalState,
)
from rest.money.withdrawals.payouts import MANUAL, Payout
from rest.money.withdrawals.rules import WithdrawalRules
from storage.base.clock import business_day
from storage.base.errors import NotFound
from storage.base.log import log
from storage.base.money import as_money
from storage.tx import Tx

SEND = "withdrawals.send"


async def request(
    tx: Tx, rules: WithdrawalRules, owner: Owner, *, account_id: str, amount_fen: int, payee: Payee
) -> Withdrawal:
    """Freeze this much of the wallet and pay it out: at once, or after finance's word above the limit (HS-177).

    Raises BelowMinimum, DayLimit, InsufficientFunds (also while the wallet is negative, HS-180).
    """
    if amount_fen < rules.min_fen:
        raise BelowMinimum(minimum=as_money(rules.min_fen))
    withdrawal = Withdrawal(
        id=tx.new_id("wdr"),
        owner=owner,
        account_id=account_id,
        payee=payee,
        amount_fen=amount_fen,
        state=WithdrawalState.REVIEW if amount_fen > rules.review_over_fen else WithdrawalState.SENDING,
        reason=None,
        version=1,
        day=business_day(tx.now),
        requested_at=tx.now,
        changed_at=tx.now,
    )
    # The wallet's lock, taken here, makes requests of one owner wait for each other: the sums below are true.
    left = await _move(tx, withdrawal, "frozen", owner.wallet, owner.frozen)
    await _check_owed(tx, owner, left, amount_fen)
    times, total = await store.asked_on(tx, owner, withdrawal.day)
    if times >= rules.day_count_max or total + amount_fen > rules.day_max_fen:
        raise DayLimit(maximum=as_money(rules.day_max_fen), left=as_money(max(0, rules.day_max_fen - total)))
    await store.insert(tx, withdrawal)
    await _record(tx, None, withdrawal, actor=f"account:{account_id}", verb="request", detail=None)
    return withdrawal


async def _check_owed(tx: Tx, owner: Owner, left_fen: int, amount_fen: int) -> None:
    """A customer who owes a reward pays nothing out that he owes. Raises InsufficientFunds."""
    if owner.kind != "customer":
        return
    owed = await ledger.balance(tx, ledger.customer_owed(owner.id))
    if left_fen + owed < 0:
        raise ledger.InsufficientFunds(ledger.account_of(owner.wallet), max(0, left_fen + amount_fen + owed))


async def approve(tx: Tx, withdrawal_id: str, *, by: str, reason: str) -> Withdrawal:
    """Finance lets it go (HS-181). Raises NotFound, OwnWithdrawal, WrongWithdrawalState."""
    return await _decide(tx, withdrawal_id, "approve", by, reason)


async def reject(tx: Tx, withdrawal_id: str, *, by: str, reason: str) -> Withdrawal:
    """Finance does not; the money is unfrozen (HS-181). Raises NotFound, OwnWithdrawal, WrongWithdrawalState."""
    return await _decide(tx, withdrawal_id, "reject", by, reason)


async def mark_sent(tx: Tx, withdrawal_id: str, *, by: str, ref: str) -> Withdrawal:
    """Finance has made the transfer by hand; `ref` is the bank's number of it.

    Raises NotFound, OwnWithdrawal, WrongWithdrawalState (also where an adapter pays), BankRefUsed.
    """
    return await _decide(tx, withdrawal_id, "send", by, ref)


async def confirm(tx: Tx, withdrawal_id: str, *, by: str) -> Withdrawal:
    """The money has arrived: it leaves the book. Raises NotFound, OwnWithdrawal, WrongWithdrawalState."""
    return await _decide(tx, withdrawal_id, "confirm", by, None)


async def fail(tx: Tx, withdrawal_id: str, *, by: str, reason: str) -> Withdrawal:
    """It will not arrive: the money is unfrozen (HS-177).

    Raises NotFound, OwnWithdrawal, WrongWithdrawalState (also where an adapter pays and has not answered).
    """
    return await _decide(tx, withdrawal_id, "fail", by, reason)


async def _decide(tx: Tx, withdrawal_id: str, verb: str, by: str, detail: str | None) -> Withdrawal:
    """A person's step."""
    withdrawal = await _lock(tx, withdrawal_id)
    if withdrawal.account_id == by:
        raise OwnWithdrawal
    actor = f"account:{by}"
    if await _is_repeat(tx, withdrawal, verb, actor, detail):
        return withdrawal
    if verb in {"send", "fail"} and withdrawal.state is WithdrawalState.SENDING:
        await store.begin_payout(tx, withdrawal_id, MANUAL)
        payout = await store.payout(tx, withdrawal_id)
        if payout is not None and payout.adapter != MANUAL:
            # Two hands on one payment would pay it twice.
            raise WrongWithdrawalState(state=withdrawal.state.value, adapter=payout.adapter)
    return await _step(tx, withdrawal, verb, actor, detail)


async def _is_repeat(tx: Tx, withdrawal: Withdrawal, verb: str, actor: str, detail: str | None) -> bool:
    """Whether this actor has done exactly this before: an answer got lost on the way."""
    done = {(event.verb, event.actor, event.detail) for event in await store.events(tx, withdrawal.id)}
    return (verb, actor, detail) in done


async def _step(tx: Tx, before: Withdrawal, verb: str, actor: str, detail: str | None) -> Withdrawal:
    """Make one step and move the money it moves; needs the lock. Raises WrongWithdrawalState, BankRefUsed."""
    after = before.after(verb, tx.now, detail if verb in {"reject", "fail"} else None)
    if verb == "send" and detail is not None:
        await store.save_ref(tx, after.id, detail)
    if after.state in GIVES_BACK:
        await _move(tx, after, "unfrozen", after.owner.frozen, after.owner.wallet)
    elif after.state is WithdrawalState.CONFIRMED:
        payout = await store.payout(tx, after.id)
        adapter = MANUAL if payout is None else payout.adapter
        await _move(tx, after, "paid_out", after.owner.frozen, ledger.clearing(adapter))
    await store.save(tx, after)
    await _record(tx, before, after, actor=actor, verb=verb, detail=detail)
    return after


async def _move(tx: Tx, withdrawal: Withdrawal, step: str, source: str, target: str) -> int:
    """Move the amount; what the source holds then."""
    transfer = await wallet.move(
        tx,
        ref=f"{withdrawal.id}:{step}",
        kind="withdrawal",
        entries=[(source, -withdrawal.amount_fen), (target, withdrawal.amount_fen)],
    )
    return transfer.balance_after(source)


async def _record(
    tx: Tx, before: Withdrawal | None, after: Withdrawal, *, actor: str, verb: str, detail: str | None
) -> None:
    """Who did what, the owner's news, and the job that sends."""
    event = Event(
        withdrawal_id=after.id,
        n=after.version,
        at=tx.now,
        actor=actor,
        verb=verb,
        from_state=None if before is None else before.state.value,
        to_state=after.state.value,
        detail=detail,
    )
    await store.insert_event(tx, event)
    if after.state is WithdrawalState.SENDING:
        tx.schedule(SEND, f"withdrawal:{after.id}:send", tx.now, {"withdrawal_id": after.id})
    fact = WithdrawalChanged(
        withdrawal_id=after.id,
        state=after.state.value,
        version=after.version,
        amount=Money(after.amount_fen),
        reason=after.reason,
    )
    tx.tell(fact, to=[after.owner.audience])


# Between the job's two transactions an adapter talks to the outside.


async def begin_payout(tx: Tx, withdrawal_id: str, adapter: str) -> Payout | None:
    """What this adapter is to pay; None when somebody has decided otherwise, or another adapter has it."""
    withdrawal = await _lock(tx, withdrawal_id)
    if withdrawal.state is not WithdrawalState.SENDING:
        return None
    await store.begin_payout(tx, withdrawal_id, adapter)
    payout = await store.payout(tx, withdrawal_id)
    if payout is None or payout.adapter != adapter:
        return None
    return Payout(withdrawal_id=withdrawal.id, amount_fen=withdrawal.amount_fen, payee=withdrawal.payee)


async def payout_taken(tx: Tx, withdrawal_id: str, ref: str) -> Withdrawal:
    """The outside has taken it under this number. Raises NotFound, WrongWithdrawalState, BankRefUsed."""
    return await _by_system(tx, withdrawal_id, "send", ref)


async def payout_arrived(tx: Tx, withdrawal_id: str) -> Withdrawal:
    """The outside says that the money is there. Raises NotFound, WrongWithdrawalState."""
    return await _by_system(tx, withdrawal_id, "confirm", None)


async def payout_failed(tx: Tx, withdrawal_id: str, reason: str) -> Withdrawal:
    """The outside has refused it, or could not deliver. Raises NotFound, WrongWithdrawalState."""
    return await _by_system(tx, withdrawal_id, "fail", reason)


async def _by_system(tx: Tx, withdrawal_id: str, verb: str, detail: str | None) -> Withdrawal:
    withdrawal = await _lock(tx, withdrawal_id)
    if await _is_repeat(tx, withdrawal, verb, SYSTEM, detail):
        return withdrawal
    after = await _step(tx, withdrawal, verb, SYSTEM, detail)
    log("withdrawal.moved", withdrawal_id=withdrawal_id, state=after.state.value)
    return after


# Reading


async def of_owner(tx: Tx, owner: Owner, withdrawal_id: str) -> Withdrawal:
    """The owner's own. Raises NotFound."""
    found = await store.read(tx, withdrawal_id)
    if found is None or found.owner != owner:
        raise NotFound
    return found


async def any_one(tx: Tx, withdrawal_id: str) -> Withdrawal:
    """For finance. Raises NotFound."""
    found = await store.read(tx, withdrawal_id)
    if found is None:
        raise NotFound
    return found


async def _lock(tx: Tx, withdrawal_id: str) -> Withdrawal:
    found = await store.lock(tx, withdrawal_id)
    if found is None:
        raise NotFound
    return found
