"""What a console shows beside the thread that is open: who is here, how the lines stand, what is promised, names."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from chat import desk
from rest import people
from rest.desk.conversations.readers import PLATFORM, TENANT, is_supervisor, side_of
from rest.desk.support.values import BoardView
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Query

STAFF = (*PLATFORM, "ops", *TENANT)

_Ref = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]


class ColleagueView(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as colleagues see him. `cap`, `load`, `over_units`: four a chat, one a ticket."""

    id: str
    name: str
    is_supervisor: bool
    calendar_id: str | None
    state: str
    is_present: bool
    is_on_duty: bool
    cap: int
    load: int
    over_units: int

    @classmethod
    def of(cls, agent: desk.Agent, now: datetime) -> Self:
        return cls(
            id=agent.id,
            name=agent.name,
            is_supervisor=agent.is_supervisor,
            calendar_id=agent.calendar_id,
            state=agent.state.value,
            is_present=agent.is_present(now),
            is_on_duty=agent.is_on_duty(now),
            cap=agent.cap,
            load=agent.load,
            over_units=agent.over_units,
        )


class DeskDueView(msgspec.Struct, frozen=True, kw_only=True):
    """A promise that runs: first_reply, next_reply or resolve, and until when."""

    conversation_id: str
    kind: str
    due_at: datetime
    warned: int
    is_broken: bool


class DeskOfferView(msgspec.Struct, frozen=True, kw_only=True):
    """What I am asked and have not answered."""

    assignment_id: str
    conversation_id: str
    reason: str
    expires_at: datetime


class DeskFloorView(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    agents: list[ColleagueView]
    queues: list[BoardView]
    promises: list[DeskDueView]
    offers: list[DeskOfferView]

    @classmethod
    def of(cls, floor: desk.Floor) -> Self:
        return cls(
            at=floor.at,
            agents=[ColleagueView.of(agent, floor.at) for agent in floor.agents],
            queues=[msgspec.convert(board, BoardView, from_attributes=True) for board in floor.boards],
            promises=[msgspec.convert(due, DeskDueView, from_attributes=True) for due in floor.promises],
            offers=[msgspec.convert(offer, DeskOfferView, from_attributes=True) for offer in floor.offers],
        )


class NamesQuery(Query, frozen=True, kw_only=True):
    """Comma-separated accounts."""

    ids: Annotated[list[_Ref], Meta(min_length=1, max_length=100)]


class DeskNameView(msgspec.Struct, frozen=True, kw_only=True):
    """What to call somebody; the phone number is never shown whole."""

    id: str
    name: str
    phone_masked: str


class DeskNamesView(msgspec.Struct, frozen=True):
    data: list[DeskNameView]


async def floor(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        found = await desk.floor_of(
            tx, ctx.actor.account_id, tenant_id=side_of(ctx.actor), sees_all=is_supervisor(ctx.actor)
        )
    return DeskFloorView.of(found)


async def names(ctx: Ctx) -> Answer:
    """Of those that exist, in the order asked for; a tenant knows its own customers."""
    query: NamesQuery = ctx.query
    side = side_of(ctx.actor)
    async with ctx.db.begin() as tx:
        known = query.ids if side is None else await desk.customers_among(tx, query.ids, tenant_id=side)
        found = await people.accounts_of(tx, [one for one in query.ids if one in known])
    return DeskNamesView(
        [DeskNameView(id=one.id, name=one.nickname, phone_masked=people.mask_phone(one.phone)) for one in found]
    )


_TAGS = ("desk",)

ROUTES = [
    Route("GET", "/v1/desk/floor", floor, "desk.floor", "Who is here and how the lines stand", response=DeskFloorView,
          roles=STAFF, tags=_TAGS),
    Route("GET", "/v1/desk/names", names, "desk.names", "What to call people", query=NamesQuery, response=DeskNamesView,
          roles=STAFF, tags=_TAGS),
]  # fmt: skip
