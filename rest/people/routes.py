"""HTTP of people: codes, sessions, the own account, and other people's roles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiohttp import hdrs

from rest.edge.context import Ctx
from rest.edge.errors import NotFound, SessionRevoked
from rest.edge.limits import Quota
from rest.edge.registry import PUBLIC, Link, Route
from rest.edge.reply import Finished, PageReply, Reply
from rest.edge.values import Page, PageQuery
from rest.people import actions, model, store
from rest.people.model import Account, normal_phone
from rest.people.views import (
    AccountQuery,
    AccountView,
    CodeBody,
    CodeView,
    ProfileBody,
    RefreshBody,
    RolesBody,
    SessionView,
    SignedInView,
    SignInBody,
    account_view,
    code_view,
    session_view,
    signed_in_view,
)
from rest.people.wiring import GATE, KEYS, WORKERS
from storage.base.errors import HubError
from storage.tx import Tx

HOUR_S = 3600

T = TypeVar("T")


async def send_code(ctx: Ctx) -> Finished:
    wanted: CodeBody = ctx.body
    ctx.spend(Quota("sign_in_codes", ctx.settings.code_per_address_max, HOUR_S), ctx.address)

    async def act(tx: Tx) -> CodeView:
        sent = await actions.send_code(tx, normal_phone(wanted.phone), keys=ctx.app[KEYS], settings=ctx.settings)
        return code_view(sent, dev=ctx.settings.dev)

    return await ctx.transact(act)


async def sign_in(ctx: Ctx) -> Reply:
    wanted: SignInBody = ctx.body
    tries_max = ctx.settings.code_per_address_max * ctx.settings.code_tries_max
    ctx.spend(Quota("sign_in_tries", tries_max, HOUR_S), ctx.address)
    phone, agent = normal_phone(wanted.phone), _printable(ctx.request.headers.get(hdrs.USER_AGENT, ""))

    async def act(tx: Tx) -> SignedInView | HubError:
        found = await actions.sign_in(
            tx, phone, wanted.code, keys=ctx.app[KEYS], settings=ctx.settings, user_agent=agent
        )
        return found if isinstance(found, HubError) else await _signed_in(ctx, tx, found)

    view = await _commit_then_raise(ctx, act)
    return Reply(view, location=f"/v1/auth/sessions/{view.session_id}")


async def refresh(ctx: Ctx) -> SignedInView:
    wanted: RefreshBody = ctx.body

    async def act(tx: Tx) -> SignedInView | HubError:
        found = await actions.refresh_session(tx, wanted.refresh_token, keys=ctx.app[KEYS], settings=ctx.settings)
        return found if isinstance(found, HubError) else await _signed_in(ctx, tx, found)

    return await _commit_then_raise(ctx, act)


async def _signed_in(ctx: Ctx, tx: Tx, found: actions.SignedIn) -> SignedInView:
    return signed_in_view(found, await ctx.app[WORKERS].worker_id_of(tx, found.account.id))


async def _commit_then_raise(ctx: Ctx, act: Callable[[Tx], Awaitable[T | HubError]]) -> T:
    """A refusal that leaves a trace is committed before the caller hears of it."""
    found = await ctx.db.run(act)
    if isinstance(found, HubError):
        raise found
    return found


def _printable(text: str) -> str:
    return "".join(letter for letter in text[:200] if letter.isprintable())


async def list_sessions(ctx: Ctx) -> PageReply[SessionView]:
    asked: PageQuery = ctx.query
    after: Any = ctx.after
    async with ctx.db.begin() as tx:
        found = await actions.sessions(tx, ctx.actor.account_id, after=after, limit=asked.limit)
    current = ctx.actor.session_id
    return ctx.page(found, view=lambda row: session_view(row, current), key=lambda row: (row.created_at, row.id))


async def read_session(ctx: Ctx) -> SessionView:
    async with ctx.db.begin() as tx:
        session = await store.live_session(tx, ctx.actor.account_id, _session_id(ctx))
    if session is None:
        raise NotFound
    return session_view(session, ctx.actor.session_id)


async def end_session(ctx: Ctx) -> Finished:
    session_id = _session_id(ctx)

    async def act(tx: Tx) -> Reply:
        await actions.end_session(tx, ctx.actor.account_id, session_id, "signed_out")
        return Reply()

    done = await ctx.transact(act)
    ctx.app[GATE].note_ended([session_id])
    return done


def _session_id(ctx: Ctx) -> str:
    """`current` stands for the caller's own session."""
    named = ctx.path["session_id"]
    return ctx.actor.session_id if named == "current" else named


async def read_me(ctx: Ctx) -> Reply:
    async with ctx.db.begin() as tx:
        account = await actions.account_of(tx, ctx.actor.account_id)
        worker_id = await ctx.app[WORKERS].worker_id_of(tx, account.id)
    return _account(account, worker_id)


