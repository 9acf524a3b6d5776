"""Verbs of the points mall.

Lock order: purchase → product → coupon template → coupon → points purse → payment → ledger accounts → job rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rest.marketing import coupons, rewards
from rest.marketing.points_mall import purchases, store
from rest.marketing.points_mall.model import (
    LOCK_EPOCH,
    PAY_WITHIN,
    ConfirmRequired,
    Product,
    ProductLimit,
    ProductOutOfStock,
    Purchase,
    PurchaseState,
)
from rest.money import channels, ledger, payments, points, wallet
from rest.money.channels import Came
from rest.money.points import InsufficientPoints, as_points
from storage.base.errors import NotFound
from storage.base.log import log
from storage.base.money import as_money
from storage.postgres import RetryTx
from storage.tx import Tx

EXPIRE_KIND = "points_mall.expire"
COUPON_KIND = "points_mall.coupon"
REVENUE = "points_mall"
"""Whose revenue the cash is."""


async def redeem(
    tx: Tx, account_id: str, product_id: str, *, confirmed: bool, method: str | None = None, payer: str | None = None
) -> Purchase:
    """Buy one piece: points and the piece are set aside, then it is paid; at once where that needs no channel.

    `confirmed`: he has agreed to give the points, and is asked where there are some (RV-305). `method` is for the cash,
    and needed where there is some. Raises NotFound, ProductOutOfStock, ConfirmRequired, ProductLimit,
    InsufficientPoints (with ways to earn some), InsufficientFunds: nothing has moved then.
    """
    product = await store.take_piece(tx, product_id)
    if product is None:
        raise await _no_piece(tx, product_id)
    if product.cash_fen and method is None:
        raise RetryTx  # its price has got a cash part since the edge looked
    if product.points and not confirmed:
        raise ConfirmRequired(points=as_points(product.points), cash=as_money(product.cash_fen))
    if await store.bought(tx, product_id, account_id) >= product.per_account_max:
        raise ProductLimit(per_account_max=product.per_account_max)
    purchase = Purchase(
        id=tx.new_id("pmo"),
        product_id=product_id,
        account_id=account_id,
        coupon_template=product.coupon_template,
        points=product.points,
        cash_fen=product.cash_fen,
        list_fen=product.list_fen,
        method=method if product.cash_fen else None,
        state=PurchaseState.CREATED,
        reason=None,
        note=None,
        delivered_by=None,
        coupon_id=None,
        version=1,
        created_at=tx.now,
        expires_at=tx.now + PAY_WITHIN,
        ended_at=None,
        refunded_at=None,
    )
    await store.add(tx, purchase)
    if product.coupon_template is not None and not product.cash_fen:
        await coupons.lock_template(tx, product.coupon_template)  # before the points, as whoever gives one back does
    if purchase.points:
        await _hold_points(tx, purchase)
    return await _pay(tx, purchase, payer)


async def _hold_points(tx: Tx, purchase: Purchase) -> None:
    """Raises InsufficientPoints, which says what is in force that gives some."""
    try:
        await points.hold(tx, purchase.account_id, purchase.points, holder_id=purchase.id, reason="mall")
    except InsufficientPoints as short:
        ways = [rule.way() for rule in await rewards.rules_in_force(tx)]
        raise InsufficientPoints(**short.fields, needed=as_points(purchase.points), ways=ways) from None


async def _no_piece(tx: Tx, product_id: str) -> NotFound | ProductOutOfStock:
    product = await store.product(tx, product_id)
    return NotFound() if product is None else ProductOutOfStock()


async def _pay(tx: Tx, purchase: Purchase, payer: str | None) -> Purchase:
    if purchase.cash_fen == 0:
        return await _done(tx, purchase)
    assert purchase.method is not None  # noqa: S101 - the edge asks for one where there is cash
    is_taken = await channels.take_price(
        tx, purchase.id, purchase.account_id, purchase.cash_fen, lock_epoch=LOCK_EPOCH, method=purchase.method,
        payer=payer, description="积分商城", expires_at=purchase.expires_at,
    )  # fmt: skip
    if is_taken:
        return await _done(tx, purchase)
    tx.schedule(EXPIRE_KIND, f"{purchase.id}:expire", purchase.expires_at, {"purchase_id": purchase.id})
    purchases.tell(tx, purchase)
    return purchase


async def receive_money(tx: Tx, purchase_id: str, payment_id: str, *, ref: str | None = None) -> Purchase:
    """A channel has the cash: done if anybody still waits for it; else it goes back. Raises NotFound."""
    purchase = await purchases.lock(tx, purchase_id)
    waits = purchase.state is PurchaseState.CREATED
    came = await channels.receive_price(
        tx, purchase_id, payment_id, lock_epoch=LOCK_EPOCH, waits=waits, wanted=waits, ref=ref
    )
    return await _done(tx, purchase) if came is Came.GOOD else purchase


async def _done(tx: Tx, purchase: Purchase) -> Purchase:
    """All of it is paid: the piece is sold, the points are spent, the cash is earned."""
    is_coupon = purchase.coupon_template is not None
    after = replace(purchase.after("pay"), ended_at=tx.now)
    await store.sell_piece(tx, purchase.product_id)
    if is_coupon and purchase.cash_fen == 0:
        after = replace(after, coupon_id=await _give(tx, purchase))
    await points.use_held(tx, purchase.id, reason="mall")
    if purchase.cash_fen:
        await wallet.settle_order(tx, purchase.id, [(ledger.revenue(REVENUE), purchase.cash_fen)])
    await purchases.save(tx, purchase, after)
    tx.unschedule(f"{purchase.id}:expire")
    if is_coupon and purchase.cash_fen:
        # It may be sold out by now, and money that has come must be booked all the same.
        tx.schedule(COUPON_KIND, coupon_key(purchase.id), tx.now, {"purchase_id": purchase.id})
    if is_coupon and not purchase.cash_fen:
        return await _delivered(tx, after, note=None, by_id="system")
    return after


def coupon_key(purchase_id: str) -> str:
    """Of the job that gives the coupon of one that was paid in cash."""
    return f"{purchase_id}:coupon"


async def _give(tx: Tx, purchase: Purchase) -> str:
    template_id = purchase.coupon_template or ""
    _, (coupon,) = await coupons.give(tx, template_id, [purchase.account_id], by_id="system", reason=purchase.id)
    return coupon.id


async def give_coupon(tx: Tx, payload: dict[str, Any]) -> None:
    """Once: the purchase is delivered then. One that cannot be given comes back, and waits for a person in the end."""
    purchase = await store.lock(tx, payload["purchase_id"])
    if purchase is not None and purchase.state is PurchaseState.DONE:
        given = replace(purchase, coupon_id=await _give(tx, purchase))
        await _delivered(tx, given, note=None, by_id="system")


async def deliver(tx: Tx, purchase_id: str, *, note: str, by_id: str) -> Purchase:
    """Staff have sent or handed it over; who and how is kept (FR-096). Raises NotFound, WrongPurchaseState."""
    purchase = await purchases.lock(tx, purchase_id)
    done = await _delivered(tx, purchase, note=note, by_id=by_id)
    log("purchase.delivered", purchase_id=purchase_id, by=by_id)
    return done


async def _delivered(tx: Tx, purchase: Purchase, *, note: str | None, by_id: str) -> Purchase:
    after = replace(purchase.after("deliver"), note=note, delivered_by=by_id)
    await purchases.save(tx, purchase, after)
    return after


async def refuse(tx: Tx, purchase_id: str, payment_id: str, reason: str) -> None:
    """A channel will not take the cash."""
    purchase = await purchases.lock(tx, purchase_id)
    if await channels.refuse_price(tx, payment_id, reason) and purchase.state is PurchaseState.CREATED:
        await _close(tx, purchase, "refused")


async def close(tx: Tx, purchase_id: str, account_id: str) -> Purchase:
    """The buyer does not want it any more. Raises NotFound, WrongPurchaseState."""
    purchase = await purchases.lock(tx, purchase_id)
    if purchase.account_id != account_id:
        raise NotFound
    return purchase if purchase.state is PurchaseState.CLOSED else await _close(tx, purchase, "cancelled")


async def expire(tx: Tx, payload: dict[str, Any]) -> None:
    """Nobody has paid the cash in time."""
    purchase = await store.lock(tx, payload["purchase_id"])
    if purchase is not None and purchase.state is PurchaseState.CREATED and purchase.expires_at <= tx.now:
        await _close(tx, purchase, "unpaid")


async def _close(tx: Tx, purchase: Purchase, reason: str) -> Purchase:
    """Points and the piece come back; cash that still comes goes back."""
    after = replace(purchase.after("close"), reason=reason, ended_at=tx.now)
    await store.return_piece(tx, purchase.product_id)
    await points.release(tx, purchase.id, reason="mall_back")
    await payments.close_open(tx, purchase.id, reason)
    await purchases.save(tx, purchase, after)
    tx.unschedule(f"{purchase.id}:expire")
    return after


# What ops sell


async def create_product(
    tx: Tx,
    *,
    name: Mapping[str, str],
    points: int,
    cash_fen: int,
    stock: int,
    per_account_max: int,
    by_id: str,
    coupon_template: str | None = None,
    list_fen: int | None = None,
    active: bool = True,
) -> Product:
    """Sell something for points, for cash, or for both (FR-096, RV-306).

    Raises NotFound for a coupon template that is none.
    """
    if coupon_template is not None:
        await coupons.read_template(tx, coupon_template)
    product = Product(
        id=tx.new_id("ppr"),
        name=name,
        coupon_template=coupon_template,
        points=points,
        cash_fen=cash_fen,
        list_fen=list_fen,
        stock=stock,
        held=0,
        sold=0,
        per_account_max=per_account_max,
        active=active,
        version=1,
        changed_by=by_id,
        created_at=tx.now,
        updated_at=tx.now,
    )
    await store.add_product(tx, product)
    return product


async def change_product(
    tx: Tx, product: Product, changes: Mapping[str, Any], *, stock_added: int, by_id: str
) -> Product:
    """Needs its lock. Purchases keep their price. Raises ProductOutOfStock when more is taken than is left."""
    after = replace(product, **changes, version=product.version + 1, changed_by=by_id, updated_at=tx.now)
    if not await store.save_product(tx, after, stock_added=stock_added):
        raise ProductOutOfStock(stock=product.stock)
    log("points_product.changed", product_id=product.id, by=by_id, active=after.active, stock_added=stock_added)
    return replace(after, stock=product.stock + stock_added)
