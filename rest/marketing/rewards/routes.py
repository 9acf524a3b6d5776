"""Rules of rewards over HTTP, for ops."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Body
from rest.marketing.rewards import actions, store
from rest.marketing.rewards.model import Event, RewardRuleInvalid, Rule
from storage.tx import Tx

OPS = ("ops", "admin")

EventName = Literal["order_completed", "review", "referral", "task", "check_in", "activity"]
LineName = Literal["", "homeservice", "freight", "rv", "ebike", "mall"]


class RewardRuleBody(Body, frozen=True, kw_only=True):
    """What an event gives from now on. Points for the event itself and for each 100 yuan paid and kept, at most
    `points_max`; they may be spent after `pending_s` and live for `valid_days` then, or for ever."""

    event: EventName
    line: LineName = ""
    active: bool = True
    fixed: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    per_100_yuan: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    points_max: Annotated[int, Meta(ge=1, le=1_000_000_000)]
    pending_s: Annotated[int, Meta(ge=0, le=31_536_000)]
    valid_days: Annotated[int, Meta(ge=1, le=3_650)] | None = None


class RewardRuleView(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a rule, and who made it."""

    event: str
    line: str
    version: int
    active: bool
    fixed: int
    per_100_yuan: int
    points_max: int
    pending_s: int
    valid_days: int | None
    changed_by: str
    created_at: datetime

    @classmethod
    def of(cls, rule: Rule) -> RewardRuleView:
        return cls(
            event=rule.event.value,
            line=rule.line,
            version=rule.version,
            active=rule.active,
            fixed=rule.fixed,
            per_100_yuan=rule.per_100_yuan,
            points_max=rule.points_max,
            pending_s=rule.pending_s,
            valid_days=rule.valid_days,
            changed_by=rule.changed_by,
            created_at=rule.created_at,
        )


class RewardRules(msgspec.Struct, frozen=True, kw_only=True):
    """The version in force of every event and line that has one."""

    data: list[RewardRuleView]


async def list_rules(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        found = await store.rules(tx)
    return RewardRules(data=[RewardRuleView.of(rule) for rule in found])


async def set_rule(ctx: Ctx) -> Answer:
    body: RewardRuleBody = ctx.body

    async def act(tx: Tx) -> Answer:
        made = await actions.set_rule(
            tx,
            event=Event(body.event),
            line=body.line,
            active=body.active,
            fixed=body.fixed,
            per_100_yuan=body.per_100_yuan,
            points_max=body.points_max,
            pending_s=body.pending_s,
            valid_days=body.valid_days,
            by_id=ctx.actor.account_id,
        )
        return RewardRuleView.of(made)

    return await ctx.transact(act)


ROUTES = [
    Route(
        "GET", "/v1/admin/reward_rules", list_rules, "reward_rules.list", "What people get points for",
        response=RewardRules, roles=OPS, tags=("points", "admin"),
    ),
    Route(
        "POST", "/v1/admin/reward_rules", set_rule, "reward_rules.set", "Say what an event gives from now on",
        request=RewardRuleBody, response=RewardRuleView, status=201, idempotent="required", roles=OPS,
        tags=("points", "admin"), errors=(RewardRuleInvalid,),
        description="Versions are never changed: what was given by one is taken back by the same one.",
    ),
]  # fmt: skip
