"""HTTP edge of channels: their notifications, and what finance has to look at."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.errors import BodyTooLarge
from rest.edge.registry import PUBLIC, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Body, Page, PageQuery, exactly
from rest.money.channels import actions, store
from rest.money.channels.errors import BadSignature
from rest.money.channels.model import SUSPENSE, Ack, Outcome, WrongChannelState
from rest.money.channels.views import AlarmView, RefundView
from rest.money.channels.wiring import CHANNELS
from storage.base.errors import NotFound
from storage.base.log import Seldom
from storage.tx import Tx

BODY_BYTES_MAX = 65_536
BankRef = Annotated[str, Meta(pattern=exactly("[0-9A-Za-z._-]{4,64}"), examples=["20260105-000123"])]
FINANCE = ("finance", "admin")

_not_signed = Seldom("channel.bad_signature")  # WeChat itself sends wrong ones now and then, to see them refused


class TransferMade(Body, frozen=True, kw_only=True):
    """The bank's number of the transfer back."""

    bank_ref: BankRef


async def notify(ctx: Ctx) -> Answer:
    """Verify, keep, take effect, and only then say so, in the channel's own words."""
    channels = ctx.app.get(CHANNELS)
    channel = channels.find(ctx.path["channel"]) if channels is not None else None
    if channel is None:
        raise NotFound
    body = await ctx.request.read()
    if len(body) > BODY_BYTES_MAX:
        raise BodyTooLarge(bytes_max=BODY_BYTES_MAX)
    try:
        told = channel.read_notification(ctx.request.headers, body, ctx.now)
        await ctx.db.run(actions.take, channel.name, told, body)
    except BadSignature:
        _not_signed.log(channel=channel.name, address=ctx.address)
        if channel.refused is None:
            raise BadSignature(message="bad signature") from None  # WeChat reads `code` and `message`
        return _say(channel.refused)
    return _say(channel.taken)


def _say(ack: Ack) -> Reply:
    return Reply(status=ack.status, raw=ack.body, headers={"Content-Type": ack.media})


async def list_alarms(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    before_id = ctx.before_id
    async with ctx.db.begin() as tx:
        rows = await store.alarms(tx, before_id=before_id, limit=query.limit + 1)
    return ctx.page(
        rows,
        view=lambda row: AlarmView.of(row, in_suspense=Outcome(row["outcome"]) in SUSPENSE),
        key=lambda row: (row["id"],),
    )


async def list_refunds(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    before_id = ctx.before_id
    async with ctx.db.begin() as tx:
        refunds = await store.refunds_to_look_at(tx, before_id=before_id, limit=query.limit + 1)
    return ctx.page(refunds, view=RefundView.of, key=lambda refund: (refund.id,))


async def retry_refund(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        return RefundView.of(await actions.retry(tx, ctx.path["refund_id"], ctx.actor.account_id))

    return await ctx.transact(act)


async def done_refund(ctx: Ctx) -> Answer:
    body: TransferMade = ctx.body

    async def act(tx: Tx) -> Answer:
        refund_id, by = ctx.path["refund_id"], ctx.actor.account_id
        return RefundView.of(await actions.done_by_hand(tx, refund_id, by=by, bank_ref=body.bank_ref))

    return await ctx.transact(act)


_TAGS = ("payments", "admin")

ROUTES = [
    Route(
        "POST", "/v1/notify/{channel}", notify, "channels.notify", "News of a payment channel, signed by it",
        response=str, media="text/plain", roles=PUBLIC, tags=("payments",), errors=(BadSignature, BodyTooLarge),
        description="For payment channels only. Alipay is answered `success` or `fail`, WeChat Pay by the status.",
    ),
    Route(
        "GET", "/v1/admin/channel_alarms", list_alarms, "channels.alarms",
        "News of channels that a person must look at, newest first",
        query=PageQuery, response=Page[AlarmView], roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "GET", "/v1/admin/channel_refunds", list_refunds, "channels.refunds",
        "Refunds that did not get through by themselves, or take longer than three working days, newest first",
        query=PageQuery, response=Page[RefundView], roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/admin/channel_refunds/{refund_id}/retry", retry_refund, "channels.retry_refund",
        "Have the channel asked for a refund again, by the same number",
        response=RefundView, roles=FINANCE, idempotent="optional", tags=_TAGS, errors=(WrongChannelState,),
    ),
    Route(
        "POST", "/v1/admin/channel_refunds/{refund_id}/done", done_refund, "channels.done_refund",
        "Note that money which came by bank transfer has been transferred back",
        request=TransferMade, response=RefundView, roles=FINANCE, idempotent="optional", tags=_TAGS,
        errors=(WrongChannelState,),
    ),
]  # fmt: skip
