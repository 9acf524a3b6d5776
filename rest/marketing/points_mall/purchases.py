"""Locking and writing a purchase, and telling of it."""

from __future__ import annotations

from rest.marketing.points_mall import store
from rest.marketing.points_mall.facts import PurchaseChanged
from rest.marketing.points_mall.model import Purchase
from storage.base.errors import NotFound
from storage.postgres import RetryTx
from storage.tx import Tx


async def lock(tx: Tx, purchase_id: str) -> Purchase:
    """Raises NotFound."""
    purchase = await store.lock(tx, purchase_id)
    if purchase is None:
        raise NotFound
    return purchase


async def save(tx: Tx, before: Purchase, after: Purchase) -> None:
    if not await store.save(tx, before, after):
        raise RetryTx
    tell(tx, after)


def tell(tx: Tx, purchase: Purchase) -> None:
    fact = PurchaseChanged(
        purchase_id=purchase.id,
        product_id=purchase.product_id,
        state=purchase.state.value,
        version=purchase.version,
        reason=purchase.reason,
    )
    tx.tell(fact, to=[f"customer:{purchase.account_id}"])
