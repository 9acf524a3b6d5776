"""Asking for the password or a signature at an edge, before the transaction it protects."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Protocol

from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.values import Body, Id
from rest.money import passwords
from rest.money.signing import store
from rest.money.signing.keys import is_signed
from rest.money.signing.model import ChallengeExpired, Proof, SignatureBad
from storage.postgres import Database

Digits = Annotated[str, Meta(min_length=1, max_length=32, description="The payment password, where one is set.")]
Base64 = Annotated[str, Meta(min_length=1, max_length=512, description="Base64, with padding.")]


class SignatureBody(Body, frozen=True, kw_only=True):
    """Instead of the payment password: a challenge of mine, signed by its device."""

    challenge_id: Id
    signature: Base64


class Proving(Protocol):
    """A request that says how its payer is proved."""

    @property
    def password(self) -> str | None: ...

    @property
    def signature(self) -> SignatureBody | None: ...


async def prove_in(ctx: Ctx, body: Proving) -> Proof | None:
    """What this request says of its payer. Raises as `prove`."""
    account_id, secret = ctx.actor.account_id, ctx.settings.secret
    return await prove(ctx.db, account_id, password=body.password, signature=body.signature, secret=secret)


def decoded(text: str) -> bytes | None:
    """None for what is no base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


async def prove(
    db: Database, account_id: str, *, password: str | None, signature: SignatureBody | None, secret: str
) -> Proof | None:
    """The password, or a signature that `spend` is to be asked for; None for the former and where none is set.

    Whether a challenge is used or over is seen when it is spent, so that a request that is sent again finds its answer.
    Raises PasswordRequired, PasswordWrong, PayLocked, SignatureBad (with the tries left), ChallengeExpired.
    """
    if signature is None:
        await passwords.require(db, account_id, password, secret=secret)
        return None
    async with db.look() as tx:
        challenge = await store.challenge(tx, signature.challenge_id, account_id)
        device = None if challenge is None else await store.device(tx, challenge.device_id, account_id)
    if challenge is None or device is None:
        raise ChallengeExpired
    given = decoded(signature.signature)
    if given is not None and is_signed(device.public_key, given, challenge.message):
        return Proof(challenge.id, account_id)
    refusal = await db.run(passwords.count_try, account_id, is_right=False)
    if isinstance(refusal, passwords.PayLocked):
        raise refusal
    raise SignatureBad(**(refusal.fields if refusal is not None else {}))
