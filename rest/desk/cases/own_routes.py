"""One's own cases over HTTP: how they stand and what came of them (HS-196)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import dispatch
from chat import cases
from chat.cases import CaseFilter
from rest.desk.cases.values import OwnCase, OwnCaseQuery
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Page
from storage.base.errors import NotFound
from storage.tx import Tx

Party = Callable[[Tx, Ctx], Awaitable[str]]


async def _customer(_tx: Tx, ctx: Ctx) -> str:
    return f"customer:{ctx.actor.account_id}"


async def _worker(tx: Tx, ctx: Ctx) -> str:
    worker = await dispatch.worker_of(tx, ctx.actor.account_id)
    return f"worker:{worker.id if worker is not None else ''}"


def _list(party: Party) -> Callable[[Ctx], Awaitable[Answer]]:
    async def handle(ctx: Ctx) -> Answer:
        query: OwnCaseQuery = ctx.query
        async with ctx.db.begin() as tx:
            wanted = CaseFilter(
                states=tuple(query.state) if query.state else None,
                subject_id=query.subject_id,
                party=await party(tx, ctx),
            )
            found = await cases.newest_cases(tx, wanted, before=ctx.before_id, limit=query.limit + 1)
        return ctx.page(found, view=OwnCase.of, key=lambda case: (case.id,))

    return handle


def _read(party: Party) -> Callable[[Ctx], Awaitable[Answer]]:
    async def handle(ctx: Ctx) -> Answer:
        async with ctx.db.begin() as tx:
            case = await cases.find_case(tx, ctx.path["case_id"])
            if await party(tx, ctx) not in case.parties:
                raise NotFound
        return OwnCase.of(case)

    return handle


_TAGS = ("cases",)

ROUTES = [
    Route(
        "GET", "/v1/cases", _list(_customer), "my_cases.list", "What support is asked about my orders",
        query=OwnCaseQuery, response=Page[OwnCase], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/cases/{case_id}", _read(_customer), "my_cases.read", "One of my cases", response=OwnCase,
        errors=(NotFound,), tags=_TAGS,
    ),
    Route(
        "GET", "/v1/partner/cases", _list(_worker), "partner_cases.list", "What support is asked about my work",
        query=OwnCaseQuery, response=Page[OwnCase], roles=("technician",), tags=_TAGS,
    ),
    Route(
        "GET", "/v1/partner/cases/{case_id}", _read(_worker), "partner_cases.read", "One of my cases",
        response=OwnCase, errors=(NotFound,), roles=("technician",), tags=_TAGS,
    ),
]  # fmt: skip