async def change_me(ctx: Ctx) -> Finished:
    wanted: ProfileBody = ctx.body

    async def act(tx: Tx) -> Reply:
        account = await actions.lock_account(tx, ctx.actor.account_id)
        ctx.expect(account.version)
        changed = await actions.rename(tx, account, wanted.nickname)
        return _account(changed, await ctx.app[WORKERS].worker_id_of(tx, account.id))

    return await ctx.transact(act)


async def list_accounts(ctx: Ctx) -> PageReply[AccountView]:
    asked: AccountQuery = ctx.query
    after: Any = ctx.after
    phone = None if asked.phone is None else normal_phone(asked.phone)
    async with ctx.db.begin() as tx:
        found = await store.accounts(tx, phone=phone, role=asked.role, after=after, limit=asked.limit + 1)
    return ctx.page(found, view=account_view, key=lambda row: (row.created_at, row.id))


async def read_account(ctx: Ctx) -> Reply:
    async with ctx.db.begin() as tx:
        account = await actions.account_of(tx, ctx.path["account_id"])
        worker_id = await ctx.app[WORKERS].worker_id_of(tx, account.id)
    return _account(account, worker_id)


async def set_roles(ctx: Ctx) -> Finished:
    wanted: RolesBody = ctx.body

    async def act(tx: Tx) -> Reply:
        account = await actions.lock_account(tx, ctx.path["account_id"])
        ctx.expect(account.version)
        changed = await actions.set_roles(tx, account, wanted.roles, by=ctx.actor.account_id, reason=wanted.reason)
        return _account(changed, await ctx.app[WORKERS].worker_id_of(tx, account.id))

    return await ctx.transact(act)


def _account(account: Account, worker_id: str | None) -> Reply:
    return Reply(account_view(account, worker_id), etag=account.version)


_OWN_SESSION = {"session_id": "$response.body#/session_id"}
_REFRESH = {"refresh_token": "$response.body#/refresh_token"}

ROUTES = [
    Route(
        "POST", "/v1/auth/codes", send_code, "auth.send_code", "Send a sign-in code to a phone",
        request=CodeBody, response=CodeView, status=201, roles=PUBLIC, tags=("sign-in",),
        errors=(model.TooManyCodes,),
        links={"sign_in": Link("auth.sign_in", description="With the code that reached the phone.")},
    ),
    Route(
        "POST", "/v1/auth/sessions", sign_in, "auth.sign_in", "Sign in with phone and code",
        request=SignInBody, response=SignedInView, status=201, roles=PUBLIC, tags=("sign-in",),
        errors=(model.CodeWrong, model.CodeExpired, model.TooManyTries, model.AccountClosed),
        links={
            "refresh": Link("auth.refresh", body=_REFRESH),
            "read_session": Link("auth.read_session", _OWN_SESSION),
            "sign_out": Link("auth.end_session", _OWN_SESSION),
        },
    ),
    Route(
        "POST", "/v1/auth/refresh", refresh, "auth.refresh", "Exchange a refresh token for new tokens",
        request=RefreshBody, response=SignedInView, roles=PUBLIC, tags=("sign-in",),
        errors=(model.RefreshInvalid, model.RefreshReused, SessionRevoked, model.AccountClosed),
        description="A refresh token is good once. Using it again ends the session for everybody who holds it.",
        links={"refresh": Link("auth.refresh", body=_REFRESH)},
    ),
    Route(
        "GET", "/v1/auth/sessions", list_sessions, "auth.list_sessions", "List own sessions",
        query=PageQuery, response=Page[SessionView], tags=("sign-in",),
    ),
    Route(
        "GET", "/v1/auth/sessions/{session_id}", read_session, "auth.read_session", "Read an own session",
        response=SessionView, tags=("sign-in",), description="`current` names the session of this request.",
    ),
    Route(
        "DELETE", "/v1/auth/sessions/{session_id}", end_session, "auth.end_session", "End an own session",
        status=204, tags=("sign-in",),
        description="`current` signs out. Its access tokens and sockets end within a second.",
    ),
    Route(
        "GET", "/v1/me", read_me, "me.read", "Read the own account",
        response=AccountView, has_etag=True, tags=("account",),
    ),
    Route(
        "PATCH", "/v1/me", change_me, "me.change", "Change the own profile",
        request=ProfileBody, response=AccountView, if_match=True, tags=("account",),
    ),
    Route(
        "GET", "/v1/admin/accounts", list_accounts, "accounts.list", "Find accounts",
        query=AccountQuery, response=Page[AccountView], roles=("admin",), tags=("accounts",),
    ),
    Route(
        "GET", "/v1/admin/accounts/{account_id}", read_account, "accounts.read", "Read an account",
        response=AccountView, has_etag=True, roles=("admin",), tags=("accounts",),
    ),
    Route(
        "PUT", "/v1/admin/accounts/{account_id}/roles", set_roles, "accounts.set_roles", "Set an account's roles",
        request=RolesBody, response=AccountView, if_match=True, roles=("admin",), tags=("accounts",),
        errors=(model.OwnAdminRole, model.WorksForTenant),
        description="Holds at once: older access tokens answer `token_expired` and are refreshed with the new roles.",
    ),
]  # fmt: skip
