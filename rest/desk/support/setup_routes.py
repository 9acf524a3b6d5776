"""The desk as those see it who set it up: hours, queues, agents, rules with a dry run, and numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import msgspec

from chat import calendars, desk
from chat.calendars import CalendarInvalid, Stored
from chat.desk.errors import (
    AgentElsewhere,
    CapBelowLoad,
    QueueInvalid,
    ReplyTemplateInvalid,
    RoutingMissing,
    RulesInvalid,
)
from rest import people
from rest.desk.conversations.readers import side_of
from rest.desk.support.setup_values import (
    AgentBody,
    CalendarBody,
    CalendarView,
    DeskStatisticsQuery,
    DeskStatisticsView,
    DryRunBody,
    DryRunView,
    QueueBody,
    QueueView,
    RulesBody,
    RulesQuery,
    RulesView,
    TriedView,
)
from rest.desk.support.values import AgentView, VerdictView
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page, PageQuery
from rest.people.tenants import find_tenant
from storage.base.errors import Malformed, NotFound, StaleVersion
from storage.tx import Tx

OPS = ("ops", "admin", "tenant_admin")
WATCH = (*OPS, "tenant_supervisor")
"""A tenant's administrators set up its own desk, its supervisors read how it is set up."""
PERIOD_MAX = timedelta(days=400)


async def create_calendar(ctx: Ctx) -> Answer:
    body: CalendarBody = ctx.body

    async def act(tx: Tx) -> Answer:
        tenant_id = await _for_tenant(tx, ctx, body.tenant_id)
        return _calendar(await calendars.create_calendar(tx, body.calendar(), name=body.name, tenant_id=tenant_id))

    return await ctx.transact(act)


