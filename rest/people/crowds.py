"""Parts of everybody: who belongs to one, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from storage.tx import Tx


class Part(StrEnum):
    """Technicians are customers too (HS-003); staff of the platform and of tenants are not."""

    EVERYBODY = "everybody"
    CUSTOMERS = "customers"
    WORKERS = "workers"
    TENANTS = "tenants"
    TENANT = "tenant"
    STAFF = "staff"
    ACCOUNTS = "accounts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """A part; of one tenant, or of these accounts, where the part says so."""

    part: Part
    tenant_id: str | None = None
    account_ids: Sequence[str] = ()


_FOR_THEMSELVES = "tenant_id IS NULL AND roles <@ ARRAY['user', 'technician']"
_WHERE: Mapping[Part, str] = {
    Part.EVERYBODY: "true",
    Part.CUSTOMERS: _FOR_THEMSELVES,
    Part.WORKERS: "'technician' = ANY (roles)",
    Part.TENANTS: "tenant_id IS NOT NULL",
    Part.TENANT: "tenant_id = $4::text",
    Part.STAFF: f"tenant_id IS NULL AND NOT ({_FOR_THEMSELVES})",
    Part.ACCOUNTS: "id = ANY ($4::text[])",
}


async def crowd(tx: Tx, who: Crowd, *, after: str, born_by: datetime, limit: int) -> list[str]:
    """Open accounts of this part that there were at that instant, in the order of their ids, from behind one."""
    named: Mapping[Part, tuple[object]] = {Part.TENANT: (who.tenant_id,), Part.ACCOUNTS: (list(who.account_ids),)}
    rows = await tx.fetch(
        f"""
        SELECT id FROM accounts
         WHERE id > $1 AND status = 'active' AND created_at <= $2 AND {_WHERE[who.part]}
         ORDER BY id LIMIT $3
        """,
        after,
        born_by,
        limit,
        *named.get(who.part, ()),
    )
    return [row["id"] for row in rows]


def parts_of(roles: frozenset[str], tenant_id: str | None) -> frozenset[Part]:
    """The parts somebody with these roles belongs to, as `crowd` has them."""
    found = {Part.EVERYBODY}
    if "technician" in roles:
        found.add(Part.WORKERS)
    if tenant_id is not None:
        return frozenset(found | {Part.TENANTS})
    return frozenset(found | {Part.CUSTOMERS if roles <= {"user", "technician"} else Part.STAFF})
