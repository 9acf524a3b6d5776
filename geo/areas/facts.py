"""What the service areas tell."""

from __future__ import annotations

from typing import ClassVar

from storage.base.facts import Fact


class AreasChanged(Fact, frozen=True, kw_only=True):
    """Areas were added, changed or removed: processes load their index anew. Told to `ops`."""

    topic: ClassVar[str] = "areas.changed"

    codes: tuple[str, ...]
    """Up to 100 of them; `count` says how many there are."""
    count: int
