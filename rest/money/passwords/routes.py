"""The payment password over HTTP: whether there is one, a code to one's phone, setting and changing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from rest import people
from rest.edge.context import Ctx
from rest.edge.limits import Quota
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Body
from rest.money.passwords import actions, checking, store
from rest.money.passwords.hashing import new_salt, slow_hash
from rest.money.passwords.model import (
    BadPassword,
    OldPasswordWrong,
    Password,
    PasswordRequired,
    PasswordWrong,
    PayLocked,
    check_digits,
)
from rest.people.model import CodeExpired, CodeWrong, TooManyCodes, TooManyTries
from rest.people.views import CodeView, code_view
from rest.people.wiring import KEYS
from storage.base.errors import HubError
from storage.tx import Tx

HOUR_S = 3600
PURPOSE = "wallet password"
"""What the code is for: one for signing in sets no password."""

Digits = Annotated[str, Meta(min_length=1, max_length=32, description="Six digits.")]


class PasswordView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the caller has a payment password, and until when it is locked."""

    is_set: bool
    locked_until: datetime | None
    changed_at: datetime | None

    @classmethod
    def of(cls, found: Password | None, now: datetime) -> PasswordView:
        if found is None:
            return cls(is_set=False, locked_until=None, changed_at=None)
        until = found.tries.locked_until
        return cls(is_set=True, locked_until=until if until and now < until else None, changed_at=found.changed_at)


class PasswordBody(Body, frozen=True, kw_only=True):
    """The new password, and what proves the caller: the code sent to his phone."""

    password: Digits
    code: Annotated[str, Meta(min_length=1, max_length=16)]


class ChangeBody(Body, frozen=True, kw_only=True):
    """The new password, and the old one."""

    password: Digits
    old_password: Digits


async def read(ctx: Ctx) -> Answer:
    async with ctx.db.look() as tx:
        return PasswordView.of(await store.read(tx, ctx.actor.account_id), ctx.now)


async def send_code(ctx: Ctx) -> Answer:
    ctx.spend(Quota("wallet_password_codes", ctx.settings.code_per_address_max, HOUR_S), ctx.actor.account_id)

    async def act(tx: Tx) -> CodeView:
        account = await people.account_of(tx, ctx.actor.account_id)
        keys, settings = ctx.app[KEYS], ctx.settings
        sent = await people.send_code(tx, account.phone, keys=keys, settings=settings, purpose=PURPOSE)
        return code_view(sent, dev=ctx.settings.dev)

    return await ctx.transact(act)


async def put(ctx: Ctx) -> Answer:
    body: PasswordBody = ctx.body
    check_digits(body.password)
    salt = new_salt()
    hashed = await slow_hash(body.password, salt, ctx.settings.secret)

    async def act(tx: Tx) -> Password | HubError:
        account = await people.account_of(tx, ctx.actor.account_id)
        keys, settings = ctx.app[KEYS], ctx.settings
        refusal = await people.use_code(tx, account.phone, body.code, keys=keys, settings=settings, purpose=PURPOSE)
        return refusal or await actions.put(tx, account.id, salt, hashed)

    found = await ctx.db.run(act)  # a wrong code costs a try, so its transaction commits
    if isinstance(found, HubError):
        raise found
    return PasswordView.of(found, ctx.now)


async def change(ctx: Ctx) -> Answer:
    body: ChangeBody = ctx.body
    check_digits(body.password)
    account_id, secret = ctx.actor.account_id, ctx.settings.secret
    async with ctx.db.look() as tx:
        if await store.read(tx, account_id) is None:
            raise PasswordRequired  # there is nothing to change: a code sets the first one
    try:
        await checking.require(ctx.db, account_id, body.old_password, secret=secret)
    except PasswordWrong as wrong:
        raise OldPasswordWrong(**wrong.fields) from None
    salt = new_salt()
    hashed = await slow_hash(body.password, salt, secret)
    return PasswordView.of(await ctx.db.run(actions.put, account_id, salt, hashed), ctx.now)


_TAGS = ("wallet",)

ROUTES = [
    Route(
        "GET", "/v1/wallet/password", read, "wallet_password.read", "Whether I have a payment password",
        response=PasswordView, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/wallet/password/codes", send_code, "wallet_password.send_code",
        "Send a code to my phone that lets me set my payment password",
        response=CodeView, status=201, tags=_TAGS, errors=(TooManyCodes,),
    ),
    Route(
        "PUT", "/v1/wallet/password", put, "wallet_password.put",
        "Set my payment password, or a forgotten one anew",
        request=PasswordBody, response=PasswordView, tags=_TAGS,
        errors=(BadPassword, CodeWrong, CodeExpired, TooManyTries),
        description="Wrong tries and a lock are forgotten.",
    ),
    Route(
        "PATCH", "/v1/wallet/password", change, "wallet_password.change", "Change my payment password",
        request=ChangeBody, response=PasswordView, tags=_TAGS,
        errors=(BadPassword, OldPasswordWrong, PasswordRequired, PayLocked),
        description="A wrong old one counts like a wrong payment.",
    ),
]  # fmt: skip
