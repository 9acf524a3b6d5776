"""Writing a purchase and telling of it."""

from __future__ import annotations

from rest.marketing.membership import store
from rest.marketing.membership.facts import MemberPurchaseChanged
from rest.marketing.membership.model import MemberPurchase
from storage.base.errors import NotFound
from storage.postgres import RetryTx
from storage.tx import Tx


async def lock(tx: Tx, purchase_id: str) -> MemberPurchase:
    """Raises NotFound."""
    purchase = await store.lock_purchase(tx, purchase_id)
    if purchase is None:
        raise NotFound
    return purchase


async def save(tx: Tx, before: MemberPurchase, after: MemberPurchase) -> MemberPurchase:
    if not await store.save_purchase(tx, before, after):
        raise RetryTx
    tell(tx, after)
    return after


def tell(tx: Tx, purchase: MemberPurchase) -> None:
    fact = MemberPurchaseChanged(
        purchase_id=purchase.id,
        level=purchase.level,
        kind=purchase.kind,
        state=purchase.state.value,
        version=purchase.version,
        reason=purchase.reason,
    )
    tx.tell(fact, to=[f"customer:{purchase.account_id}"])
