"""Orders that break off, over HTTP: what each side may say, and what support writes down (part 4.9)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from rest.desk.cases.values import OwnCase
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Body, Line, Money, Note
from rest.lines.homeservice import actions, breaks, case_side, technicians
from rest.lines.homeservice.errors import NotWaiting
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import Job
from rest.lines.homeservice.routes.common import ReasonBody, order_reply
from rest.lines.homeservice.routes.views import OrderView
from rest.lines.homeservice.technicians import NotActive
from rest.money import penalties
from rest.money.penalties import PenaltyReversed
from rest.money.penalties.routes import PenaltyForStaff, PenaltyList, PenaltyView
from rest.money.refunds import Outcome, RefundOpen
from rest.trade import orders
from rest.trade.orders import By, Role, WrongState
from storage.tx import Tx

SUPPORT = ("support", "admin")
REVERSERS = ("support", "finance", "admin")
READERS = ("support", "finance", "supervisor", "admin")


class NoteBody(Body, frozen=True, kw_only=True):
    """What was said."""

    note: Note


class ComplaintBody(Body, frozen=True, kw_only=True):
    """What is wrong. Only support reads it."""

    text: Note


class ReversalBody(Body, frozen=True, kw_only=True):
    """Why the penalty was a mistake."""

    reason: Line


class LadderView(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept and what goes back if the order ended now, under the policy it was sold under."""

    policy: str
    policy_version: int
    tier: str
    paid: Money
    penalty: Money
    item_part: Money
    travel_part: Money
    refund: Money
    preview_hash: str

    @classmethod
    def of(cls, order_id: str, outcome: Outcome) -> LadderView:
        parts = breaks.penalty_parts(outcome)
        return cls(
            policy=outcome.policy,
            policy_version=outcome.version,
            tier=outcome.tier,
            paid=Money(outcome.paid_fen),
            penalty=Money(outcome.fee_fen),
            item_part=Money(parts["penalty_item_fen"]),
            travel_part=Money(parts["penalty_travel_fen"]),
            refund=Money(outcome.refund_fen),
            preview_hash=outcome.hash(order_id),
        )


def ladder_view(job: Job, tx: Tx) -> LadderView:
    """Raises WrongState where the order cannot be cancelled any more, or nothing is paid."""
    if job.order.status not in breaks.BREAKABLE:
        raise WrongState(status=job.order.status, verb="refund")
    return LadderView.of(job.order.id, breaks.outcome_now(job, tx.now))


# Customer and technician


