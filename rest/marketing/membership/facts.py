"""What membership tells its member."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from storage.base.facts import Fact


class MembershipChanged(Fact, frozen=True, kw_only=True):
    """It began, goes on longer, is of a higher level, is over, or is what it was before a purchase that was given back
    (`restore`, `lapse`, `forget`); `verb` says which. `level`: which it is, or was."""

    topic: ClassVar[str] = "membership.changed"
    membership_id: str
    line: str
    verb: str
    state: str
    level: str
    discount_bps: int
    ends_at: datetime
    version: int


class MembershipEnding(Fact, frozen=True, kw_only=True):
    """It ends in some days unless it is renewed."""

    topic: ClassVar[str] = "membership.ending"
    membership_id: str
    line: str
    level: str
    ends_at: datetime


class MemberPurchaseChanged(Fact, frozen=True, kw_only=True):
    """Every step of a purchase; `reason` where it was closed."""

    topic: ClassVar[str] = "membership.purchase_changed"
    purchase_id: str
    level: str
    kind: str
    state: str
    version: int
    reason: str | None
