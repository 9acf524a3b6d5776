"""Cases over HTTP, for staff: the queue, taking, handing on, talking to the sides, deciding."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from chat import cases
from chat.cases import AlreadyTaken, CaseFilter, CaseNotOpen, CaseNotTaken
from rest.desk.cases import acts, deciding
from rest.desk.cases.acts import READERS, WORKERS
from rest.desk.cases.deciding import Undone
from rest.desk.cases.sides import ConsentRequired, OutcomeNotAllowed, Sides
from rest.desk.cases.values import (
    CaseContact,
    CaseDecided,
    CaseDecision,
    CaseDetail,
    CaseNote,
    CaseOpening,
    CaseQuery,
    CaseReached,
    CaseRelease,
    CaseStep,
    CaseTransfer,
    CaseView,
    DecideQuery,
    MovedView,
)
from rest.desk.conversations.readers import check_platform
from rest.edge.context import Ctx
from rest.edge.registry import Route, Routes
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page, PageQuery
from rest.money.refunds import PreviewChanged
from storage.base.errors import HubError, NotFound
from storage.tx import Tx

_AT = "/v1/admin/cases/{case_id}"
_TAGS = ("cases", "admin")


async def listing(ctx: Ctx) -> Answer:
    query: CaseQuery = ctx.query
    check_platform(ctx.actor)
    wanted = CaseFilter(
        states=tuple(query.state) if query.state else None,
        types=tuple(query.type) if query.type else None,
        subject_id=query.subject_id,
        line=query.line,
        taken_by=ctx.actor.account_id if query.mine else query.taken_by,
        priority_min=query.priority_min,
        overdue_at=ctx.now if query.overdue else None,
    )
    # A sealed cursor holds exactly what `key` of the same list put in.
    after: Any = ctx.after
    async with ctx.db.begin() as tx:
        if query.sort == "urgency":
            found = await cases.urgent_cases(tx, wanted, after=after, limit=query.limit + 1)
            return ctx.page(found, view=CaseView.of, key=lambda case: (case.priority, case.due_at, case.id))
        found = await cases.newest_cases(tx, wanted, before=after[0] if after else None, limit=query.limit + 1)
    return ctx.page(found, view=CaseView.of, key=lambda case: (case.id,))


async def history(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    check_platform(ctx.actor)
    after_n = int(str(ctx.after[0])) if ctx.after else 0
    async with ctx.db.begin() as tx:
        await cases.find_case(tx, ctx.path["case_id"])
        found = await cases.history_of(tx, ctx.path["case_id"], after_n=after_n, limit=query.limit + 1)
    return ctx.page(found, view=CaseStep.of, key=lambda event: (event.n,))


def _step(step: acts.Step) -> Callable[[Ctx], Awaitable[Answer]]:
    """One thing done to the case of the path, by who calls."""

    async def handle(ctx: Ctx) -> Answer:
        async def act(tx: Tx) -> Answer:
            case = await step(tx, ctx.actor, ctx.path["case_id"], ctx.body)
            return Reply(CaseView.of(case), etag=case.version)

        return await ctx.transact(act)

    return handle


async def contact(ctx: Ctx) -> Answer:
    return await ctx.transact(lambda tx: acts.contact(tx, ctx.actor, ctx.path["case_id"], ctx.body))


def case_routes(sides: Sides) -> Routes:
    """The routes of staff; `sides` are the business lines whose cases can be decided."""
    refusals = tuple(dict.fromkeys(refusal for side in sides.values() for refusal in side.refusals))
    return [*_reading(sides), *_holding(), *_deciding(sides, refusals)]


def _reading(sides: Sides) -> Routes:
    async def read(ctx: Ctx) -> Answer:
        check_platform(ctx.actor)
        async with ctx.db.begin() as tx:
            case = await cases.find_case(tx, ctx.path["case_id"])
            return CaseDetail.of(case, await deciding.options(tx, sides, case, ctx.actor.roles))

    return [
        Route(
            "GET", "/v1/admin/cases", listing, "cases.list", "List cases", query=CaseQuery, response=Page[CaseView],
            roles=READERS, tags=_TAGS,
        ),
        Route(
            "GET", _AT, read, "cases.read", "Read a case, and what may be decided in it now", response=CaseDetail,
            errors=(NotFound,), roles=READERS, tags=_TAGS,
        ),
        Route(
            "GET", _AT + "/history", history, "cases.history", "What was done to a case, oldest first",
            query=PageQuery, response=Page[CaseStep], errors=(NotFound,), roles=READERS, tags=_TAGS,
        ),
    ]  # fmt: skip


def _holding() -> Routes:
    return [
        Route(
            "POST", _AT + "/take", _step(acts.take), "cases.take", "I am on this case", response=CaseView,
            errors=(NotFound, AlreadyTaken, CaseNotOpen), has_etag=True, idempotent="optional", roles=WORKERS,
            tags=_TAGS,
        ),
        Route(
            "POST", _AT + "/release", _step(acts.release), "cases.release", "Nobody is on this case any more",
            request=CaseRelease, response=CaseView, errors=(NotFound, AlreadyTaken, CaseNotOpen, CaseNotTaken),
            has_etag=True, idempotent="optional", roles=WORKERS, tags=_TAGS,
            description="Who leads may release what somebody else is on.",
        ),
        Route(
            "POST", _AT + "/transfer", _step(acts.transfer), "cases.transfer", "Put a case into a colleague's hands",
            request=CaseTransfer, response=CaseView, errors=(NotFound, AlreadyTaken, CaseNotOpen), has_etag=True,
            idempotent="optional", roles=WORKERS, tags=_TAGS,
            description="An open one, one's own, and for who leads anybody's.",
        ),
        Route(
            "POST", _AT + "/notes", _step(acts.remark), "cases.remark", "Write something down for colleagues",
            request=CaseNote, response=CaseView, errors=(NotFound, CaseNotOpen), has_etag=True,
            idempotent="optional", roles=WORKERS, tags=_TAGS,
        ),
        Route(
            "POST", _AT + "/contact", contact, "cases.contact", "Turn to the customer or the worker",
            request=CaseContact, response=CaseReached, errors=(NotFound, CaseNotOpen), idempotent="optional",
            roles=WORKERS, tags=_TAGS,
            description="A chat opens, or goes on, the conversation about the order. A call is written down only: no "
            "telephone provider is connected.",
        ),
    ]  # fmt: skip


def _deciding(sides: Sides, refusals: tuple[type[HubError], ...]) -> Routes:
    async def open_by_hand(ctx: Ctx) -> Answer:
        async def act(tx: Tx) -> Answer:
            case = await acts.open_by_hand(tx, sides, ctx.actor, ctx.body)
            return Reply(CaseView.of(case), etag=case.version, location=f"/v1/admin/cases/{case.id}")

        return await ctx.transact(act)

    async def decide(ctx: Ctx) -> Answer:
        body: CaseDecision = ctx.body
        query: DecideQuery = ctx.query
        case_id = ctx.path["case_id"]
        word = acts.word_of(ctx.actor, body)

        async def act(tx: Tx) -> Answer:
            if query.dry_run:
                await deciding.preview(tx, sides, case_id, word)
            case, moved = await deciding.decide(tx, sides, case_id, word, shown=body.preview_hash)
            return CaseDecided(case=CaseView.of(case), moved=MovedView.of(case_id, word.outcome, moved))

        try:
            return await ctx.transact(act)
        except Undone as undone:
            async with ctx.db.begin() as tx:
                case = await cases.find_case(tx, case_id)
            return CaseDecided(case=CaseView.of(case), moved=MovedView.of(case_id, word.outcome, undone.moved))

    return [
        Route(
            "POST", "/v1/admin/cases", open_by_hand, "cases.open", "Open a case by hand", request=CaseOpening,
            response=CaseView, status=201, errors=(NotFound,), has_etag=True, idempotent="optional", roles=WORKERS,
            tags=_TAGS, description="While one that was opened by hand is open, that one is the answer.",
        ),
        Route(
            "POST", _AT + "/decide", decide, "cases.decide", "Decide a case", query=DecideQuery, request=CaseDecision,
            response=CaseDecided, idempotent="required", roles=WORKERS, tags=_TAGS,
            errors=(
                NotFound, AlreadyTaken, CaseNotOpen, OutcomeNotAllowed, ConsentRequired, PreviewChanged, *refusals,
            ),
            description="What is decided is done to the order in the transaction that closes the case. What may be "
            "decided now, and with which `params`, says the case itself.",
        ),
    ]  # fmt: skip
