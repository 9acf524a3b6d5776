"""What happens when nobody has paid a purchase in time, and the coupon of one that was paid in cash."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rest.marketing.points_mall.actions import COUPON_KIND, EXPIRE_KIND, expire, give_coupon
from storage.tx import Tx

DEADLINES: Mapping[str, Callable[[Tx, dict[str, Any]], Awaitable[None]]] = {
    EXPIRE_KIND: expire,
    COUPON_KIND: give_coupon,
}
