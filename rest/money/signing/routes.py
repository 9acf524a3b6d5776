"""Signing devices over HTTP: let one in, look, remove one, and ask what it shall sign."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.limits import Quota
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Amount, Body, Id, exactly
from rest.money import passwords
from rest.money.passwords import PasswordRequired
from rest.money.signing import actions, store
from rest.money.signing.checking import Base64, decoded
from rest.money.signing.model import (
    Action,
    Algorithm,
    Challenge,
    Device,
    DeviceKeyBad,
    DeviceKnown,
    TooManySigningDevices,
)
from storage.base.errors import NotFound
from storage.tx import Tx

CHALLENGES = Quota("wallet_challenges", 30, 60)
"""A payment needs one; whoever asks for more than one every two seconds is no person."""
NONCE_BYTES = 16

Subject = Annotated[str, Meta(min_length=1, max_length=64, pattern=exactly("[!-~]+"))]
Digits = Annotated[str, Meta(min_length=1, max_length=32, description="The payment password.")]


class SigningDeviceBody(Body, frozen=True, kw_only=True):
    """A device, its public key (P-256 or Ed25519 as SubjectPublicKeyInfo, DER, base64), and the payment password."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    public_key: Base64
    password: Digits


class SigningDeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """A device that may sign for me."""

    id: str
    name: str
    algorithm: Algorithm
    created_at: datetime
    used_at: datetime | None

    @classmethod
    def of(cls, device: Device) -> SigningDeviceView:
        return cls(
            id=device.id,
            name=device.name,
            algorithm=device.algorithm,
            created_at=device.created_at,
            used_at=device.used_at,
        )


class SigningDevices(msgspec.Struct, frozen=True, kw_only=True):
    """All of mine, oldest first; there are few."""

    data: list[SigningDeviceView]


class ChallengeBody(Body, frozen=True, kw_only=True):
    """What is to be paid. `subject`: the order, the payee's number, the product or the level.

    `amount`: all of its price now; of a product the cash.
    """

    device_id: Id
    action: Action
    subject: Subject
    amount: Amount


class ChallengeView(msgspec.Struct, frozen=True, kw_only=True):
    """What the device signs: `message` as UTF-8, by ECDSA with SHA-256 (DER) or Ed25519. Good once, until its end."""

    id: str
    message: str
    expires_at: datetime

    @classmethod
    def of(cls, challenge: Challenge) -> ChallengeView:
        return cls(id=challenge.id, message=challenge.message, expires_at=challenge.expires_at)


async def register(ctx: Ctx) -> Answer:
    body: SigningDeviceBody = ctx.body
    key = decoded(body.public_key)
    if key is None:
        raise DeviceKeyBad
    account_id = ctx.actor.account_id
    proved = await passwords.require(ctx.db, account_id, body.password, secret=ctx.settings.secret)
    if proved is None:
        raise PasswordRequired  # without one there is nothing to sign instead of

    async def act(tx: Tx) -> Answer:
        made = await actions.register(tx, account_id, name=body.name, key=key, salt=proved.salt)
        return Reply(SigningDeviceView.of(made), location="/v1/wallet/devices")

    return await ctx.transact(act)


async def list_mine(ctx: Ctx) -> Answer:
    async with ctx.db.look() as tx:
        found = await store.devices(tx, ctx.actor.account_id)
    return SigningDevices(data=[SigningDeviceView.of(device) for device in found])


async def remove(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        await actions.remove(tx, ctx.path["device_id"], ctx.actor.account_id)
        return Reply(None)

    return await ctx.transact(act)


async def ask(ctx: Ctx) -> Answer:
    ctx.spend(CHALLENGES, ctx.actor.account_id)
    body: ChallengeBody = ctx.body
    nonce = secrets.token_urlsafe(NONCE_BYTES)

    async def act(tx: Tx) -> Answer:
        made = await actions.challenge(
            tx,
            ctx.actor.account_id,
            device_id=body.device_id,
            action=body.action,
            subject=body.subject,
            amount_fen=body.amount.amount,
            nonce=nonce,
        )
        return Reply(ChallengeView.of(made))

    return await ctx.transact(act)


_TAGS = ("wallet",)

ROUTES = [
    Route(
        "POST", "/v1/wallet/devices", register, "wallet_devices.register", "Let a device sign instead of my password",
        request=SigningDeviceBody, response=SigningDeviceView, status=201, idempotent="optional", tags=_TAGS,
        errors=(DeviceKeyBad, DeviceKnown, TooManySigningDevices, *passwords.REFUSALS),
        description="It signs until it is removed or the payment password is another one.",
    ),
    Route(
        "GET", "/v1/wallet/devices", list_mine, "wallet_devices.list", "The devices that may sign for me",
        response=SigningDevices, tags=_TAGS,
    ),
    Route(
        "DELETE", "/v1/wallet/devices/{device_id}", remove, "wallet_devices.remove", "Have a device sign no more",
        status=204, tags=_TAGS, errors=(NotFound,),
    ),
    Route(
        "POST", "/v1/wallet/challenges", ask, "wallet_challenges.ask", "Ask what a device shall sign for a payment",
        request=ChallengeBody, response=ChallengeView, status=201, idempotent="optional", tags=_TAGS,
        errors=(NotFound,),
        description="Works once, within two minutes, for just this payment.",
    ),
]  # fmt: skip
