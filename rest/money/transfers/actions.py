"""Verbs of bank transfers. Lock order: the subject (by its line) → payment → file; a decision locks the transfer
alone."""

from __future__ import annotations

from rest.edge.values import Money
from rest.money import payments
from rest.money.cashier import Payable
from rest.money.channels.facts import MoneyCame, MoneyRefused
from rest.money.transfers import store
from rest.money.transfers.facts import TransferDecided
from rest.money.transfers.model import (
    REMIND_AFTER,
    AmountMismatch,
    Transfer,
    TransferRefUsed,
    TransferState,
)
from storage import files
from storage.base.errors import NotFound
from storage.base.log import log
from storage.base.money import as_money
from storage.tx import Tx

REMIND = "transfers.remind"
VOUCHER = "voucher"
"""The purpose of the picture."""


async def send(tx: Tx, kind: Payable, payment: payments.Payment, file_id: str) -> Transfer:
    """The customer shows that he has transferred the money: a person looks, and the pay timer stops (RV-284).

    Raises NotFound (also for a picture that is not his), WrongPaymentState, FileTaken.
    """
    await kind.lock(tx, payment.order_id, payment.account_id)
    await payments.submit(tx, payment.id)
    await files.attach(tx, file_id, owner_id=payment.account_id, purpose=VOUCHER, subject_id=payment.id)
    sent = Transfer(
        payment_id=payment.id,
        order_id=payment.order_id,
        account_id=payment.account_id,
        amount_fen=payment.amount_fen,
        file_id=file_id,
        state=TransferState.REVIEW,
        bank_ref=None,
        reason=None,
        decided_by=None,
        version=1,
        sent_at=tx.now,
        decided_at=None,
    )
    await store.insert(tx, sent)
    await kind.await_review(tx, payment.order_id)
    _remind_later(tx, payment.id)
    return sent


async def confirm(tx: Tx, payment_id: str, *, amount_fen: int, bank_ref: str, by: str) -> Transfer:
    """Finance has found the money on the statement, under this number of the bank. Saying so again changes nothing.

    Raises NotFound, OwnTransfer, WrongTransferState, AmountMismatch, TransferRefUsed.
    """
    found = await _lock(tx, payment_id)
    if found.state is TransferState.CONFIRMED and (found.bank_ref, found.decided_by) == (bank_ref, by):
        return found
    confirmed = found.decided("confirm", by=by, at=tx.now, bank_ref=bank_ref)
    if amount_fen != found.amount_fen:
        raise AmountMismatch(expected=as_money(found.amount_fen), given=as_money(amount_fen))
    if not await store.take_ref(tx, bank_ref):
        raise TransferRefUsed
    await _decide(tx, confirmed)
    tx.tell(MoneyCame(order_id=found.order_id, payment_id=payment_id, ref=bank_ref), to=())
    return confirmed


async def reject(tx: Tx, payment_id: str, *, reason: str, by: str) -> Transfer:
    """Finance has not found it; what it is for is payable again. Saying so again changes nothing.

    Raises NotFound, OwnTransfer, WrongTransferState.
    """
    found = await _lock(tx, payment_id)
    if found.state is TransferState.REJECTED and (found.reason, found.decided_by) == (reason, by):
        return found
    rejected = found.decided("reject", by=by, at=tx.now, reason=reason)
    await _decide(tx, rejected)
    tx.tell(MoneyRefused(order_id=found.order_id, payment_id=payment_id, reason="transfer_rejected"), to=())
    return rejected


async def _decide(tx: Tx, decided: Transfer) -> None:
    await store.save(tx, decided)
    tx.unschedule(_key(decided.payment_id))
    fact = TransferDecided(
        order_id=decided.order_id,
        payment_id=decided.payment_id,
        state=decided.state.value,
        amount=Money(decided.amount_fen),
        reason=decided.reason,
    )
    tx.tell(fact, to=[f"customer:{decided.account_id}"])
    log("transfer.decided", payment_id=decided.payment_id, state=decided.state.value, by=decided.decided_by)


async def remind(tx: Tx, payment_id: str) -> None:
    """Tell whoever watches the log that a transfer waits."""
    found = await store.read(tx, payment_id)
    if found is not None and found.state is TransferState.REVIEW:
        log("transfer.waits", level="warning", payment_id=payment_id, sent_at=found.sent_at)
        _remind_later(tx, payment_id)


def _remind_later(tx: Tx, payment_id: str) -> None:
    tx.schedule(REMIND, _key(payment_id), tx.now + REMIND_AFTER, {"payment_id": payment_id})


def _key(payment_id: str) -> str:
    return f"{payment_id}:transfer"


async def _lock(tx: Tx, payment_id: str) -> Transfer:
    found = await store.lock(tx, payment_id)
    if found is None:
        raise NotFound
    return found
