"""What referrals tell."""

from __future__ import annotations

from typing import ClassVar

from storage.base.facts import Fact


class ReferralJoined(Fact, frozen=True, kw_only=True):
    """Somebody named you as the one who brought him. `side`: customer or technician; the name is masked."""

    topic: ClassVar[str] = "referral.joined"

    side: str
    name: str
