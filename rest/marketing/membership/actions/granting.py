"""The coupons of a level, after it is paid: what cannot be given is written down, and takes nothing from the rest."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from rest.marketing import coupons
from rest.marketing.membership import store
from rest.marketing.membership.actions import purchases
from rest.marketing.membership.model import MemberPurchaseState
from storage.base.log import log
from storage.tx import Tx

GRANT_KIND = "membership.grant"


def grant_key(purchase_id: str) -> str:
    """Of the job that gives the coupons of a paid purchase."""
    return f"{purchase_id}:grant"


async def grant(tx: Tx, payload: dict[str, Any]) -> None:
    """Once: each coupon that the bought version of the level gives, or why there is none."""
    purchase = await store.lock_purchase(tx, payload["purchase_id"])
    if purchase is None or purchase.state is not MemberPurchaseState.PAID:
        return
    level = await store.level_version(tx, purchase.level, purchase.level_version)
    wanted = enumerate(level.coupon_templates, start=1)
    for n, template_id in sorted(wanted, key=itemgetter(1)):  # one order for everybody who locks templates
        found = await coupons.give_if_left(
            tx, template_id, purchase.account_id, by_id="system", reason=f"{level.code} {purchase.id}"
        )
        coupon_id, skipped = (None, found) if isinstance(found, str) else (found.id, None)
        await store.add_coupon(tx, purchase.id, n, template_id, coupon_id=coupon_id, skipped=skipped)
        if skipped is not None:
            log("membership.coupon_skipped", purchase_id=purchase.id, template_id=template_id, code=skipped)
    await purchases.save(tx, purchase, purchase.after("grant"))
