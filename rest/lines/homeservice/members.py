"""The member's discount of an order after it was posted: it holds as long as the customer is a member."""

from __future__ import annotations

from dataclasses import replace

from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import LINE, Job
from rest.lines.homeservice.prices import agreed_lines, relocked
from rest.marketing import membership
from rest.marketing.membership import Rights
from rest.trade import orders
from rest.trade.orders import By
from rest.trade.pricing import check_quote
from storage.tx import Tx


async def fair(tx: Tx, job: Job) -> Job:
    """The job itself while its member's discount holds; without it once the membership is over.

    A membership that was renewed meanwhile, or bought again, holds it if it gives as much. One that has not come to the
    end it had at the posting needs no look: what an order has used is not given back (RV-269), and ends no sooner.
    """
    return (await _fair(tx, job))[0]


async def _fair(tx: Tx, job: Job) -> tuple[Job, Rights | None]:
    """And what holds the price now, where that is another run than the one at the posting."""
    visit = job.visit
    if visit.member_until is None or tx.now < visit.member_until:
        return job, None
    rights = await membership.rights(tx, job.order.customer_id, LINE)
    if rights is not None and rights.off(visit.item_fen) >= visit.member_fen:
        return job, rights
    return replace(job, visit=replace(visit, member_fen=0, member_level=None, member_until=None)), None


async def settle(tx: Tx, job: Job) -> Job:
    """As `fair`, for an order whose price is agreed on now: what holds it counts as used."""
    now, rights = await _fair(tx, job)
    if rights is not None:
        await membership.use(tx, job.order.customer_id, LINE, job.order.id, rights)
    return now


async def hold_price(tx: Tx, job: Job, by: By, shown: str | None) -> Job:
    """The locked order at a price that holds and is the one shown: fixed anew if its membership is over.

    Whoever was shown nothing was shown the price with the discount. Raises PriceChanged.
    """
    now = await settle(tx, job)
    check_quote(agreed_lines(now), shown if now is job else shown or "")
    if now is job:
        return job
    data = {"grab_id": now.visit.grab_id}
    return await orders.apply(tx, HOMESERVICE, job, "choose", by, after=relocked(now), data=data)
