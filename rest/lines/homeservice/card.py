"""An order on the card the support desk sees beside its conversation."""

from __future__ import annotations

from rest.desk.support.subjects import SubjectCard
from rest.lines.homeservice.store import read
from storage.tx import Tx


async def order_card(tx: Tx, order_id: str) -> SubjectCard | None:
    """None for an order of another line."""
    job = await read(tx, order_id)
    if job is None:
        return None
    order = job.order
    return SubjectCard(
        kind="order",
        id=order.id,
        no=order.no,
        line=order.line,
        title=dict(job.item_name),
        status=order.status,
        customer_id=order.customer_id,
        worker_id=order.provider_id,
        starts_at=job.visit.start_at,
        total_fen=order.total_fen,
        paid_fen=order.paid_fen,
        refunded_fen=order.refunded_fen,
        created_at=order.created_at,
        version=order.version,
    )