async def read_calendar(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return _calendar(_own(ctx, await calendars.find_calendar(tx, ctx.path["calendar_id"])))


async def change_calendar(ctx: Ctx) -> Answer:
    body: CalendarBody = ctx.body

    async def act(tx: Tx) -> Answer:
        held = _own(ctx, await calendars.lock_calendar(tx, ctx.path["calendar_id"]))
        ctx.expect(held.version)
        return _calendar(await desk.change_hours(tx, held, body.calendar(), name=body.name))

    return await ctx.transact(act)


def _calendar(stored: Stored) -> Reply:
    week = [[[i.start_min, i.end_min] for i in day] for day in stored.calendar.week]
    overrides = {
        on.isoformat(): [[i.start_min, i.end_min] for i in day] for on, day in stored.calendar.overrides.items()
    }
    view = CalendarView(
        id=stored.id, tenant_id=stored.tenant_id, name=stored.name, zone=stored.calendar.zone, week=week,
        overrides=overrides, version=stored.version,
    )  # fmt: skip
    return Reply(view, etag=stored.version)


async def create_queue(ctx: Ctx) -> Answer:
    body: QueueBody = ctx.body

    async def act(tx: Tx) -> Answer:
        tenant_id = await _for_tenant(tx, ctx, body.tenant_id)
        await _check_refs(tx, side_of(ctx.actor), body.calendar_id, body.overflow_queue_id)
        queue = await desk.create_queue(tx, body.queue(tenant_id=tenant_id))
        return Reply(QueueView.of(queue), etag=queue.version)

    return await ctx.transact(act)


async def change_queue(ctx: Ctx) -> Answer:
    body: QueueBody = ctx.body

    async def act(tx: Tx) -> Answer:
        held = _own(ctx, await desk.lock_queue(tx, ctx.path["queue_id"]))
        ctx.expect(held.version)
        # What the platform has set (an overflow to its own queue, by contract) a tenant may keep, not choose.
        overflow_id = body.overflow_queue_id if body.overflow_queue_id != held.overflow_queue_id else None
        calendar_id = body.calendar_id if body.calendar_id != held.calendar_id else None
        await _check_refs(tx, side_of(ctx.actor), calendar_id, overflow_id)
        queue = await desk.change_queue(tx, held, body.queue())
        return Reply(QueueView.of(queue), etag=queue.version)

    return await ctx.transact(act)


async def list_queues(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await desk.queues_page(
            tx, tenant_id=side_of(ctx.actor), after=ctx.after_id, limit=query.limit + 1
        )
    return ctx.page(found, view=QueueView.of, key=lambda queue: (queue.id,))


async def set_agent(ctx: Ctx) -> Answer:
    body: AgentBody = ctx.body

    async def act(tx: Tx) -> Answer:
        account_id = ctx.path["account_id"]
        account = await people.account_of(tx, account_id)
        if side_of(ctx.actor) not in (None, account.tenant_id):
            raise NotFound
        await _check_refs(tx, account.tenant_id, body.calendar_id, None)
        settable: dict[str, Any] = {"name": body.name, "chats_max": body.chats_max, "calendar_id": body.calendar_id}
        await desk.add_agent(tx, account_id, **settable, is_supervisor=body.is_supervisor, tenant_id=account.tenant_id)
        agent = await desk.lock_agent(tx, account_id)
        if agent.tenant_id != account.tenant_id:
            raise AgentElsewhere
        await desk.change_agent(tx, agent, **settable, is_supervisor=body.is_supervisor)
        await desk.set_queues(tx, account_id, body.queue_ids)
        await desk.set_skills(tx, account_id, {one.skill: one.level for one in body.skills})
        changed = await desk.agent_of(tx, account_id)
        return Reply(AgentView.of(changed), etag=changed.version)

    return await ctx.transact(act)


async def list_agents(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await desk.agents_page(
            tx, tenant_id=side_of(ctx.actor), after=ctx.after_id, limit=query.limit + 1
        )
    return ctx.page(found, view=AgentView.of, key=lambda agent: (agent.id,))


async def publish_rules(ctx: Ctx) -> Answer:
    body: RulesBody = ctx.body

    async def act(tx: Tx) -> Answer:
        rules, tenant_id = [rule.rule() for rule in body.rules], await _for_tenant(tx, ctx, body.tenant_id)
        version = await desk.publish_rules(tx, rules, by_id=ctx.actor.account_id, over=body.over, tenant_id=tenant_id)
        return Reply(RulesView.of(version, rules), etag=version)

    return await ctx.transact(act)


async def read_rules(ctx: Ctx) -> Answer:
    query: RulesQuery = ctx.query
    async with ctx.db.begin() as tx:
        version, rules = await desk.current_rules(tx, await _for_tenant(tx, ctx, query.tenant_id))
    return Reply(RulesView.of(version, rules), etag=version)


async def dry_run(ctx: Ctx) -> Answer:
    body: DryRunBody = ctx.body

    async def act(tx: Tx) -> Answer:
        rules = None if body.rules is None else [rule.rule() for rule in body.rules]
        asked = body.request()
        if side_of(ctx.actor) is not None:
            asked = replace(asked, tenant_id=await _for_tenant(tx, ctx, body.tenant_id))
            # By its own rules: those of the platform, and who answers there, are not a tenant's to see.
            rules = rules or (await desk.current_rules(tx, asked.tenant_id))[1]
            for rule in rules:
                await _check_refs(tx, asked.tenant_id, None, rule.queue_id)
        ran = await desk.dry_run(tx, asked, customer_id=body.customer_id, rules=rules)
        return DryRunView(
            tried=[TriedView(rule=one.rule.name, unmet=list(one.unmet)) for one in ran.tried],
            queue_id=ran.queue.id,
            is_open=ran.is_open,
            kind=ran.kind.value,
            agents=[msgspec.convert(one, VerdictView, from_attributes=True) for one in ran.verdicts],
        )

    return await ctx.transact(act)


async def statistics(ctx: Ctx) -> Answer:
    query: DeskStatisticsQuery = ctx.query
    if not query.since < query.until <= query.since + PERIOD_MAX:
        raise Malformed("`until` comes after `since`, at most 400 days.")
    async with ctx.db.begin() as tx:
        found = await desk.statistics(
            tx, query.since, query.until, queue_id=query.queue_id, tenant_id=side_of(ctx.actor)
        )
    return msgspec.convert(found, DeskStatisticsView, from_attributes=True)


class Owned(Protocol):
    """What belongs to a desk."""

    @property
    def tenant_id(self) -> str | None: ...


T = TypeVar("T", bound=Owned)


def _own(ctx: Ctx, thing: T) -> T:
    """The thing, if the caller's desk may have it: the platform's may have all. Raises NotFound."""
    if side_of(ctx.actor) not in (None, thing.tenant_id):
        raise NotFound
    return thing


async def _for_tenant(tx: Tx, ctx: Ctx, tenant_id: str | None) -> str | None:
    """Whose it shall be: a tenant's staff works for its own alone. Raises NotFound."""
    if side_of(ctx.actor) is not None and tenant_id not in (None, side_of(ctx.actor)):
        raise NotFound
    wanted = side_of(ctx.actor) or tenant_id
    if wanted is not None:
        await find_tenant(tx, wanted)
    return wanted


async def _check_refs(tx: Tx, tenant_id: str | None, calendar_id: str | None, queue_id: str | None) -> None:
    """What something of a tenant's names is that tenant's too. Raises NotFound, QueueInvalid."""
    if calendar_id is not None:
        calendar = await calendars.find_calendar(tx, calendar_id)
        if tenant_id is not None and calendar.tenant_id != tenant_id:
            raise NotFound
    if queue_id is not None and tenant_id is not None and (await desk.queue_of(tx, queue_id)).tenant_id != tenant_id:
        raise QueueInvalid


_TAGS = ("desk", "admin")

ROUTES = [
    Route("POST", "/v1/admin/desk/calendars", create_calendar, "desk_calendars.create", "Make opening hours or shifts",
          request=CalendarBody, response=CalendarView, status=201, idempotent="required", has_etag=True, roles=OPS,
          tags=_TAGS, errors=(CalendarInvalid, NotFound)),
    Route("GET", "/v1/admin/desk/calendars/{calendar_id}", read_calendar, "desk_calendars.read", "Read hours",
          response=CalendarView, has_etag=True, roles=WATCH, tags=_TAGS, errors=(NotFound,)),
    Route("PUT", "/v1/admin/desk/calendars/{calendar_id}", change_calendar, "desk_calendars.change",
          "Change hours, and all that goes by them", request=CalendarBody, response=CalendarView, if_match=True,
          has_etag=True, roles=OPS, tags=_TAGS, errors=(NotFound, CalendarInvalid)),
    Route("GET", "/v1/admin/desk/queues", list_queues, "desk_queues.list", "List queues", query=PageQuery,
          response=Page[QueueView], roles=WATCH, tags=_TAGS),
    Route("POST", "/v1/admin/desk/queues", create_queue, "desk_queues.create", "Open a queue", request=QueueBody,
          response=QueueView, status=201, idempotent="required", has_etag=True, roles=OPS, tags=_TAGS,
          errors=(QueueInvalid, ReplyTemplateInvalid, NotFound)),
    Route("PUT", "/v1/admin/desk/queues/{queue_id}", change_queue, "desk_queues.change", "Change a queue",
          request=QueueBody, response=QueueView, if_match=True, has_etag=True, roles=OPS, tags=_TAGS,
          errors=(QueueInvalid, ReplyTemplateInvalid, NotFound)),
    Route("GET", "/v1/admin/desk/agents", list_agents, "desk_agents.list", "List agents", query=PageQuery,
          response=Page[AgentView], roles=WATCH, tags=_TAGS),
    Route("PUT", "/v1/admin/desk/agents/{account_id}", set_agent, "desk_agents.set", "Make or change an agent",
          request=AgentBody, response=AgentView, has_etag=True, roles=OPS, tags=_TAGS,
          errors=(NotFound, QueueInvalid, CapBelowLoad, AgentElsewhere)),
    Route("GET", "/v1/admin/desk/rules", read_rules, "desk_rules.read", "Read the routing rules", query=RulesQuery,
          response=RulesView,
          has_etag=True, roles=WATCH, tags=_TAGS, errors=(RoutingMissing, NotFound)),
    Route("PUT", "/v1/admin/desk/rules", publish_rules, "desk_rules.publish", "Put a list of rules in force",
          request=RulesBody, response=RulesView, has_etag=True, roles=OPS, tags=_TAGS,
          errors=(RulesInvalid, QueueInvalid, StaleVersion, NotFound)),
    Route("POST", "/v1/admin/desk/rules/dry_run", dry_run, "desk_rules.dry_run", "Who would get this, and why",
          request=DryRunBody, response=DryRunView, roles=WATCH, tags=_TAGS,
          errors=(RulesInvalid, QueueInvalid, RoutingMissing, NotFound)),
    Route("GET", "/v1/admin/desk/statistics", statistics, "desk_statistics.read", "A period in numbers",
          query=DeskStatisticsQuery, response=DeskStatisticsView, roles=WATCH, tags=_TAGS,
          errors=(NotFound,)),
]  # fmt: skip
