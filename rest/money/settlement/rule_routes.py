"""The rules of settlements over HTTP: finance reads all versions and publishes new ones."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Amount, Body, Line, Money, Page, PageQuery, Version, exactly
from rest.money import settlement
from rest.money.settlement import store
from rest.money.settlement.model import RuleInvalid, SplitVersionTaken
from rest.money.settlement.split import TERMS, Part, Rule
from rest.money.settlement.store import PublishedRule
from storage.tx import Tx

FINANCE = ("finance", "admin")

RuleName = Annotated[str, Meta(pattern=exactly("[a-z][a-z0-9_]{0,31}"), examples=["homeservice"])]
Term = Annotated[str, Meta(pattern=exactly("-?(" + "|".join(TERMS) + ")"), examples=["item", "-coupon"])]


class RulePartBody(Body, frozen=True, kw_only=True):
    """One part of a rule. `bps` null: the order's own rate. A term with a minus sign is taken away."""

    kind: RuleName
    party: Literal["worker", "channel", "platform"]
    bps: Annotated[int, Meta(ge=0, le=10_000)] | None = 0
    of: Annotated[list[Term], Meta(max_length=16)] = msgspec.field(default_factory=list)
    whole: Annotated[list[Term], Meta(max_length=16)] = msgspec.field(default_factory=list)
    fixed: Amount | None = None
    cap: Amount | None = None

    def part(self) -> Part:
        return Part(
            kind=self.kind,
            party=self.party,
            bps=self.bps,
            of=tuple(self.of),
            whole=tuple(self.whole),
            fixed_fen=0 if self.fixed is None else self.fixed.amount,
            cap_fen=None if self.cap is None else self.cap.amount,
        )


class RuleBody(Body, frozen=True, kw_only=True):
    """A new version of a line's rule; the last part is the platform's and is what remains of the others."""

    line: RuleName
    version: Version
    parts: Annotated[list[RulePartBody], Meta(min_length=1, max_length=16)]
    note: Line


class RulePartView(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a rule."""

    kind: str
    party: str
    bps: int | None
    of: list[str]
    whole: list[str]
    fixed: Money
    cap: Money | None

    @classmethod
    def of_part(cls, part: Part) -> RulePartView:
        return cls(
            kind=part.kind,
            party=part.party,
            bps=part.bps,
            of=list(part.of),
            whole=list(part.whole),
            fixed=Money(part.fixed_fen),
            cap=None if part.cap_fen is None else Money(part.cap_fen),
        )


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a line's rule; it never changes."""

    line: str
    version: int
    parts: list[RulePartView]
    note: str
    by: str | None
    at: datetime

    @classmethod
    def of(cls, found: PublishedRule) -> RuleView:
        return cls(
            line=found.rule.line,
            version=found.rule.version,
            parts=[RulePartView.of_part(part) for part in found.rule.parts],
            note=found.note,
            by=found.by_id,
            at=found.at,
        )


class RuleQuery(PageQuery, frozen=True, kw_only=True):
    """Of which line."""

    line: RuleName | None = None


async def list_rules(ctx: Ctx) -> Answer:
    query: RuleQuery = ctx.query
    async with ctx.db.begin() as tx:
        before = (str(ctx.after[0]), int(ctx.after[1])) if ctx.after else None  # type: ignore[arg-type]  # our own key
        found = await store.rules(tx, line=query.line, before=before, limit=query.limit + 1)
    return ctx.page(found, view=RuleView.of, key=lambda one: (one.rule.line, one.rule.version))


async def publish_rule(ctx: Ctx) -> Answer:
    body: RuleBody = ctx.body
    try:
        rule = Rule(line=body.line, version=body.version, parts=tuple(part.part() for part in body.parts))
    except ValueError as fault:
        raise RuleInvalid(reason=str(fault)) from None

    async def act(tx: Tx) -> Answer:
        await settlement.publish(tx, rule, note=body.note, by=ctx.actor.account_id)
        return RuleView.of(PublishedRule(rule=rule, note=body.note, by_id=ctx.actor.account_id, at=tx.now))

    return await ctx.transact(act)


ROUTES = [
    Route(
        "GET", "/v1/admin/split_rules", list_rules, "split_rules.list", "Rules by line, the newest version first",
        query=RuleQuery, response=Page[RuleView], roles=FINANCE, tags=("settlements", "admin"),
    ),
    Route(
        "POST", "/v1/admin/split_rules", publish_rule, "split_rules.publish", "Publish a version of a line's rule",
        request=RuleBody, response=RuleView, status=201, idempotent="required", roles=FINANCE,
        tags=("settlements", "admin"),
        errors=(RuleInvalid, SplitVersionTaken),
        description="New orders follow it once the line's setting names it; orders that are there keep theirs.",
    ),
]  # fmt: skip
