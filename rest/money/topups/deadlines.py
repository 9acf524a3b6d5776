"""What happens when nobody has paid a top-up in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rest.money.topups.actions import EXPIRE_KIND, expire
from storage.tx import Tx

DEADLINES: Mapping[str, Callable[[Tx, dict[str, Any]], Awaitable[None]]] = {EXPIRE_KIND: expire}
