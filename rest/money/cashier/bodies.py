"""How requests say what to pay with; the same for every route that pays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol

from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.values import Amount, Body, exactly
from rest.money import payments, signing
from rest.money.channels import CHANNELS, check_channel
from rest.money.payments import CHANNELS as CHANNEL_TENDERS
from rest.money.payments import Ask, Tender
from rest.money.signing import Proof, Proving
from storage.tx import Tx

Asked = Literal["wallet", "credit", "prepaid", "points", "wechat", "alipay", "offline"]
Payer = Annotated[str, Meta(pattern=exactly("[A-Za-z0-9_-]{1,64}"))]
QuoteHash = Annotated[str, Meta(min_length=1, max_length=64, description="Names the price you were shown.")]


class TenderBody(Body, frozen=True, kw_only=True):
    """One way of paying, and how much of the price: an amount of money, or what the others leave."""

    method: Asked
    amount: Amount | Literal["rest"] = "rest"


Tenders = Annotated[list[TenderBody], Meta(min_length=1, max_length=6)]


def asks_of(tenders: Sequence[TenderBody]) -> list[Ask]:
    return [Ask(Tender(one.method), None if isinstance(one.amount, str) else one.amount.amount) for one in tenders]


async def check_payer(ctx: Ctx, asked: Sequence[Ask], body: Proving) -> Proof | None:
    """Ask for the password or a signature where the customer's own accounts are among them.

    Raises as `signing.prove`.
    """
    is_own = any(ask.tender not in CHANNEL_TENDERS for ask in asked)
    return await signing.prove_in(ctx, body) if is_own else None


class PaidBy(Proving, Protocol):
    """A request that says by which one method it is paid; None where there may be nothing to pay."""

    @property
    def method(self) -> str | None: ...


async def check_method(ctx: Ctx, body: PaidBy) -> Proof | None:
    """Ask for the password or a signature of who pays from the wallet; a channel must be set up.

    Raises as `signing.prove`, ChannelUnavailable.
    """
    if body.method == Tender.WALLET:
        return await signing.prove_in(ctx, body)
    if body.method is not None:
        check_channel(ctx, body.method)
    return None


async def spend_proof(tx: Tx, proof: Proof | None, order_id: str) -> None:
    """What was signed must be the payment that was opened for this order now. Raises as `signing.spend`."""
    if proof is not None:
        opened = await payments.of_order(tx, order_id)
        amount_fen = opened[-1].amount_fen if opened else 0
        await signing.spend(tx, proof, action=signing.Action.PAY, subject=order_id, amount_fen=amount_fen)


def open_channels(ctx: Ctx) -> frozenset[str]:
    """The channels this process can ask."""
    channels = ctx.app.get(CHANNELS)
    return channels.names if channels is not None else frozenset()
