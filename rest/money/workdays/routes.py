"""Working days over HTTP: finance writes holidays down."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Body, Line, Query
from rest.money.workdays import actions, store
from storage.base.errors import NotFound
from storage.tx import Tx

FINANCE = ("finance", "admin")


class OddDayBody(Body, frozen=True, kw_only=True):
    """Whether the day is worked, and why it is not what its weekday says."""

    works: bool
    note: Line


class OddDayQuery(Query, frozen=True, kw_only=True):
    """Which year."""

    year: Annotated[int, Meta(ge=2000, le=2200)]


class OddDayView(msgspec.Struct, frozen=True, kw_only=True):
    """A day that is not what its weekday says."""

    day: str
    works: bool
    note: str
    changed_by: str
    changed_at: datetime

    @classmethod
    def of(cls, row: Any) -> OddDayView:  # noqa: ANN401 - a row
        return cls(**{**row, "day": row["day"].isoformat()})


class OddDays(msgspec.Struct, frozen=True, kw_only=True):
    """All of a year."""

    data: list[OddDayView]


def _day(ctx: Ctx) -> date:
    """Raises NotFound: there is no such day."""
    try:
        return date.fromisoformat(ctx.path["day"])
    except ValueError:
        raise NotFound from None


async def list_year(ctx: Ctx) -> Answer:
    query: OddDayQuery = ctx.query
    first = date(query.year, 1, 1)
    async with ctx.db.look() as tx:
        found = await store.odd_days(tx, first, first.replace(month=12, day=31))
    return OddDays(data=[OddDayView.of(row) for row in found])


async def put(ctx: Ctx) -> Answer:
    body: OddDayBody = ctx.body
    day, by_id = _day(ctx), ctx.actor.account_id

    async def act(tx: Tx) -> Answer:
        await actions.put(tx, day, works=body.works, note=body.note, by_id=by_id)
        return Reply(_view(day, body, by_id, tx.now))

    return await ctx.transact(act)


def _view(day: date, body: OddDayBody, by_id: str, at: datetime) -> OddDayView:
    return OddDayView(day=day.isoformat(), works=body.works, note=body.note, changed_by=by_id, changed_at=at)


async def forget(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        await actions.forget(tx, _day(ctx), by_id=ctx.actor.account_id)
        return Reply(None)

    return await ctx.transact(act)


_TAGS = ("payments", "admin")

ROUTES = [
    Route(
        "GET", "/v1/admin/odd_days", list_year, "odd_days.list",
        "The holidays of a year, and the weekends worked for them",
        query=OddDayQuery, response=OddDays, roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "PUT", "/v1/admin/odd_days/{day}", put, "odd_days.put", "Say that a day is a holiday, or is worked",
        request=OddDayBody, response=OddDayView, roles=FINANCE, tags=_TAGS, errors=(NotFound,),
    ),
    Route(
        "DELETE", "/v1/admin/odd_days/{day}", forget, "odd_days.forget", "Let a day be what its weekday says",
        status=204, roles=FINANCE, tags=_TAGS, errors=(NotFound,),
    ),
]  # fmt: skip
