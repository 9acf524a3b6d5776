"""What a home-service order costs, as lines. Pure: the same lines are quoted, agreed, stored and charged (HS-045)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rest.lines.homeservice.model import LINE, Job, Visit
from rest.marketing.coupons import Purchase
from rest.marketing.membership import Rights
from rest.money.settlement import Basis
from rest.trade.pricing import (
    COUPON,
    ITEM,
    MEMBER,
    TRAVEL,
    VOUCHER,
    Discount,
    PriceLine,
    price_lines,
    quote_hash,
    taken_off,
    total,
)


def lines_of(visit: Visit, *, travel_fen: int, voucher_fen: int, voucher_by: str) -> list[PriceLine]:
    """The price with this way and this voucher: items and travel, less what a member, a coupon and the voucher take."""
    discounts = [Discount(VOUCHER, voucher_fen, voucher_by)] if voucher_fen else []
    if visit.member_level is not None:
        discounts.append(Discount(MEMBER, visit.member_fen, visit.member_level))
    if visit.coupon_id is not None:
        discounts.append(Discount(COUPON, visit.coupon_fen, visit.coupon_id))
    return price_lines(_items(visit.item_id, visit.qty, visit.item_fen), _travel(travel_fen), discounts)


def agreed_lines(job: Job) -> list[PriceLine]:
    """The price with the technician chosen last."""
    visit = job.visit
    return lines_of(
        visit,
        travel_fen=visit.travel_fen or 0,
        voucher_fen=visit.voucher_fen,
        voucher_by=visit.voucher_worker_id or "",
    )


def relocked(job: Job) -> Job:
    """The job with its last chosen technician locked again at the price of his lock."""
    visit = job.visit
    order = replace(job.order, provider_id=visit.worker_id, total_fen=total(agreed_lines(job)))
    return replace(job, order=order, visit=replace(visit, lock_epoch=visit.lock_epoch + 1))


def quote_of(
    visit: Visit, *, worker_id: str, travel_fen: int, distance_m: int, voucher_fen: int, voucher_id: str | None
) -> dict[str, Any]:
    """What a technician costs, as it is frozen when he grabs: item + travel - discounts (HS-045, HS-075)."""
    lines = lines_of(visit, travel_fen=travel_fen, voucher_fen=voucher_fen, voucher_by=worker_id)
    taken_fen = taken_off(lines, VOUCHER)
    return {
        "item_fen": visit.item_fen,
        "travel_fen": travel_fen,
        "member_fen": taken_off(lines, MEMBER),
        "coupon_fen": taken_off(lines, COUPON),
        "voucher_fen": taken_fen,
        "voucher_id": voucher_id if taken_fen else None,
        "total_fen": total(lines),
        "distance_m": distance_m,
        "currency": "CNY",
        "quote_hash": quote_hash(lines),
    }


def quoted_anew(visit: Visit, quote: Mapping[str, Any], worker_id: str, *, has_voucher: bool) -> dict[str, Any]:
    """The same technician when nothing is left of his quote's voucher, or the customer is no member any more."""
    return quote_of(
        visit,
        worker_id=worker_id,
        travel_fen=quote["travel_fen"],
        distance_m=quote["distance_m"],
        voucher_fen=quote["voucher_fen"] if has_voucher else 0,
        voucher_id=quote.get("voucher_id") if has_voucher else None,
    )


def lines_before(item_id: str, qty: int, item_fen: int, *discounts: Discount | None) -> list[PriceLine]:
    """What can be said before anybody is chosen: no travel fee yet."""
    return price_lines(_items(item_id, qty, item_fen), None, [one for one in discounts if one is not None])


def member_off(rights: Rights | None, item_fen: int) -> Discount | None:
    """What a member has off, as a discount; None where it is nothing."""
    if rights is None or (off_fen := rights.off(item_fen)) == 0:
        return None
    return Discount(MEMBER, off_fen, rights.level)


def coupon_of(coupon_id: str, amount_fen: int) -> Discount:
    """A coupon as a discount."""
    return Discount(COUPON, amount_fen, coupon_id)


def purchase(item_id: str, region_code: str, item_fen: int) -> Purchase:
    """What a coupon of a pool order is used for: nobody is chosen yet. `item_fen`: what a member pays for the items."""
    return Purchase(line=LINE, item_id=item_id, region_code=region_code, worker_id=None, item_fen=item_fen)


def settled_basis(job: Job) -> Basis:
    """What the parts of a completed order are made of."""
    visit, own_fen = job.visit, _own_voucher(job)
    return Basis(
        kept=job.order.kept_fen,
        rate_bps=job.order.snapshot["technician_rate_bps"],
        item=visit.item_fen,
        travel=(visit.travel_fen or 0) + visit.travel_extra_fen,
        member=visit.member_fen,
        coupon=visit.coupon_fen + visit.voucher_fen - own_fen,
        voucher=own_fen,
    )


def _own_voucher(job: Job) -> int:
    """What the technician who came has promised himself; what one before him has is the platform's to bear."""
    return job.visit.voucher_fen if job.visit.voucher_worker_id == job.order.provider_id else 0


def _items(item_id: str, qty: int, item_fen: int) -> list[PriceLine]:
    return [PriceLine(kind=ITEM, amount_fen=item_fen, qty=qty, ref=item_id)]


def _travel(travel_fen: int) -> PriceLine:
    return PriceLine(kind=TRAVEL, amount_fen=travel_fen)
