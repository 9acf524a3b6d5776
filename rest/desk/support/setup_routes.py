"""The desk as those see it who set it up: hours, queues, agents, rules with a dry run, and numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from chat import calendars, desk
from chat.calendars import CalendarInvalid, Stored
from chat.desk.errors import CapBelowLoad, QueueInvalid, RoutingMissing, RulesInvalid
from rest import people
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
    RulesView,
    TriedView,
)
from rest.desk.support.values import AgentView, VerdictView
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page, PageQuery
from storage.base.errors import Malformed, NotFound, StaleVersion
from storage.tx import Tx

OPS = ("ops", "admin")
PERIOD_MAX = timedelta(days=400)


async def create_calendar(ctx: Ctx) -> Answer:
    body: CalendarBody = ctx.body

    async def act(tx: Tx) -> Answer:
        return _calendar(await calendars.create_calendar(tx, body.calendar(), name=body.name))

    return await ctx.transact(act)


async def read_calendar(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return _calendar(await calendars.find_calendar(tx, ctx.path["calendar_id"]))


async def change_calendar(ctx: Ctx) -> Answer:
    body: CalendarBody = ctx.body

    async def act(tx: Tx) -> Answer:
        held = await calendars.lock_calendar(tx, ctx.path["calendar_id"])
        ctx.expect(held.version)
        return _calendar(await desk.change_hours(tx, held, body.calendar(), name=body.name))

    return await ctx.transact(act)


def _calendar(stored: Stored) -> Reply:
    week = [[[i.start_min, i.end_min] for i in day] for day in stored.calendar.week]
    overrides = {
        on.isoformat(): [[i.start_min, i.end_min] for i in day] for on, day in stored.calendar.overrides.items()
    }
    view = CalendarView(
        id=stored.id, name=stored.name, zone=stored.calendar.zone, week=week, overrides=overrides,
        version=stored.version,
    )  # fmt: skip
    return Reply(view, etag=stored.version)


async def create_queue(ctx: Ctx) -> Answer:
    body: QueueBody = ctx.body

    async def act(tx: Tx) -> Answer:
        queue = await desk.create_queue(tx, body.queue())
        return Reply(QueueView.of(queue), etag=queue.version)

    return await ctx.transact(act)


async def change_queue(ctx: Ctx) -> Answer:
    body: QueueBody = ctx.body

    async def act(tx: Tx) -> Answer:
        held = await desk.lock_queue(tx, ctx.path["queue_id"])
        ctx.expect(held.version)
        queue = await desk.change_queue(tx, held, body.queue())
        return Reply(QueueView.of(queue), etag=queue.version)

    return await ctx.transact(act)


async def list_queues(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await desk.queues_page(tx, after=str(ctx.after[0]) if ctx.after else "", limit=query.limit + 1)
    return ctx.page(found, view=QueueView.of, key=lambda queue: (queue.id,))


async def set_agent(ctx: Ctx) -> Answer:
    body: AgentBody = ctx.body

    async def act(tx: Tx) -> Answer:
        account_id = ctx.path["account_id"]
        await people.account_of(tx, account_id)
        if body.calendar_id is not None:
            await calendars.find_calendar(tx, body.calendar_id)
        settable: dict[str, Any] = {"name": body.name, "chats_max": body.chats_max, "calendar_id": body.calendar_id}
        await desk.add_agent(tx, account_id, **settable, is_supervisor=body.is_supervisor)
        agent = await desk.lock_agent(tx, account_id)
        await desk.change_agent(tx, agent, **settable, is_supervisor=body.is_supervisor)
        await desk.set_queues(tx, account_id, body.queue_ids)
        await desk.set_skills(tx, account_id, {one.skill: one.level for one in body.skills})
        changed = await desk.agent_of(tx, account_id)
        return Reply(AgentView.of(changed), etag=changed.version)

    return await ctx.transact(act)


async def list_agents(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await desk.agents_page(tx, after=str(ctx.after[0]) if ctx.after else "", limit=query.limit + 1)
    return ctx.page(found, view=AgentView.of, key=lambda agent: (agent.id,))


async def publish_rules(ctx: Ctx) -> Answer:
    body: RulesBody = ctx.body

    async def act(tx: Tx) -> Answer:
        rules = [rule.rule() for rule in body.rules]
        version = await desk.publish_rules(tx, rules, by_id=ctx.actor.account_id, over=body.over)
        return Reply(RulesView.of(version, rules), etag=version)

    return await ctx.transact(act)


async def read_rules(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        version, rules = await desk.current_rules(tx)
    return Reply(RulesView.of(version, rules), etag=version)


async def dry_run(ctx: Ctx) -> Answer:
    body: DryRunBody = ctx.body

    async def act(tx: Tx) -> Answer:
        rules = None if body.rules is None else [rule.rule() for rule in body.rules]
        ran = await desk.dry_run(tx, body.request(), customer_id=body.customer_id, rules=rules)
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
        found = await desk.statistics(tx, query.since, query.until, queue_id=query.queue_id)
    return msgspec.convert(found, DeskStatisticsView, from_attributes=True)


_TAGS = ("desk", "admin")

ROUTES = [
    Route("POST", "/v1/admin/desk/calendars", create_calendar, "desk_calendars.create", "Make opening hours or shifts",
          request=CalendarBody, response=CalendarView, status=201, idempotent="required", has_etag=True, roles=OPS,
          tags=_TAGS, errors=(CalendarInvalid,)),
    Route("GET", "/v1/admin/desk/calendars/{calendar_id}", read_calendar, "desk_calendars.read", "Read hours",
          response=CalendarView, has_etag=True, roles=OPS, tags=_TAGS, errors=(NotFound,)),
    Route("PUT", "/v1/admin/desk/calendars/{calendar_id}", change_calendar, "desk_calendars.change",
          "Change hours, and all that goes by them", request=CalendarBody, response=CalendarView, if_match=True,
          has_etag=True, roles=OPS, tags=_TAGS, errors=(NotFound, CalendarInvalid)),
    Route("GET", "/v1/admin/desk/queues", list_queues, "desk_queues.list", "List queues", query=PageQuery,
          response=Page[QueueView], roles=OPS, tags=_TAGS),
    Route("POST", "/v1/admin/desk/queues", create_queue, "desk_queues.create", "Open a queue", request=QueueBody,
          response=QueueView, status=201, idempotent="required", has_etag=True, roles=OPS, tags=_TAGS,
          errors=(QueueInvalid, NotFound)),
    Route("PUT", "/v1/admin/desk/queues/{queue_id}", change_queue, "desk_queues.change", "Change a queue",
          request=QueueBody, response=QueueView, if_match=True, has_etag=True, roles=OPS, tags=_TAGS,
          errors=(QueueInvalid, NotFound)),
    Route("GET", "/v1/admin/desk/agents", list_agents, "desk_agents.list", "List agents", query=PageQuery,
          response=Page[AgentView], roles=OPS, tags=_TAGS),
    Route("PUT", "/v1/admin/desk/agents/{account_id}", set_agent, "desk_agents.set", "Make or change an agent",
          request=AgentBody, response=AgentView, has_etag=True, roles=OPS, tags=_TAGS,
          errors=(NotFound, QueueInvalid, CapBelowLoad)),
    Route("GET", "/v1/admin/desk/rules", read_rules, "desk_rules.read", "Read the routing rules", response=RulesView,
          has_etag=True, roles=OPS, tags=_TAGS, errors=(RoutingMissing,)),
    Route("PUT", "/v1/admin/desk/rules", publish_rules, "desk_rules.publish", "Put a list of rules in force",
          request=RulesBody, response=RulesView, has_etag=True, roles=OPS, tags=_TAGS,
          errors=(RulesInvalid, QueueInvalid, StaleVersion)),
    Route("POST", "/v1/admin/desk/rules/dry_run", dry_run, "desk_rules.dry_run", "Who would get this, and why",
          request=DryRunBody, response=DryRunView, roles=OPS, tags=_TAGS,
          errors=(RulesInvalid, QueueInvalid, RoutingMissing)),
    Route("GET", "/v1/admin/desk/statistics", statistics, "desk_statistics.read", "A period in numbers",
          query=DeskStatisticsQuery, response=DeskStatisticsView, roles=OPS, tags=_TAGS),
]  # fmt: skip
