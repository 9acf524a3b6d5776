"""Making tenants, and saying who works for them."""

from __future__ import annotations

from rest.people.actions import lock_account, save_roles
from rest.people.model import PLATFORM_ROLES, TENANT_ROLES, Account, OwnAdminRole, Role, WorksForTenant
from rest.people.tenants import store
from rest.people.tenants.model import Tenant
from storage.base.errors import NotFound
from storage.tx import Tx


async def create_tenant(tx: Tx, name: str) -> Tenant:
    tenant = Tenant(tx.new_id("ten"), name)
    await store.insert(tx, tenant)
    return tenant


async def find_tenant(tx: Tx, tenant_id: str) -> Tenant:
    """Raises NotFound."""
    tenant = await store.find(tx, tenant_id)
    if tenant is None:
        raise NotFound
    return tenant


async def employ(tx: Tx, tenant_id: str, account: Account, role: Role, *, by: str, reason: str) -> Account:
    """Make a locked account this tenant's staff, or give it another role there; it has one.

    Raises NotFound for a tenant that is none, WorksForTenant for who works for another side, OwnAdminRole.
    """
    await find_tenant(tx, tenant_id)
    if account.tenant_id not in (None, tenant_id) or account.roles & PLATFORM_ROLES:
        raise WorksForTenant
    if by == account.id and role is not Role.TENANT_ADMIN:
        raise OwnAdminRole
    roles = {Role(name) for name in account.roles - TENANT_ROLES} | {role}
    return await save_roles(tx, account, roles, tenant_id, by=by, reason=reason)


async def dismiss(tx: Tx, tenant_id: str, account_id: str, *, by: str) -> Account:
    """Somebody works for this tenant no longer. Raises NotFound, OwnAdminRole."""
    account = await lock_account(tx, account_id)
    if account.tenant_id != tenant_id:
        raise NotFound
    if by == account_id:
        raise OwnAdminRole
    roles = {Role(name) for name in account.roles - TENANT_ROLES}
    return await save_roles(tx, account, roles, None, by=by, reason="dismissed")
