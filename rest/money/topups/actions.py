"""Verbs of top-ups: ask for one, receive its money, close it; and what ops offer.

Lock order: the top-up → what its account has topped up (an advisory lock) → payment → attempt → ledger accounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import dispatch
from rest.edge.values import Money
from rest.money import channels, payments, wallet
from rest.money.channels import Came
from rest.money.topups import store
from rest.money.topups.facts import TopupClosed, TopupPaid
from rest.money.topups.model import (
    LIMITS,
    LOCK_EPOCH,
    PAY_WITHIN,
    Kind,
    Offer,
    OfferUnavailable,
    Tier,
    TierInactive,
    Topup,
    TopupState,
    best_offer,
)
from rest.money.wallet.model import AmountRange
from storage.base.errors import NotFound
from storage.base.log import log
from storage.base.money import as_money
from storage.postgres import RetryTx
from storage.tx import Tx

EXPIRE_KIND = "topups.expire"


async def create(
    tx: Tx,
    account_id: str,
    kind: Kind,
    *,
    method: str,
    payer: str | None = None,
    amount_fen: int | None = None,
    tier_id: str | None = None,
    offer_id: str | None = None,
    worker_id: str | None = None,
) -> Topup:
    """Ask for a top-up of a tier or of an amount, to be paid over a channel within 15 minutes.

    `offer_id`: what the customer was shown; without it he is given the best there is. Recharge funds come in tiers.
    Raises NotFound (tier, technician), TierInactive, AmountRange, OfferUnavailable.
    """
    amount_fen, tier_id = await _amount(tx, kind, amount_fen, tier_id)
    if worker_id is not None:
        await dispatch.get_worker(tx, worker_id)
    offer = await _offer(tx, account_id, kind, tier_id, offer_id)
    topup = Topup(
        id=tx.new_id("top"),
        account_id=account_id,
        kind=kind,
        worker_id=worker_id,
        amount_fen=amount_fen,
        tier_id=tier_id,
        offer_id=offer.id if offer else None,
        bonus_fen=offer.bonus_fen if offer else 0,
        bonus_points=offer.bonus_points if offer else 0,
        bonus_coupon=offer.bonus_coupon if offer else None,
        method=method,
        state=TopupState.CREATED,
        reason=None,
        version=1,
        created_at=tx.now,
        expires_at=tx.now + PAY_WITHIN,
        paid_at=None,
        closed_at=None,
    )
    await store.add(tx, topup)
    await _begin(tx, topup, payer)
    tx.schedule(EXPIRE_KIND, f"{topup.id}:expire", topup.expires_at, {"topup_id": topup.id})
    return topup


async def _amount(tx: Tx, kind: Kind, amount_fen: int | None, tier_id: str | None) -> tuple[int, str | None]:
    """Raises NotFound, TierInactive, AmountRange."""
    least, most = LIMITS[kind]
    if tier_id is not None:
        tier = await store.tier(tx, tier_id)
        if tier is None or tier.kind is not kind:
            raise NotFound
        if not tier.active:
            raise TierInactive
        return tier.amount_fen, tier.id
    if amount_fen is None or kind is Kind.RECHARGE or not least <= amount_fen <= most:
        raise AmountRange(minimum=as_money(least), maximum=as_money(most))
    return amount_fen, None


async def _offer(tx: Tx, account_id: str, kind: Kind, tier_id: str | None, offer_id: str | None) -> Offer | None:
    """What is given; counting what the account has had waits for its other top-ups. Raises OfferUnavailable."""
    await store.hold_account(tx, account_id)
    past = await store.past(tx, account_id, kind)
    offers = await store.offers_of_kind(tx, kind)
    if offer_id is None:
        return best_offer(offers, tier_id, past, tx.now)
    offer = next((one for one in offers if one.id == offer_id), None)
    reason = "unknown" if offer is None else offer.why_not(tier_id, past, tx.now)
    if reason is not None:
        raise OfferUnavailable(reason=reason)
    return offer


async def _begin(tx: Tx, topup: Topup, payer: str | None) -> None:
    await channels.begin(
        tx,
        order_id=topup.id,
        account_id=topup.account_id,
        amount_fen=topup.amount_fen,
        lock_epoch=LOCK_EPOCH,
        channel=topup.method,
        payer=payer,
        description="账户充值",
        expires_at=topup.expires_at,
    )


async def receive_money(tx: Tx, topup_id: str, payment_id: str, *, ref: str | None = None) -> Topup:
    """A channel has money for it: credited once, late or not; what comes twice goes back. Raises NotFound."""
    topup = await _lock(tx, topup_id)
    came = await channels.receive_price(
        tx, topup_id, payment_id, lock_epoch=LOCK_EPOCH, waits=topup.state is TopupState.CREATED,
        wanted=topup.state is not TopupState.PAID, ref=ref,
    )  # fmt: skip
    return await _credit(tx, topup) if came is Came.GOOD else topup


async def _credit(tx: Tx, topup: Topup) -> Topup:
    is_late = topup.state is TopupState.CLOSED
    after = replace(topup.after("pay_late" if is_late else "pay"), paid_at=tx.now, closed_at=None, reason=None)
    if is_late and after.offer_id is not None and not await _is_still_offered(tx, after):
        after = after.without_bonus()
    await wallet.move(tx, ref=f"{topup.id}:credited", kind="topup", order_id=topup.id, entries=after.entries())
    await _save(tx, topup, after)
    tx.unschedule(f"{topup.id}:expire")
    fact = TopupPaid(
        topup_id=after.id,
        account_id=after.account_id,
        kind=after.kind.value,
        amount=Money(after.amount_fen),
        bonus=Money(after.bonus_fen),
        bonus_points=after.bonus_points,
        bonus_coupon=after.bonus_coupon,
    )
    tx.tell(fact, to=[_owner(after)])
    return after


async def _is_still_offered(tx: Tx, topup: Topup) -> bool:
    """A closed top-up has let go of its bonus: it is had again only if it would be given now."""
    await store.hold_account(tx, topup.account_id)
    offer = await store.offer(tx, topup.offer_id or "")
    past = await store.past(tx, topup.account_id, topup.kind)
    return offer is not None and offer.why_not(topup.tier_id, past, tx.now) is None


async def refuse(tx: Tx, topup_id: str, payment_id: str, reason: str) -> None:
    """A channel will not take it: closed; the customer asks for another. One that has moved on is left alone."""
    topup = await _lock(tx, topup_id)
    if await channels.refuse_price(tx, payment_id, reason) and topup.state is TopupState.CREATED:
        await _close(tx, topup, "refused")


async def close(tx: Tx, topup_id: str, account_id: str) -> Topup:
    """The customer does not want it any more. Raises NotFound, WrongTopupState."""
    topup = await _lock(tx, topup_id)
    if topup.account_id != account_id:
        raise NotFound
    return topup if topup.state is TopupState.CLOSED else await _close(tx, topup, "cancelled")


async def expire(tx: Tx, payload: dict[str, Any]) -> None:
    """Nobody has paid in time."""
    topup = await store.lock(tx, payload["topup_id"])
    if topup is not None and topup.state is TopupState.CREATED and topup.expires_at <= tx.now:
        await _close(tx, topup, "unpaid")


async def _close(tx: Tx, topup: Topup, reason: str) -> Topup:
    after = replace(topup.after("close"), reason=reason, closed_at=tx.now)
    await payments.close_open(tx, topup.id, reason)
    await _save(tx, topup, after)
    tx.unschedule(f"{topup.id}:expire")
    tx.tell(TopupClosed(topup_id=topup.id, reason=reason), to=[_owner(topup)])
    return after


def _owner(topup: Topup) -> str:
    return f"worker:{topup.worker_id}" if topup.kind is Kind.WORKER else f"customer:{topup.account_id}"


async def _lock(tx: Tx, topup_id: str) -> Topup:
    topup = await store.lock(tx, topup_id)
    if topup is None:
        raise NotFound
    return topup


async def _save(tx: Tx, before: Topup, after: Topup) -> None:
    if not await store.save(tx, before, after):
        raise RetryTx


# What ops offer


async def create_tier(tx: Tx, *, kind: Kind, amount_fen: int, place: int, active: bool, by_id: str) -> Tier:
    """Offer an amount (FR-079). Raises TierExists, AmountRange."""
    least, most = LIMITS[kind]
    if not least <= amount_fen <= most:
        raise AmountRange(minimum=as_money(least), maximum=as_money(most))
    tier = Tier(
        id=tx.new_id("tir"),
        kind=kind,
        amount_fen=amount_fen,
        place=place,
        active=active,
        version=1,
        changed_by=by_id,
        created_at=tx.now,
        updated_at=tx.now,
    )
    await store.add_tier(tx, tier)
    return tier


async def change_tier(tx: Tx, tier: Tier, *, place: int | None, active: bool | None, by_id: str) -> Tier:
    """Needs its lock. An amount is never changed: another amount is another tier. Raises TierExists."""
    after = replace(
        tier,
        place=tier.place if place is None else place,
        active=tier.active if active is None else active,
        version=tier.version + 1,
        changed_by=by_id,
        updated_at=tx.now,
    )
    await store.save_tier(tx, after)
    log("topup_tier.changed", tier_id=tier.id, by=by_id, active=after.active)
    return after


async def create_offer(
    tx: Tx,
    *,
    name: Mapping[str, str],
    kind: Kind,
    valid_from: datetime,
    valid_until: datetime,
    by_id: str,
    tier_ids: tuple[str, ...] = (),
    bonus_fen: int = 0,
    bonus_points: int = 0,
    bonus_coupon: str | None = None,
    first_time_only: bool = False,
    per_account_max: int = 1,
    place: int = 0,
    active: bool = True,
) -> Offer:
    """Give something for topping up (FR-080). Raises TopupRuleInvalid."""
    offer = Offer(
        id=tx.new_id("tof"),
        name=name,
        kind=kind,
        tier_ids=tier_ids,
        bonus_fen=bonus_fen,
        bonus_points=bonus_points,
        bonus_coupon=bonus_coupon,
        first_time_only=first_time_only,
        valid_from=valid_from,
        valid_until=valid_until,
        per_account_max=per_account_max,
        place=place,
        active=active,
        version=1,
        changed_by=by_id,
        created_at=tx.now,
        updated_at=tx.now,
    )
    await store.add_offer(tx, offer)
    return offer


async def change_offer(tx: Tx, offer: Offer, changes: Mapping[str, Any], *, by_id: str) -> Offer:
    """Needs its lock. Top-ups that were asked for keep what they were promised. Raises TopupRuleInvalid."""
    after = replace(offer, **changes, version=offer.version + 1, changed_by=by_id, updated_at=tx.now)
    await store.save_offer(tx, after)
    log("topup_offer.changed", offer_id=offer.id, by=by_id, active=after.active)
    return after
