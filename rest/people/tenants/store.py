"""SQL of tenants: one statement per function."""

from __future__ import annotations

from rest.people.model import Account
from rest.people.store import ACCOUNT
from rest.people.tenants.model import Tenant
from storage.tx import Tx


async def insert(tx: Tx, tenant: Tenant) -> None:
    await tx.execute(
        "INSERT INTO tenants (id, name, created_at, changed_at) VALUES ($1, $2, $3, $3)",
        tenant.id,
        tenant.name,
        tx.now,
    )


async def find(tx: Tx, tenant_id: str) -> Tenant | None:
    row = await tx.fetchrow("SELECT id, name, version FROM tenants WHERE id = $1", tenant_id)
    return None if row is None else Tenant(**dict(row))


async def page(tx: Tx, *, before: str, limit: int) -> list[Tenant]:
    """Newest first."""
    rows = await tx.fetch(
        "SELECT id, name, version FROM tenants WHERE id < $1 ORDER BY id DESC LIMIT $2", before, limit
    )
    return [Tenant(**dict(row)) for row in rows]


async def staff(tx: Tx, tenant_id: str, *, before: str, limit: int) -> list[Account]:
    """Its staff, newest account first."""
    rows = await tx.fetch(
        f"""
        SELECT {ACCOUNT} FROM accounts
         WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3
        """,
        tenant_id,
        before,
        limit,
    )
    return [Account.of(row) for row in rows]