async def complain(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        account_id = ctx.actor.account_id
        job = await orders.lock_for_customer(tx, HOMESERVICE, ctx.path["order_id"], account_id)
        return OwnCase.of(await case_side.complain(tx, job, By(Role.CUSTOMER, account_id), ctx.body.text))

    return await ctx.transact(act)


async def complain_of_worker(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        worker_id = await technicians.worker_id_of(tx, ctx.actor.account_id)
        job = await orders.lock_for_worker(tx, HOMESERVICE, ctx.path["order_id"], worker_id)
        return OwnCase.of(await case_side.complain(tx, job, By(Role.WORKER, worker_id), ctx.body.text))

    return await ctx.transact(act)


async def customer_is_here(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        account_id = ctx.actor.account_id
        job = await orders.lock_for_customer(tx, HOMESERVICE, ctx.path["order_id"], account_id)
        return await order_reply(tx, await actions.find_customer(tx, job, By(Role.CUSTOMER, account_id)), Role.CUSTOMER)

    return await ctx.transact(act)


def _by_worker(verb: Callable[[Tx, Ctx, str, str], Awaitable[Job]]) -> Callable[[Ctx], Awaitable[Answer]]:
    async def handle(ctx: Ctx) -> Answer:
        async def act(tx: Tx) -> Answer:
            worker_id = await technicians.worker_id_of(tx, ctx.actor.account_id)
            return await order_reply(tx, await verb(tx, ctx, ctx.path["order_id"], worker_id), Role.WORKER)

        return await ctx.transact(act)

    return handle


async def _ask_terminate(tx: Tx, ctx: Ctx, order_id: str, worker_id: str) -> Job:
    return await actions.ask_terminate(tx, order_id, worker_id, ctx.body.reason)


async def _miss_customer(tx: Tx, _ctx: Ctx, order_id: str, worker_id: str) -> Job:
    return await actions.miss_customer(tx, order_id, worker_id)


async def _find_customer(tx: Tx, _ctx: Ctx, order_id: str, worker_id: str) -> Job:
    job = await orders.lock_for_worker(tx, HOMESERVICE, order_id, worker_id)
    return await actions.find_customer(tx, job, By(Role.WORKER, worker_id))


async def my_penalties(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        job = await orders.read_for_customer(tx, HOMESERVICE, ctx.path["order_id"], ctx.actor.account_id)
        return await _penalties(tx, job)


async def _penalties(tx: Tx, job: Job) -> PenaltyList:
    """A customer's list: what he pays, and what his technicians pay because of him is their own affair."""
    found = await penalties.of_order(tx, job.order.id)
    return PenaltyList(data=[PenaltyView.of(one) for one in found if one.payer.id == job.order.customer_id])


# Support


async def break_preview(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return ladder_view(await orders.read_for_staff(tx, HOMESERVICE, ctx.path["order_id"]), tx)


def _by_staff(verb: Callable[[Tx, Ctx, str, str], Awaitable[Job]]) -> Callable[[Ctx], Awaitable[Answer]]:
    async def handle(ctx: Ctx) -> Answer:
        async def act(tx: Tx) -> Answer:
            return await order_reply(tx, await verb(tx, ctx, ctx.path["order_id"], ctx.actor.account_id), Role.STAFF)

        return await ctx.transact(act)

    return handle


async def _phone_cancel(tx: Tx, ctx: Ctx, order_id: str, staff_id: str) -> Job:
    return await actions.record_phone_cancel(tx, order_id, staff_id, ctx.body.note)


async def reverse(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        penalty = await actions.reverse_penalty(tx, ctx.path["penalty_id"], ctx.actor.account_id, ctx.body.reason)
        return PenaltyForStaff.of(penalty)

    return await ctx.transact(act)


_ADMIN = "/v1/admin/orders/{order_id}"
_MINE = "/v1/partner/orders/{order_id}"
_TAGS = ("breaks",)
_STAFF_TAGS = ("breaks", "admin")

ROUTES = [
    Route(
        "POST", "/v1/orders/{order_id}/find_customer", customer_is_here, "orders.find_customer",
        "I am here: the technician at my door need not wait",
        response=OrderView, idempotent="optional", has_etag=True, tags=_TAGS, errors=(WrongState, NotWaiting),
    ),
    Route(
        "POST", "/v1/orders/{order_id}/complaint", complain, "orders.complain", "Complain about my order to support",
        request=ComplaintBody, response=OwnCase, status=201, idempotent="optional", tags=_TAGS,
        description="While one is open, that one is the answer. The technician hears nothing of it.",
    ),
    Route(
        "POST", _MINE + "/complaint", complain_of_worker, "partner.complain", "Complain about this order to support",
        request=ComplaintBody, response=OwnCase, status=201, idempotent="optional", roles=("technician",),
        tags=_TAGS, errors=(NotActive,), description="The customer hears nothing of it.",
    ),
    Route(
        "GET", "/v1/orders/{order_id}/penalties", my_penalties, "orders.penalties", "What I paid for breaking off",
        response=PenaltyList, tags=_TAGS,
    ),
    Route(
        "POST", _MINE + "/ask_terminate", _by_worker(_ask_terminate), "partner.ask_terminate",
        "I do not want to go on with this order; support is asked",
        request=ReasonBody, response=OrderView, idempotent="optional", has_etag=True, roles=("technician",),
        tags=_TAGS, errors=(NotActive, WrongState),
    ),
    Route(
        "POST", _MINE + "/miss_customer", _by_worker(_miss_customer), "partner.miss_customer",
        "I am at the door and reach nobody; my wait begins",
        response=OrderView, idempotent="optional", has_etag=True, roles=("technician",), tags=_TAGS,
        errors=(NotActive, WrongState),
        description="`leave` ends the order with the penalty when more than ten minutes have passed.",
    ),
    Route(
        "POST", _MINE + "/find_customer", _by_worker(_find_customer), "partner.find_customer", "The customer has come",
        response=OrderView, idempotent="optional", has_etag=True, roles=("technician",), tags=_TAGS,
        errors=(NotActive, WrongState, NotWaiting),
    ),
    Route(
        "GET", _ADMIN + "/break_preview", break_preview, "admin_orders.break_preview",
        "What a cancel now would keep and give back",
        response=LadderView, roles=READERS, tags=_STAFF_TAGS, errors=(WrongState,),
    ),
    Route(
        "POST", _ADMIN + "/phone_cancel", _by_staff(_phone_cancel), "admin_orders.phone_cancel",
        "Record that the customer cancels by phone",
        request=NoteBody, response=OrderView, idempotent="optional", has_etag=True, roles=SUPPORT, tags=_STAFF_TAGS,
        errors=(WrongState,),
    ),
    Route(
        "POST", "/v1/admin/penalties/{penalty_id}/reversal", reverse, "admin_penalties.reverse",
        "Take a penalty back that was a mistake",
        request=ReversalBody, response=PenaltyForStaff, idempotent="required", roles=REVERSERS, tags=_STAFF_TAGS,
        errors=(PenaltyReversed, RefundOpen),
    ),
]  # fmt: skip
