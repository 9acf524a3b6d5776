"""What an agent looks at beside a conversation, in one read; and quick replies with their variables filled in."""

from __future__ import annotations

from datetime import datetime

import msgspec

from chat import cases, desk
from chat.cases import CaseFilter
from chat.conversations import MembersOnly
from chat.desk import Thread
from rest import people
from rest.desk.cases.values import CaseView
from rest.desk.conversations.readers import PLATFORM, TENANT, seen_by, side_of
from rest.desk.support import acts
from rest.desk.support.subjects import SUBJECTS, SubjectCard
from rest.desk.support.values import ThreadView
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from storage.base.clock import wall_time
from storage.base.errors import NotFound
from storage.tx import Tx

STAFF = (*PLATFORM, "ops", *TENANT)
FORMER_MAX = 10
CASES_MAX = 20


class ContextCustomer(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    nickname: str
    phone_masked: str


class PromiseView(msgspec.Struct, frozen=True, kw_only=True):
    """A promise of time that runs or is paused. `warned`: how much of it is gone, 50, 80 or 100 percent."""

    kind: str
    state: str
    due_at: datetime | None
    warned: int


class ContextView(msgspec.Struct, frozen=True, kw_only=True):
    """All of it as of one instant. `subject`: null where it is about nothing, or about what no line shows."""

    thread: ThreadView
    customer: ContextCustomer | None
    subject: SubjectCard | None
    promises: list[PromiseView]
    cases: list[CaseView]
    former: list[ThreadView]


class RenderedReply(msgspec.Struct, frozen=True, kw_only=True):
    """`missing`: variables nobody knows here; they stand in the text as they are written, for the agent to see."""

    text: str
    missing: list[str]


async def context(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        thread = await acts.seen(tx, ctx.actor, ctx.path["conversation_id"])
        about = await desk.subject_of(tx, thread)
        return ContextView(
            thread=ThreadView.of(thread),
            customer=await _customer(tx, thread),
            subject=await _subject(ctx, tx, about),
            promises=[
                PromiseView(kind=one.kind.value, state=one.state.value, due_at=one.due_at, warned=one.warned)
                for one in await desk.promises_of(tx, thread.conversation_id)
            ],
            cases=await _cases(ctx, tx, about[1]),
            former=await _former(ctx, tx, thread),
        )


async def _customer(tx: Tx, thread: Thread) -> ContextCustomer | None:
    try:
        account = await people.account_of(tx, thread.customer_id)
    except NotFound:
        return None
    return ContextCustomer(id=account.id, nickname=account.nickname, phone_masked=people.mask_phone(account.phone))


async def _subject(ctx: Ctx, tx: Tx, about: tuple[str | None, str | None]) -> SubjectCard | None:
    kind, subject_id = about
    read = ctx.app.get(SUBJECTS, {}).get(kind or "")
    return None if read is None or subject_id is None else await read(tx, subject_id)


async def _cases(ctx: Ctx, tx: Tx, subject_id: str | None) -> list[CaseView]:
    """Cases are decided by the platform: a tenant does not see them here."""
    if side_of(ctx.actor) is not None or subject_id is None:
        return []
    wanted = CaseFilter(states=None, types=None, subject_id=subject_id)
    return [CaseView.of(case) for case in await cases.newest_cases(tx, wanted, limit=CASES_MAX)]


async def _former(ctx: Ctx, tx: Tx, thread: Thread) -> list[ThreadView]:
    """The customer's other threads at this desk, newest first."""
    found = await desk.threads_page(
        tx, customer_id=thread.customer_id, tenant_id=side_of(ctx.actor), seen_by=seen_by(ctx.actor),
        limit=FORMER_MAX + 1,
    )  # fmt: skip
    return [ThreadView.of(one) for one in found if one.conversation_id != thread.conversation_id][:FORMER_MAX]


async def render(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        reply = await desk.find_reply(tx, ctx.path["reply_id"])
        owners = {"platform": "", "tenant": side_of(ctx.actor), "own": ctx.actor.account_id}
        if reply.owner_id != owners[reply.scope]:
            raise NotFound
        values = await _values(ctx, tx, await acts.seen(tx, ctx.actor, ctx.path["conversation_id"]))
    return RenderedReply(text=desk.render(reply.body, values), missing=desk.missing(reply.body, values))


async def _values(ctx: Ctx, tx: Tx, thread: Thread) -> dict[str, str]:
    """What is known here of the variables of a quick reply."""
    customer, card = await _customer(tx, thread), await _subject(ctx, tx, await desk.subject_of(tx, thread))
    due = [one.due_at for one in await desk.promises_of(tx, thread.conversation_id) if one.due_at is not None]
    queue = await desk.queue_of(tx, thread.queue_id)
    try:
        agent_name = (await acts.me(tx, ctx.actor)).name
    except NotFound:
        agent_name = ""
    known = {
        "customer_name": customer.nickname if customer else "",
        "agent_name": agent_name,
        "order_no": card.no if card else "",
        "ticket_no": thread.number or "",
        "queue_name": queue.name,
        "due_at": wall_time(min(due)) if due else "",
    }
    return {name: value for name, value in known.items() if value}


_TAGS = ("desk",)

ROUTES = [
    Route("GET", "/v1/desk/threads/{conversation_id}/context", context, "desk.context",
          "What an agent looks at beside it: order, customer, promises, cases, former threads", response=ContextView,
          roles=STAFF, tags=_TAGS, errors=(NotFound, MembersOnly)),
    Route("GET", "/v1/desk/threads/{conversation_id}/quick_replies/{reply_id}", render, "quick_replies.render",
          "A quick reply for this conversation, its variables filled in", response=RenderedReply, roles=STAFF,
          tags=_TAGS, errors=(NotFound, MembersOnly)),
]  # fmt: skip
