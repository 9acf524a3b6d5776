"""Referrals over HTTP: my code, who brought me, whom I brought and what that has come to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

import dispatch
from dispatch.model import WorkerNotFound
from rest import people
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Body, Line, Money, Page, PageQuery, exactly
from rest.marketing.referrals import actions, store
from rest.marketing.referrals.model import CodeUnknown, Referral, Side, mask_name
from rest.money.settlement import ChannelBound, LineState, SelfReferral, Settlement
from rest.money.settlement import Line as Share
from rest.money.settlement import store as settlements
from rest.money.settlement.store import Channel
from storage.tx import Tx

TECHNICIAN = ("technician",)
OPS = ("ops", "admin")

Code = Annotated[str, Meta(pattern=exactly("[0-9A-Za-z]{8}"), examples=["7K3QXW9D"])]


class ReferralCodeView(msgspec.Struct, frozen=True, kw_only=True):
    """My code, to be passed on."""

    code: str


class ReferralCodeBody(Body, frozen=True, kw_only=True):
    """The code of whoever brought me; small letters, and O for 0, are understood."""

    code: Code


class ReferralView(msgspec.Struct, frozen=True, kw_only=True):
    """Who brought me, as which side of my account."""

    side: Side
    referrer_name: str
    since: datetime


class MemberQuery(PageQuery, frozen=True, kw_only=True):
    """Which ones."""

    side: Literal["customer", "technician"] | None = None


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody I brought. Of a technician: whether his orders still bring rewards, and what the bonus has come to."""

    side: Side
    name: str
    is_open: bool
    bonus: Money | None
    since: datetime


class RewardView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an order somebody I brought has done. A line taken back has a negative amount and no net."""

    settlement_id: str
    order_id: str
    kind: str
    amount: Money
    net: Money
    state: LineState
    at: datetime

    @classmethod
    def of(cls, found: tuple[Settlement, Share]) -> RewardView:
        settlement, line = found
        return cls(
            settlement_id=settlement.id,
            order_id=settlement.order_id,
            kind=line.kind,
            amount=Money(line.amount_fen),
            net=Money(line.net_fen),
            state=line.state,
            at=line.at,
        )


class TotalView(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of reward has come to: still waiting, and in the wallet."""

    kind: str
    pending: Money
    paid: Money


class TotalsView(msgspec.Struct, frozen=True, kw_only=True):
    """My rewards by kind; what refunds took back is not in them."""

    kinds: list[TotalView]


class CloseBody(Body, frozen=True, kw_only=True):
    """Why this account shall earn nothing more by those it brought."""

    reason: Line


class ClosedView(msgspec.Struct, frozen=True, kw_only=True):
    """How many technicians bring it nothing from now on."""

    account_id: str
    technicians: int


async def read_code(ctx: Ctx) -> Answer:
    return ReferralCodeView(code=await ctx.db.run(actions.code_of, ctx.actor.account_id))


async def bind_customer(ctx: Ctx) -> Answer:
    body: ReferralCodeBody = ctx.body

    async def act(tx: Tx) -> Answer:
        return await _view(tx, await actions.bind_customer(tx, ctx.actor.account_id, body.code))

    return await ctx.transact(act)


async def bind_worker(ctx: Ctx) -> Answer:
    body: ReferralCodeBody = ctx.body

    async def act(tx: Tx) -> Answer:
        worker = await dispatch.worker_of(tx, ctx.actor.account_id)
        if worker is None:
            raise WorkerNotFound
        return await _view(tx, await actions.bind_worker(tx, ctx.actor.account_id, worker.id, body.code))

    return await ctx.transact(act)


async def _view(tx: Tx, made: Referral) -> ReferralView:
    referrer = await people.account_of(tx, made.referrer_id)
    return ReferralView(side=made.side, referrer_name=mask_name(referrer.nickname), since=made.since)


async def list_members(ctx: Ctx) -> Answer:
    query: MemberQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.brought(
            tx,
            ctx.actor.account_id,
            side=None if query.side is None else Side(query.side),
            before_id=ctx.before_id,
            limit=query.limit + 1,
        )
        channels = await settlements.channels(tx, [one.worker_id for one in found if one.worker_id is not None])
    return ctx.page(found, view=lambda one: _member(one, channels), key=lambda one: (one.id,))


def _member(one: Referral, channels: dict[str, Channel]) -> MemberView:
    channel = channels.get(one.worker_id or "")
    return MemberView(
        side=one.side,
        name=mask_name(one.name),
        is_open=channel is None or channel.is_open,
        bonus=None if channel is None else Money(channel.bonus_fen),
        since=one.since,
    )


async def list_rewards(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await settlements.rewards(
            tx,
            await actions.parties_of(tx, ctx.actor.account_id),
            before=(str(ctx.after[0]), int(ctx.after[1])) if ctx.after else None,  # type: ignore[arg-type]  # our own key
            limit=query.limit + 1,
        )
    return ctx.page(found, view=RewardView.of, key=lambda one: (one[0].id, one[1].n))


async def read_totals(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        sums = await settlements.reward_totals(tx, await actions.parties_of(tx, ctx.actor.account_id))
    waiting = (LineState.ACCRUED, LineState.PAYABLE)
    kinds = [
        TotalView(
            kind=kind,
            pending=Money(sum(sums.get((kind, state), 0) for state in waiting)),
            paid=Money(sums.get((kind, LineState.PAID), 0)),
        )
        for kind in sorted({kind for kind, _ in sums})
    ]
    return TotalsView(kinds=kinds)


async def close(ctx: Ctx) -> Answer:
    body: CloseBody = ctx.body
    account_id = ctx.path["account_id"]

    async def act(tx: Tx) -> Answer:
        await people.account_of(tx, account_id)
        closed = await actions.close(tx, account_id, by=ctx.actor.account_id, reason=body.reason)
        return ClosedView(account_id=account_id, technicians=closed)

    return await ctx.transact(act)


_TAGS = ("referrals",)
_BINDING = (CodeUnknown, SelfReferral, ChannelBound)

ROUTES = [
    Route(
        "GET", "/v1/referral_code", read_code, "referral_code.read", "My code, for those I bring",
        response=ReferralCodeView, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/referral", bind_customer, "referral.bind", "Say who brought me",
        request=ReferralCodeBody, response=ReferralView, status=201, idempotent="optional", tags=_TAGS, errors=_BINDING,
    ),
    Route(
        "POST", "/v1/partner/referral", bind_worker, "partner_referral.bind", "Say who brought me as a technician",
        request=ReferralCodeBody, response=ReferralView, status=201, idempotent="optional", roles=TECHNICIAN,
        tags=_TAGS, errors=(*_BINDING, WorkerNotFound),
        description="He earns by my orders from now on, and only he.",
    ),
    Route(
        "GET", "/v1/team_members", list_members, "team_members.list", "Whom I brought, newest first",
        query=MemberQuery, response=Page[MemberView], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/team_rewards", list_rewards, "team_rewards.list", "What their orders brought me, newest first",
        query=PageQuery, response=Page[RewardView], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/team_rewards/totals", read_totals, "team_rewards.totals", "My rewards by kind",
        response=TotalsView, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/admin/accounts/{account_id}/close_channels", close, "accounts.close_channels",
        "End an account's rewards by those it brought",
        request=CloseBody, response=ClosedView, idempotent="optional", roles=OPS, tags=("referrals", "admin"),
    ),
]  # fmt: skip
