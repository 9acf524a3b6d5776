"""What happens when nobody looks at a transfer."""

from __future__ import annotations

from typing import Any

from rest.money.transfers import actions
from storage.tx import Tx


async def remind(tx: Tx, payload: dict[str, Any]) -> None:
    await actions.remind(tx, payload["payment_id"])


DEADLINES = {actions.REMIND: remind}
