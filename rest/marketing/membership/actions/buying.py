"""Buying a level: the purchase, its money, and what becomes of it when the money is late, refused or does not come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rest.marketing.membership import store
from rest.marketing.membership.actions import purchases
from rest.marketing.membership.actions.granting import GRANT_KIND, grant_key
from rest.marketing.membership.actions.running import add_level, lock_current
from rest.marketing.membership.model import (
    LOCK_EPOCH,
    PAY_WITHIN,
    AlreadyMember,
    MemberLevelChanged,
    MemberLevelNotSold,
    MemberPurchase,
    MemberPurchaseState,
    Membership,
    MembershipState,
    NotAMember,
)
from rest.marketing.membership.runs import Level
from rest.money import channels, ledger, payments, wallet
from rest.money.channels import Came
from storage.base.errors import NotFound
from storage.tx import Tx

EXPIRE_PURCHASE_KIND = "membership.expire_purchase"
REVENUE = "membership"
"""Whose revenue the price is."""


async def buy(
    tx: Tx, account_id: str, code: str, *, shown: int, method: str, payer: str | None = None
) -> MemberPurchase:
    """Buy a level at the version that was `shown`: for whoever has it already more months, below it a step up (HS-188).

    From the wallet it is done at once; over a channel it waits for its money. Another purchase of the line that still
    waits is given up for it. Raises NotFound, MemberLevelNotSold, MemberLevelChanged, AlreadyMember,
    MembershipTooLong, InsufficientFunds: nothing has moved then.
    """
    level = await store.level(tx, code)
    if level is None:
        raise NotFound
    membership = await lock_current(tx, account_id, level.line)
    return await _buy(tx, membership, level, shown=shown, method=method, payer=payer)


async def renew(
    tx: Tx, account_id: str, line: str, *, shown: int, method: str, payer: str | None = None
) -> MemberPurchase:
    """Buy once more what somebody has. Raises NotAMember, and as `buy`."""
    membership = await lock_current(tx, account_id, line)
    if membership.state is not MembershipState.ACTIVE or membership.run is None:
        raise NotAMember
    level = await store.level(tx, membership.run.level)
    assert level is not None  # noqa: S101 - levels are never deleted
    return await _buy(tx, membership, level, shown=shown, method=method, payer=payer)


async def _buy(
    tx: Tx, membership: Membership, level: Level, *, shown: int, method: str, payer: str | None
) -> MemberPurchase:
    if not level.on_sale:
        raise MemberLevelNotSold
    if level.version != shown:
        raise MemberLevelChanged(version=level.version)
    membership.with_level(level, tx.now).check_length(tx.now)
    waiting = await store.lock_open(tx, membership.account_id, level.line)
    if waiting is not None:
        await _close(tx, waiting, "replaced")
    purchase = MemberPurchase(
        id=tx.new_id("mem"),
        account_id=membership.account_id,
        line=level.line,
        level=level.code,
        level_version=level.version,
        kind=membership.verb_for(level),
        price_fen=level.price_fen,
        method=method,
        state=MemberPurchaseState.CREATED,
        reason=None,
        carried_fen=0,
        starts_at=None,
        ends_at=None,
        version=1,
        created_at=tx.now,
        expires_at=tx.now + PAY_WITHIN,
        ended_at=None,
    )
    await store.add_purchase(tx, purchase)
    return await _pay(tx, membership, purchase, level, payer)


async def _pay(
    tx: Tx, membership: Membership, purchase: MemberPurchase, level: Level, payer: str | None
) -> MemberPurchase:
    is_taken = await channels.take_price(
        tx, purchase.id, purchase.account_id, purchase.price_fen, lock_epoch=LOCK_EPOCH, method=purchase.method,
        payer=payer, description="会员", expires_at=purchase.expires_at,
    )  # fmt: skip
    if is_taken:
        return await _paid(tx, membership, purchase, level)
    key = f"{purchase.id}:expire"
    tx.schedule(EXPIRE_PURCHASE_KIND, key, purchase.expires_at, {"purchase_id": purchase.id})
    purchases.tell(tx, purchase)
    return purchase


async def receive_money(tx: Tx, purchase_id: str, payment_id: str, *, ref: str | None = None) -> MemberPurchase:
    """A channel has the money: the level is given if its purchase still waits; else the money goes back.

    Raises NotFound.
    """
    seen = await store.purchase(tx, purchase_id)
    if seen is None:
        raise NotFound
    membership = await lock_current(tx, seen.account_id, seen.line)
    purchase = await purchases.lock(tx, purchase_id)
    level = await store.level_version(tx, purchase.level, purchase.level_version)
    is_open = purchase.state is MemberPurchaseState.CREATED
    waits = is_open and _fits(membership, level)
    came = await channels.receive_price(
        tx, purchase_id, payment_id, lock_epoch=LOCK_EPOCH, waits=waits, wanted=waits, ref=ref
    )
    if came is Came.GOOD:
        return await _paid(tx, membership, purchase, level)
    return await _close(tx, purchase, "already_member") if came is Came.RETURNED and is_open else purchase


def _fits(membership: Membership, level: Level) -> bool:
    """Whether nothing higher runs: a purchase that waits is given up for another one, so this is a last look."""
    try:
        membership.verb_for(level)
    except AlreadyMember:
        return False
    return True


async def _paid(tx: Tx, membership: Membership, purchase: MemberPurchase, level: Level) -> MemberPurchase:
    """The price is earned and its months are given, whatever the level costs by now; its coupons follow by a job."""
    kind, after = await add_level(tx, membership, level)
    await wallet.settle_order(tx, purchase.id, [(ledger.revenue(REVENUE), purchase.price_fen)])
    tx.unschedule(f"{purchase.id}:expire")
    tx.schedule(GRANT_KIND, grant_key(purchase.id), tx.now, {"purchase_id": purchase.id})
    return await purchases.save(tx, purchase, purchase.paid(membership, after, kind, tx.now))


async def refuse(tx: Tx, purchase_id: str, payment_id: str, reason: str) -> None:
    """A channel will not take the money."""
    purchase = await purchases.lock(tx, purchase_id)
    if await channels.refuse_price(tx, payment_id, reason) and purchase.state is MemberPurchaseState.CREATED:
        await _close(tx, purchase, "refused")


async def close(tx: Tx, purchase_id: str, account_id: str) -> MemberPurchase:
    """The buyer does not want it any more. Raises NotFound, WrongMemberPurchaseState."""
    purchase = await purchases.lock(tx, purchase_id)
    if purchase.account_id != account_id:
        raise NotFound
    return purchase if purchase.state is MemberPurchaseState.CLOSED else await _close(tx, purchase, "cancelled")


async def expire_purchase(tx: Tx, payload: dict[str, Any]) -> None:
    """Nobody has paid in time."""
    purchase = await store.lock_purchase(tx, payload["purchase_id"])
    is_open = purchase is not None and purchase.state is MemberPurchaseState.CREATED
    if purchase is not None and is_open and purchase.expires_at <= tx.now:
        await _close(tx, purchase, "unpaid")


async def _close(tx: Tx, purchase: MemberPurchase, reason: str) -> MemberPurchase:
    """Money that still comes goes back."""
    after = replace(purchase.after("close"), reason=reason, ended_at=tx.now)
    await payments.close_open(tx, purchase.id, reason)
    tx.unschedule(f"{purchase.id}:expire")
    return await purchases.save(tx, purchase, after)
