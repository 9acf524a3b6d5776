"""What time does to a lot of points."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rest.money.points.actions import EXPIRE_KIND, MATURE_KIND, REMIND_KIND, expire, mature, remind
from storage.tx import Tx

DEADLINES: Mapping[str, Callable[[Tx, dict[str, Any]], Awaitable[None]]] = {
    MATURE_KIND: mature,
    EXPIRE_KIND: expire,
    REMIND_KIND: remind,
}
