"""Verbs of penalties; the caller holds the order's lock. Lock order: the order → the penalty → ledger accounts."""

from __future__ import annotations

from rest.edge.values import Money
from rest.money import ledger, wallet
from rest.money.penalties import store
from rest.money.penalties.facts import PenaltyBooked, PenaltyFact, PenaltyTakenBack
from rest.money.penalties.model import Broken, Payer, Penalty, PenaltyState
from storage.base.errors import NotFound
from storage.base.log import log
from storage.tx import Tx


async def keep(tx: Tx, broken: Broken, *, item_fen: int, travel_fen: int) -> None:
    """Write down what the order keeps of its customer's money; sharing that out is the settlement's.

    No penalty where nothing is kept.
    """
    if item_fen + travel_fen:
        await _book(tx, broken, Payer("customer", broken.customer_id), item_fen, travel_fen)


async def debit(tx: Tx, broken: Broken, *, amount_fen: int) -> None:
    """Take a penalty from the worker's wallet, which may fall below zero until he has earned it back (HS-130)."""
    if amount_fen:
        penalty = await _book(tx, broken, Payer("worker", broken.worker_id), amount_fen, 0)
        await _move(tx, penalty, -amount_fen, step="debited", by=broken.by, note=broken.note)


async def reverse(tx: Tx, penalty_id: str, *, by: str, reason: str) -> Penalty:
    """It was a mistake; once (HS-132). A worker's goes back to his wallet; a customer's is given back by the line.

    Raises NotFound, PenaltyReversed.
    """
    penalty = await store.lock(tx, penalty_id)
    if penalty is None:
        raise NotFound
    after = penalty.reversed(by, reason, tx.now)
    await store.save_reversal(tx, after)
    if penalty.state is PenaltyState.DEBITED:
        await _move(tx, penalty, penalty.amount_fen, step="reversed", by=by, note=reason)
    log("penalty.reversed", penalty_id=penalty_id, by=by)
    _tell(tx, PenaltyTakenBack, after)
    return after


async def find(tx: Tx, penalty_id: str) -> Penalty:
    """For staff. Raises NotFound."""
    found = await store.read(tx, penalty_id)
    if found is None:
        raise NotFound
    return found


async def _book(tx: Tx, broken: Broken, payer: Payer, item_fen: int, travel_fen: int) -> Penalty:
    sides = {"customer": broken.customer_id, "worker": broken.worker_id}
    (other,) = (Payer(kind, who) for kind, who in sides.items() if kind != payer.kind)
    penalty = Penalty(
        id=tx.new_id("pen"),
        order_id=broken.order_id,
        line=broken.line,
        payer=payer,
        other=other,
        cause=broken.cause,
        item_fen=item_fen,
        travel_fen=travel_fen,
        state=PenaltyState.SETTLED if payer.kind == "customer" else PenaltyState.DEBITED,
        by=broken.by,
        note=broken.note,
        at=tx.now,
        reversed_by=None,
        reversed_reason=None,
        reversed_at=None,
    )
    if not await store.insert(tx, penalty):
        raise AssertionError(f"{penalty.order_id}: {payer} has paid his penalty already")
    _tell(tx, PenaltyBooked, penalty)
    return penalty


async def _move(tx: Tx, penalty: Penalty, amount_fen: int, *, step: str, by: str, note: str | None) -> None:
    """Move into the worker's wallet (out of it, when negative), against the line's revenue."""
    await wallet.move(
        tx,
        ref=f"{penalty.id}:{step}",
        kind="penalty",
        order_id=penalty.order_id,
        note=note,
        by_id=by,
        entries=[
            (ledger.worker_wallet(penalty.payer.id), amount_fen),
            (ledger.revenue(penalty.line), -amount_fen),
        ],
        overdraw=True,
    )


def _tell(tx: Tx, kind: type[PenaltyFact], penalty: Penalty) -> None:
    fact = kind(
        penalty_id=penalty.id,
        order_id=penalty.order_id,
        payer=penalty.payer.kind,
        cause=penalty.cause,
        amount=Money(penalty.amount_fen),
        item_part=Money(penalty.item_fen),
        travel_part=Money(penalty.travel_fen),
    )
    tx.tell(fact, to=[penalty.payer.audience, penalty.other.audience])
