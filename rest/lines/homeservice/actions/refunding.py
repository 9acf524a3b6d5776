"""Giving money back after the end of an order: its settlement gives it back first (HS-150, HS-161)."""

from __future__ import annotations

from dataclasses import replace

from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import Job
from rest.money.wallet import RefundExceedsPaid
from rest.trade import orders
from rest.trade.orders import By, Role
from storage.tx import Tx


async def refund(tx: Tx, order_id: str, staff_id: str, amount_fen: int, reason: str) -> Job:
    """Finance gives a part or all of a completed order back; everybody with a line bears his part.

    Each call is a refund of its own. Raises NotFound, WrongState, RefundExceedsPaid.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    by = By(Role.STAFF, staff_id)
    HOMESERVICE.machine.decide(job.order.status, "refund", by)
    if not 0 < amount_fen <= job.order.kept_fen:
        raise RefundExceedsPaid(job.order.kept_fen)
    after = replace(job, order=replace(job.order, refunded_fen=job.order.refunded_fen + amount_fen))
    data = {"amount_fen": amount_fen, "reason": reason}
    return await orders.apply(tx, HOMESERVICE, job, "refund", by, after=after, data=data)
