"""How requests say what to pay with; the same for every route that pays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.values import Amount, Body, exactly
from rest.money import passwords
from rest.money.channels import CHANNELS
from rest.money.payments import CHANNELS as CHANNEL_TENDERS
from rest.money.payments import Ask, Tender

Asked = Literal["wallet", "credit", "prepaid", "points", "wechat", "alipay", "offline"]
Digits = Annotated[str, Meta(min_length=1, max_length=32, description="The payment password, where one is set.")]
Payer = Annotated[str, Meta(pattern=exactly("[A-Za-z0-9_-]{1,64}"))]
QuoteHash = Annotated[str, Meta(min_length=1, max_length=64, description="Names the price you were shown.")]


class TenderBody(Body, frozen=True, kw_only=True):
    """One way of paying, and how much of the price: an amount of money, or what the others leave."""

    method: Asked
    amount: Amount | Literal["rest"] = "rest"


Tenders = Annotated[list[TenderBody], Meta(min_length=1, max_length=6)]


def asks_of(tenders: Sequence[TenderBody]) -> list[Ask]:
    return [Ask(Tender(one.method), None if isinstance(one.amount, str) else one.amount.amount) for one in tenders]


async def check_password(ctx: Ctx, asked: Sequence[Ask], given: str | None) -> None:
    """Ask for the password where the customer's own accounts are among them.

    Raises PasswordRequired, PasswordWrong, PayLocked.
    """
    if any(ask.tender not in CHANNEL_TENDERS for ask in asked):
        await passwords.require(ctx.db, ctx.actor.account_id, given, secret=ctx.settings.secret)


def open_channels(ctx: Ctx) -> frozenset[str]:
    """The channels this process can ask."""
    channels = ctx.app.get(CHANNELS)
    return channels.names if channels is not None else frozenset()
