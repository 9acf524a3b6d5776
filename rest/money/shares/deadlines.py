"""What becomes due: a settlement matures. In the place of the settlement's own handler, which knows only wallets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest.money.settlement.actions import MATURE
from rest.money.shares.actions.splits import mature
from storage.jobs import Handler
from storage.tx import Tx


async def mature_when_due(tx: Tx, payload: dict[str, Any]) -> None:
    await mature(tx, payload["settlement_id"])


DEADLINES: Mapping[str, Handler] = {MATURE: mature_when_due}
