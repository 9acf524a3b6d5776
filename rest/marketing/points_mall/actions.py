"""Verbs of the points mall.

Lock order: purchase → product → points purse → payment → ledger accounts → job rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rest.marketing import coupons
from rest.marketing.points_mall import store
from rest.marketing.points_mall.facts import PurchaseChanged
from rest.marketing.points_mall.model import (
    LOCK_EPOCH,
    PAY_WITHIN,
    Product,
    ProductLimit,
    ProductOutOfStock,
    Purchase,
    PurchaseState,
)
from rest.money import channels, ledger, payments, points, wallet
from rest.money.payments import Method, WrongPaymentState
from storage.base.errors import NotFound
from storage.base.log import log
from storage.postgres import RetryTx
from storage.tx import Tx

EXPIRE_KIND = "points_mall.expire"
COUPON_KIND = "points_mall.coupon"
REVENUE = "points_mall"
"""Whose revenue the cash is."""


async def redeem(
    tx: Tx, account_id: str, product_id: str, *, method: str | None = None, payer: str | None = None
) -> Purchase:
    """Buy one piece: points and the piece are set aside, then it is paid; at once where that needs no channel.

    `method` is for the cash, and needed where there is some. Raises NotFound, ProductOutOfStock, ProductLimit,
    InsufficientPoints, InsufficientFunds: nothing has moved then.
    """
    product = await store.take_piece(tx, product_id)
    if product is None:
        raise await _no_piece(tx, product_id)
    if product.cash_fen and method is None:
        raise RetryTx  # its price has got a cash part since the edge looked
    if await store.bought(tx, product_id, account_id) >= product.per_account_max:
        raise ProductLimit(per_account_max=product.per_account_max)
    purchase = Purchase(
        id=tx.new_id("pmo"),
        product_id=product_id,
        account_id=account_id,
        coupon_template=product.coupon_template,
        points=product.points,
        cash_fen=product.cash_fen,
        method=method if product.cash_fen else None,
        state=PurchaseState.CREATED,
        reason=None,
        note=None,
        delivered_by=None,
        version=1,
        created_at=tx.now,
        expires_at=tx.now + PAY_WITHIN,
        ended_at=None,
    )
    await store.add(tx, purchase)
    await points.hold(tx, account_id, purchase.points, holder_id=purchase.id, reason="mall")
    return await _pay(tx, purchase, payer)


async def _no_piece(tx: Tx, product_id: str) -> NotFound | ProductOutOfStock:
    product = await store.product(tx, product_id)
    return NotFound() if product is None else ProductOutOfStock()


async def _pay(tx: Tx, purchase: Purchase, payer: str | None) -> Purchase:
    if purchase.cash_fen == 0:
        return await _done(tx, purchase)
    wanted: dict[str, Any] = {
        "order_id": purchase.id,
        "account_id": purchase.account_id,
        "amount_fen": purchase.cash_fen,
        "lock_epoch": LOCK_EPOCH,
    }
    if purchase.method == Method.WALLET:
        payment = await payments.open_payment(tx, **wanted)
        await payments.settle_paid(tx, payment.id)
        return await _done(tx, purchase)
    assert purchase.method is not None  # noqa: S101 - the edge asks for one where there is cash
    await channels.begin(
        tx,
        **wanted,
        channel=purchase.method,
        payer=payer,
        description="积分商城",
        expires_at=purchase.expires_at,
    )
    tx.schedule(EXPIRE_KIND, f"{purchase.id}:expire", purchase.expires_at, {"purchase_id": purchase.id})
    _tell(tx, purchase)
    return purchase


async def receive_money(tx: Tx, purchase_id: str, payment_id: str, *, ref: str | None = None) -> Purchase:
    """A channel has the cash: done if anybody still waits for it; else it goes back. Raises NotFound."""
    purchase = await _lock(tx, purchase_id)
    waits = LOCK_EPOCH if purchase.state is PurchaseState.CREATED else None
    receipt = await payments.receive(tx, payment_id, lock_epoch=waits, ref=ref)
    if receipt.repeated:
        return purchase
    if waits is None:
        await payments.return_late(tx, payment_id)
        return purchase
    if receipt.late:  # of an attempt that was replaced, and the purchase still waits
        await payments.restore_late(tx, payment_id, lock_epoch=LOCK_EPOCH)
        await payments.close_open(tx, purchase_id, "paid_otherwise")
    return await _done(tx, purchase)


async def _done(tx: Tx, purchase: Purchase) -> Purchase:
    """All of it is paid: the piece is sold, the points are spent, the cash is earned."""
    is_coupon = purchase.coupon_template is not None
    after = replace(purchase.after("pay"), ended_at=tx.now)
    await store.sell_piece(tx, purchase.product_id)
    if is_coupon and purchase.cash_fen == 0:
        await _give(tx, purchase)
    await points.use_held(tx, purchase.id, reason="mall")
    if purchase.cash_fen:
        await wallet.settle_order(tx, purchase.id, [(ledger.revenue(REVENUE), purchase.cash_fen)])
    await _save(tx, purchase, after)
    tx.unschedule(f"{purchase.id}:expire")
    if is_coupon and purchase.cash_fen:
        # It may be sold out by now, and money that has come must be booked all the same.
        tx.schedule(COUPON_KIND, f"{purchase.id}:coupon", tx.now, {"purchase_id": purchase.id})
    if is_coupon and not purchase.cash_fen:
        return await _delivered(tx, after, note=None, by_id="system")
    return after


async def _give(tx: Tx, purchase: Purchase) -> None:
    template_id = purchase.coupon_template or ""
    await coupons.give(tx, template_id, [purchase.account_id], by_id="system", reason=purchase.id)


async def give_coupon(tx: Tx, payload: dict[str, Any]) -> None:
    """Once: the purchase is delivered then. One that cannot be given comes back, and waits for a person in the end."""
    purchase = await store.lock(tx, payload["purchase_id"])
    if purchase is not None and purchase.state is PurchaseState.DONE:
        await _give(tx, purchase)
        await _delivered(tx, purchase, note=None, by_id="system")


async def deliver(tx: Tx, purchase_id: str, *, note: str, by_id: str) -> Purchase:
    """Staff have sent or handed it over; who and how is kept (FR-096). Raises NotFound, WrongPurchaseState."""
    purchase = await _lock(tx, purchase_id)
    done = await _delivered(tx, purchase, note=note, by_id=by_id)
    log("purchase.delivered", purchase_id=purchase_id, by=by_id)
    return done


async def _delivered(tx: Tx, purchase: Purchase, *, note: str | None, by_id: str) -> Purchase:
    after = replace(purchase.after("deliver"), note=note, delivered_by=by_id)
    await _save(tx, purchase, after)
    return after


async def refuse(tx: Tx, purchase_id: str, payment_id: str, reason: str) -> None:
    """A channel will not take the cash."""
    purchase = await _lock(tx, purchase_id)
    try:
        await payments.fail(tx, payment_id, reason)
    except WrongPaymentState:
        return
    if purchase.state is PurchaseState.CREATED:
        await _close(tx, purchase, "refused")


async def close(tx: Tx, purchase_id: str, account_id: str) -> Purchase:
    """The buyer does not want it any more. Raises NotFound, WrongPurchaseState."""
    purchase = await _lock(tx, purchase_id)
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
    await _save(tx, purchase, after)
    tx.unschedule(f"{purchase.id}:expire")
    return after


async def _lock(tx: Tx, purchase_id: str) -> Purchase:
    purchase = await store.lock(tx, purchase_id)
    if purchase is None:
        raise NotFound
    return purchase


async def _save(tx: Tx, before: Purchase, after: Purchase) -> None:
    if not await store.save(tx, before, after):
        raise RetryTx
    _tell(tx, after)


def _tell(tx: Tx, purchase: Purchase) -> None:
    fact = PurchaseChanged(
        purchase_id=purchase.id,
        product_id=purchase.product_id,
        state=purchase.state.value,
        version=purchase.version,
        reason=purchase.reason,
    )
    tx.tell(fact, to=[f"customer:{purchase.account_id}"])


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
    active: bool = True,
) -> Product:
    """Sell something for points (FR-096). Raises NotFound for a coupon template that is none."""
    if coupon_template is not None:
        await coupons.read_template(tx, coupon_template)
    product = Product(
        id=tx.new_id("ppr"),
        name=name,
        coupon_template=coupon_template,
        points=points,
        cash_fen=cash_fen,
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
