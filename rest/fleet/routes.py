"""Reading dispatch over HTTP: open calls and, for each, every candidate with the reason."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

import dispatch
from dispatch.candidates import Candidacy
from dispatch.model import Call, CallNotFound, CallStatus
from dispatch.store import calls as store
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page, PageQuery
from storage.tx import Tx

STAFF = ("support", "ops", "admin")


class CallQuery(PageQuery, frozen=True, kw_only=True):
    """`status` as a comma-separated list; the pool by default."""

    status: Annotated[str, Meta(max_length=80, pattern=r"^[a-z]+(,[a-z]+)*$")] = "open,paused,locked"


class CallView(msgspec.Struct, frozen=True, kw_only=True):
    """A call as operations see it. `ring_m` is how far its waves have come."""

    id: str
    subject_kind: str
    subject_id: str
    mode: str
    service: str
    area_code: str
    lon: float
    lat: float
    start_at: datetime
    status: str
    epoch: int
    wave: int
    ring_m: int
    worker_id: str | None
    locked_until: datetime | None
    created_at: datetime
    version: int

    @classmethod
    def of(cls, call: Call) -> CallView:
        return cls(
            id=call.id,
            subject_kind=call.subject_kind,
            subject_id=call.subject_id,
            mode=call.mode,
            service=call.service,
            area_code=call.area_code,
            lon=round(call.point.lon, 6),
            lat=round(call.point.lat, 6),
            start_at=call.start_at,
            status=call.status,
            epoch=call.epoch,
            wave=call.wave,
            ring_m=call.ring_m,
            worker_id=call.worker_id,
            locked_until=call.locked_until,
            created_at=call.created_at,
            version=call.version,
        )


class CandidateView(msgspec.Struct, frozen=True, kw_only=True):
    """One worker with regard to one call: offered (when, in which wave, how it stands) or why not."""

    worker_id: str
    display_name: str
    distance_m: int | None
    offered: bool
    reason: str | None
    wave: int | None
    epoch: int | None
    offer_id: str | None
    offer_state: str | None
    grab_state: str | None

    @classmethod
    def of(cls, found: Candidacy) -> CandidateView:
        offer = found.offer
        return cls(
            worker_id=found.worker_id,
            display_name=found.display_name,
            distance_m=None if found.distance_m is None else round(found.distance_m),
            offered=found.offered,
            reason=found.reason,
            wave=offer.wave if offer else None,
            epoch=offer.epoch if offer else None,
            offer_id=offer.id if offer else None,
            offer_state=offer.state if offer else None,
            grab_state=found.grab_state,
        )


class Candidates(msgspec.Struct, frozen=True):
    """The candidates of a call, nearest first, at most 200."""

    call: CallView
    data: list[CandidateView]


async def list_calls(ctx: Ctx) -> Answer:
    wanted: CallQuery = ctx.query
    known = [status for status in wanted.status.split(",") if status in set(CallStatus)]
    after = ctx.after

    async def read(tx: Tx) -> list[Call]:
        position = (after[0], after[1]) if after else None
        return await store.listed(tx, known, after=position, limit=wanted.limit + 1)  # type: ignore[arg-type]  # sealed by us

    rows = await ctx.db.run(read)
    return ctx.page(rows, view=CallView.of, key=lambda call: (call.created_at, call.id))


async def get_call(ctx: Ctx) -> Answer:
    call = await ctx.db.run(dispatch.get_call, ctx.path["call_id"])
    return Reply(CallView.of(call), etag=call.version)


async def list_candidates(ctx: Ctx) -> Answer:
    async def read(tx: Tx) -> Candidates:
        call = await dispatch.get_call(tx, ctx.path["call_id"])
        found = await dispatch.candidates(tx, call.id)
        return Candidates(CallView.of(call), [CandidateView.of(one) for one in found])

    return await ctx.db.run(read)


ROUTES = (
    Route(
        "GET", "/v1/calls", list_calls, "calls.list", "Calls in the pool, oldest first",
        query=CallQuery, response=Page[CallView], roles=STAFF, tags=("dispatch",),
    ),
    Route(
        "GET", "/v1/calls/{call_id}", get_call, "calls.get", "One call",
        response=CallView, roles=STAFF, errors=(CallNotFound,), has_etag=True, tags=("dispatch",),
    ),
    Route(
        "GET", "/v1/calls/{call_id}/candidates", list_candidates, "calls.candidates",
        "Every candidate of a call: offered or not, and why",
        response=Candidates, roles=STAFF, errors=(CallNotFound,), tags=("dispatch",),
    ),
)  # fmt: skip
