"""When time is up: a membership nears its end or is over, a purchase is unpaid; and the coupons of a paid one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rest.marketing.membership.actions import expire, expire_purchase, grant, remind
from rest.marketing.membership.actions.buying import EXPIRE_PURCHASE_KIND
from rest.marketing.membership.actions.granting import GRANT_KIND
from rest.marketing.membership.actions.running import EXPIRE_KIND, REMIND_KIND
from storage.tx import Tx

DEADLINES: Mapping[str, Callable[[Tx, dict[str, Any]], Awaitable[None]]] = {
    EXPIRE_KIND: expire,
    REMIND_KIND: remind,
    EXPIRE_PURCHASE_KIND: expire_purchase,
    GRANT_KIND: grant,
}
