"""The one place where money of an order goes back to its payments."""

from __future__ import annotations

from rest.money import payments
from rest.money.refunds import store
from rest.money.refunds.model import Leg
from rest.money.wallet import RefundExceedsPaid
from storage.tx import Tx


async def give_back(tx: Tx, order_id: str, amount_fen: int, *, ref: str, reason: str) -> list[Leg]:
    """Give this much back out of the order's escrow, the oldest payment first; how, is kept under `ref`.

    Needs the order's lock. Once per `ref`. Raises RefundExceedsPaid when its payments do not hold as much.
    """
    legs = await _spread(tx, order_id, amount_fen, ref=ref, reason=reason)
    await store.insert_legs(tx, ref, order_id, legs)
    return legs


async def _spread(tx: Tx, order_id: str, amount_fen: int, *, ref: str, reason: str) -> list[Leg]:
    left, legs = amount_fen, []
    for payment in await payments.of_order(tx, order_id):
        part = min(left, payment.refundable_fen)
        if part > 0:
            own = f"{ref}:{payment.id}"
            await payments.refund(tx, payment.id, part, ref=own, reason=reason)
            legs.append(Leg(payment_id=payment.id, method=payment.method.value, amount_fen=part, ref=own))
            left -= part
    if left:
        raise RefundExceedsPaid(amount_fen - left)
    return legs
