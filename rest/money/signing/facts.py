"""What signing tells its owner."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from storage.base.facts import Fact


class WalletDeviceAdded(Fact, frozen=True, kw_only=True):
    """A device may sign payments of yours from now on. If that was not you: remove it, change the password."""

    topic: ClassVar[str] = "wallet.device_added"
    device_id: str
    device_name: str
    added_at: datetime
