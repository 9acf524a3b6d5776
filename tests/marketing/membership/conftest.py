"""A till, levels in it, and members."""

from __future__ import annotations

from typing import Any

from rest.marketing import membership
from rest.marketing.membership import store
from rest.marketing.membership.model import MemberPurchase, Membership
from rest.money import wallet
from storage.postgres import Database
from tests.money.channels.conftest import (
    Till,
    channel_settings,
    channels,
    identity,
    new_town,
    notify_port,
    sim,
    till,
    town,
)
from tests.money.invariants import violations as money_violations

__all__ = ["channel_settings", "channels", "identity", "new_town", "notify_port", "sim", "till", "town"]


async def rich(db: Database, who: str, fen: int = 100_000) -> str:
    """Money in somebody's wallet."""
    await db.run(wallet.credit, who, fen, f"cash:{who}", "test")
    return who


async def buy(
    db: Database, who: str, code: str = "gold", *, version: int = 1, method: str = "wallet"
) -> MemberPurchase:
    return await db.run(membership.buy, who, code, shown=version, method=method)


async def of(db: Database, who: str, line: str = "homeservice") -> Membership:
    """Somebody's membership as it is stored."""
    async with db.begin() as tx:
        row = await tx.fetchrow("SELECT id FROM memberships WHERE account_id = $1 AND line = $2", who, line)
        found = await store.lock_membership(tx, row["id"])
    assert found is not None
    return found


async def heard(till: Till, who: str, topic: str = "membership.changed") -> list[dict[str, Any]]:
    return [fact for fact in await till.town.heard(f"customer:{who}") if fact["topic"] == topic]


async def faults(till: Till) -> list[str]:
    """Of everything: the town, and all money when nothing is due."""
    await till.run()
    return [*await till.town.faults(), *await money_violations(till.db, rest=True)]
