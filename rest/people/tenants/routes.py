"""Tenants over HTTP, for administrators of the platform and of the tenant itself."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Body, Note, Page, PageQuery
from rest.people.actions import lock_account
from rest.people.model import OwnAdminRole, Role, WorksForTenant
from rest.people.tenants import actions, store
from rest.people.tenants.model import Tenant
from rest.people.views import AccountView, account_view
from storage.base.errors import NotFound
from storage.tx import Tx

TenantName = Annotated[str, Meta(min_length=1, max_length=100)]


class TenantBody(Body, frozen=True, kw_only=True):
    name: TenantName


class TenantStaffBody(Body, frozen=True, kw_only=True):
    role: Literal["tenant_agent", "tenant_supervisor", "tenant_admin"]
    reason: Note


class TenantView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    version: int

    @classmethod
    def of(cls, tenant: Tenant) -> TenantView:
        return cls(id=tenant.id, name=tenant.name, version=tenant.version)


async def create(ctx: Ctx) -> Answer:
    body: TenantBody = ctx.body

    async def act(tx: Tx) -> Answer:
        return TenantView.of(await actions.create_tenant(tx, body.name))

    return await ctx.transact(act)


async def listing(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.page(tx, before=ctx.before_id, limit=query.limit + 1)
    return ctx.page(found, view=TenantView.of, key=lambda tenant: (tenant.id,))


async def staff(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        await actions.find_tenant(tx, _tenant(ctx))
        found = await store.staff(tx, _tenant(ctx), before=ctx.before_id, limit=query.limit + 1)
    return ctx.page(found, view=account_view, key=lambda account: (account.id,))


async def employ(ctx: Ctx) -> Answer:
    """Whoever is not yet of the tenant comes by the platform's word only."""
    body: TenantStaffBody = ctx.body

    async def act(tx: Tx) -> Answer:
        account = await lock_account(tx, ctx.path["account_id"])
        if ctx.actor.tenant_id is not None and account.tenant_id != ctx.actor.tenant_id:
            raise NotFound
        role, by = Role(body.role), ctx.actor.account_id
        changed = await actions.employ(tx, _tenant(ctx), account, role, by=by, reason=body.reason)
        return Reply(account_view(changed), etag=changed.version)

    return await ctx.transact(act)


async def dismiss(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        await actions.dismiss(tx, _tenant(ctx), ctx.path["account_id"], by=ctx.actor.account_id)
        return Reply()

    return await ctx.transact(act)


def _tenant(ctx: Ctx) -> str:
    """The tenant of the path, if the caller may see it. Raises NotFound."""
    tenant_id = ctx.path["tenant_id"]
    if ctx.actor.tenant_id != tenant_id and (ctx.actor.tenant_id is not None or not ctx.actor.has_any(("admin",))):
        raise NotFound
    return tenant_id


_TAGS = ("tenants", "admin")
_BOTH = ("admin", "tenant_admin")
_STAFF = "/v1/admin/tenants/{tenant_id}/staff"

ROUTES = [
    Route("GET", "/v1/admin/tenants", listing, "tenants.list", "List tenants", query=PageQuery,
          response=Page[TenantView], roles=("admin", "ops"), tags=_TAGS),
    Route("POST", "/v1/admin/tenants", create, "tenants.create", "Make a tenant", request=TenantBody,
          response=TenantView, status=201, idempotent="required", roles=("admin",), tags=_TAGS),
    Route("GET", _STAFF, staff, "tenants.staff", "Who works for a tenant", query=PageQuery,
          response=Page[AccountView], roles=_BOTH, tags=_TAGS, errors=(NotFound,)),
    Route("PUT", _STAFF + "/{account_id}", employ, "tenants.employ", "Make somebody a tenant's staff, or change a role",
          request=TenantStaffBody, response=AccountView, has_etag=True, roles=_BOTH, tags=_TAGS,
          errors=(NotFound, WorksForTenant, OwnAdminRole),
          description="A tenant's administrators change their own staff; who comes anew is the platform's to say."),
    Route("DELETE", _STAFF + "/{account_id}", dismiss, "tenants.dismiss", "Somebody works for a tenant no longer",
          status=204, roles=_BOTH, tags=_TAGS, errors=(NotFound, OwnAdminRole)),
]  # fmt: skip
