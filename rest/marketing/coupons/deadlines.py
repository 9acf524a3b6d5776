"""What happens when a coupon's time is up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rest.marketing.coupons.actions import EXPIRE_KIND, expire
from storage.tx import Tx

DEADLINES: Mapping[str, Callable[[Tx, dict[str, Any]], Awaitable[None]]] = {EXPIRE_KIND: expire}
