"""What vouchers tell their technicians."""

from __future__ import annotations

from typing import ClassVar

from storage.base.facts import Fact


class VoucherUsedUp(Fact, frozen=True, kw_only=True):
    """The last piece has gone to an order: quotes are made without it until more is set or one comes back."""

    topic: ClassVar[str] = "voucher.used_up"
    voucher_id: str
    item_id: str
    order_id: str
