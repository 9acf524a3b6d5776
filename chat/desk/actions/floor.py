"""The whole floor, read at once."""

from __future__ import annotations

from collections.abc import Collection

from chat.desk.floor import Floor
from chat.desk.store import agents as agent_store
from chat.desk.store import boards as board_store
from chat.desk.store import floor as store
from storage.tx import Tx

AGENTS_MAX = 500
QUEUES_MAX = 200
PROMISES_MAX = 2_000
"""A console shows no more than that; who has more people looks at one queue at a time."""


async def floor_of(tx: Tx, agent_id: str, *, tenant_id: str | None = None, sees_all: bool = False) -> Floor:
    """As this agent's desk sees it: a tenant's its own, the platform's (None) everything.

    Of a queue of members only everybody sees the numbers, for he may hand something there; its threads who may.
    """
    return Floor(
        at=tx.now,
        agents=await agent_store.page(tx, tenant_id=tenant_id, after="", limit=AGENTS_MAX),
        boards=await board_store.boards(tx, tenant_id=tenant_id, only_active=False, limit=QUEUES_MAX),
        promises=await store.promises(
            tx, tenant_id=tenant_id, seen_by=None if sees_all else agent_id, limit=PROMISES_MAX
        ),
        offers=await store.offers_to(tx, agent_id),
    )


async def customers_among(tx: Tx, account_ids: Collection[str], *, tenant_id: str) -> set[str]:
    """Those of them who have talked to this tenant's desk."""
    return await store.customers_among(tx, list(account_ids), tenant_id)
