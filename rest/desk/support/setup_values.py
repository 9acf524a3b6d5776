"""What goes in and out of the routes that set the desk up."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from chat.calendars import Calendar, CalendarInvalid, Interval
from chat.desk import Kind, Policy, Queue, Request, Rule, Severity, When
from rest.desk.support.values import Code, KindWord, SeverityWord, VerdictView, Word
from rest.edge.values import Body, ByLanguage, Id, Instant, Line, Query, exactly

Words = Annotated[list[Word], Meta(max_length=20)]
Codes = Annotated[list[Code], Meta(max_length=50)]
Ids = Annotated[list[Id], Meta(max_length=50)]
Seconds = Annotated[int, Meta(ge=10, le=86_400)]
Level = Annotated[int, Meta(ge=1, le=5)]
Minute = Annotated[int, Meta(ge=0, le=2880)]
Span = Annotated[list[Minute], Meta(min_length=2, max_length=2)]
DayBody = Annotated[list[Span], Meta(max_length=8)]


class SkillBody(Body, frozen=True, kw_only=True):
    skill: Word
    level: Level


class AgentBody(Body, frozen=True, kw_only=True):
    """`calendar_id`: the shifts; always on duty without. Skills and queues: all of them."""

    name: Line
    chats_max: Annotated[int, Meta(ge=1, le=100)] = 5
    calendar_id: Id | None = None
    is_supervisor: bool = False
    skills: Annotated[list[SkillBody], Meta(max_length=30)] = msgspec.field(default_factory=list)
    queue_ids: Ids = msgspec.field(default_factory=list)


class PromisesBody(Body, frozen=True, kw_only=True):
    """Seconds; null: not promised."""

    first_reply_s: Annotated[int, Meta(ge=10, le=31_536_000)] | None = 1800
    next_reply_s: Annotated[int, Meta(ge=10, le=31_536_000)] | None = 1800
    resolve_s: Annotated[int, Meta(ge=10, le=31_536_000)] | None = 86_400
    in_hours: bool = True
    pauses_for_customer: bool = True

    def policy(self) -> Policy:
        return Policy(**{name: getattr(self, name) for name in self.__struct_fields__})


GreetingText = Annotated[str, Meta(max_length=4000)]
"""How long it may be, and its variables, the desk says."""


class GreetingBody(ByLanguage, frozen=True, kw_only=True):
    """What a queue says by itself, in both languages, at most 500 characters each.

    Variables in double braces: customer_name and queue_name; out of hours also ticket_no.
    """

    zh: GreetingText = msgspec.field(name="zh-CN")
    en: GreetingText


class QueueBody(Body, frozen=True, kw_only=True):
    """A line and its rules, in seconds. `tenant_id`: whose it is, when it is made; a tenant's staff need not say.

    `members_only`: only its members, and who leads the desk, see and work what is in it; it holds at once.
    `auto_close_s`: after so long what is resolved closes unrated, an hour to thirty days; `reopen_days`: how long it
    can be opened again, at most 90. `greeting` is said once to who opens a chat, `closed_notice` instead out of hours.
    """

    name: Line
    tenant_id: Id | None = None
    is_active: bool = True
    calendar_id: Id | None = None
    strategy: Literal["balanced", "round_robin"] = "balanced"
    accept_s: Annotated[int, Meta(ge=5, le=600)] = 25
    reply_s: Annotated[int, Meta(ge=30, le=86_400)] = 180
    relax_s: Annotated[int, Meta(ge=0, le=86_400)] = 60
    offer_ticket_s: Seconds = 120
    idle_warn_s: Annotated[int, Meta(ge=60, le=86_400)] = 600
    idle_close_s: Annotated[int, Meta(ge=61, le=172_800)] = 900
    overflow_queue_id: Id | None = None
    overflow_s: Annotated[int, Meta(ge=0, le=86_400)] = 60
    sla: PromisesBody = PromisesBody()
    members_only: bool = False
    auto_close_s: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 259_200
    reopen_days: Annotated[int, Meta(ge=0, le=2**15 - 1)] = 7
    greeting: GreetingBody | None = None
    closed_notice: GreetingBody | None = None

    def queue(self, *, tenant_id: str | None = None) -> Queue:
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        said = {name: {} if values[name] is None else values[name].by_tag() for name in ("greeting", "closed_notice")}
        return Queue(id="", **{**values, **said, "sla": self.sla.policy(), "tenant_id": tenant_id})


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    tenant_id: str | None
    name: str
    is_active: bool
    calendar_id: str | None
    strategy: str
    accept_s: int
    reply_s: int
    relax_s: int
    offer_ticket_s: int
    idle_warn_s: int
    idle_close_s: int
    overflow_queue_id: str | None
    overflow_s: int
    sla: dict[str, int | bool | None]
    members_only: bool
    auto_close_s: int
    reopen_days: int
    greeting: dict[str, str] | None
    closed_notice: dict[str, str] | None
    version: int

    @classmethod
    def of(cls, queue: Queue) -> QueueView:
        values = {name: getattr(queue, name) for name in cls.__struct_fields__}
        policy = {name: getattr(queue.sla, name) for name in Policy.__dataclass_fields__}
        said = {name: dict(values[name]) or None for name in ("greeting", "closed_notice")}
        return cls(**{**values, **said, "sla": policy})


class OverrideBody(Body, frozen=True, kw_only=True):
    """A day that differs; no pairs: closed."""

    on: Annotated[str, Meta(pattern=exactly(r"20\d\d-(0\d|1[0-2])-([0-2]\d|3[01])"))]
    day: DayBody


class CalendarBody(Body, frozen=True, kw_only=True):
    """`week`: seven days from Monday, each pairs of minutes after its midnight, past 1440 into the next day.

    `overrides`: days that differ. `tenant_id`: whose they are, when they are made.
    """

    name: Line
    tenant_id: Id | None = None
    zone: Annotated[str, Meta(pattern=exactly("[A-Za-z0-9_+/-]+"), max_length=64)] = "Asia/Shanghai"
    week: Annotated[list[DayBody], Meta(min_length=7, max_length=7)]
    overrides: Annotated[list[OverrideBody], Meta(max_length=400)] = msgspec.field(default_factory=list)

    def calendar(self) -> Calendar:
        """Raises CalendarInvalid."""

        try:
            days = {date.fromisoformat(one.on): _day(one.day) for one in self.overrides}
        except ValueError as problem:
            raise CalendarInvalid("There is no such day.") from problem
        return Calendar(self.zone, tuple(_day(day) for day in self.week), days)


def _day(pairs: list[list[int]]) -> tuple[Interval, ...]:
    return tuple(Interval(start, end) for start, end in pairs)


class CalendarView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    tenant_id: str | None
    name: str
    zone: str
    week: list[list[list[int]]]
    overrides: dict[str, list[list[int]]]
    version: int


class WhenBody(Body, frozen=True, kw_only=True):
    """What a rule asks; an empty list or null asks nothing. A region fits every code it begins."""

    kinds: Annotated[list[KindWord], Meta(max_length=2)] = msgspec.field(default_factory=list)
    categories: Words = msgspec.field(default_factory=list)
    tenant_ids: Ids = msgspec.field(default_factory=list)
    lines: Words = msgspec.field(default_factory=list)
    regions: Codes = msgspec.field(default_factory=list)
    severity_min: SeverityWord = "low"
    is_member: bool | None = None

    def when(self) -> When:
        return When(
            kinds=tuple(Kind(kind) for kind in self.kinds),
            categories=tuple(self.categories),
            tenant_ids=tuple(self.tenant_ids),
            lines=tuple(self.lines),
            regions=tuple(self.regions),
            severity_min=Severity(self.severity_min),
            is_member=self.is_member,
        )


class RoutingRuleBody(Body, frozen=True, kw_only=True):
    """To this queue, asking for these skills, first for this agent if one is named."""

    name: Line
    queue_id: Id
    when: WhenBody = WhenBody()
    required_skills: Words = msgspec.field(default_factory=list)
    optional_skills: Words = msgspec.field(default_factory=list)
    agent_id: Id | None = None

    def rule(self) -> Rule:
        return Rule(
            name=self.name,
            queue_id=self.queue_id,
            when=self.when.when(),
            required_skills=tuple(self.required_skills),
            optional_skills=tuple(self.optional_skills),
            agent_id=self.agent_id,
        )


class RulesBody(Body, frozen=True, kw_only=True):
    """The whole list, in order, over the version you have read (0: none yet). The last rule must take everything.

    `tenant_id`: whose list it is; a tenant without one goes by the platform's.
    """

    tenant_id: Id | None = None
    over: Annotated[int, Meta(ge=0, le=2**31 - 2)]
    rules: Annotated[list[RoutingRuleBody], Meta(min_length=1, max_length=200)]


class RulesQuery(Query, frozen=True, kw_only=True):
    """The platform's rules, or those of a tenant."""

    tenant_id: Id | None = None


class RulesView(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    rules: list[dict[str, Any]]

    @classmethod
    def of(cls, version: int, rules: list[Rule]) -> RulesView:
        return cls(version=version, rules=[msgspec.to_builtins(rule) for rule in rules])


class DryRunBody(Body, frozen=True, kw_only=True):
    """A thread that might come. `rules`: others than those in force."""

    kind: KindWord = "chat"
    category: Word
    severity: SeverityWord = "normal"
    tenant_id: Id | None = None
    line: Word | None = None
    region: Code | None = None
    is_member: bool = False
    customer_id: Id | None = None
    rules: Annotated[list[RoutingRuleBody], Meta(min_length=1, max_length=200)] | None = None

    def request(self) -> Request:
        return Request(
            kind=Kind(self.kind),
            category=self.category,
            severity=Severity(self.severity),
            tenant_id=self.tenant_id,
            line=self.line or "",
            region=self.region or "",
            is_member=self.is_member,
        )


class TriedView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that was looked at, and what kept it from fitting."""

    rule: str
    unmet: list[str]


class DryRunView(msgspec.Struct, frozen=True, kw_only=True):
    tried: list[TriedView]
    queue_id: str
    is_open: bool
    kind: KindWord
    agents: list[VerdictView]


class DeskStatisticsQuery(Query, frozen=True, kw_only=True):
    since: Instant
    until: Instant
    queue_id: Id | None = None


class DeskStatisticsView(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by what happened, in all and by agent; a mean never without how many it is of."""

    counts: dict[str, int]
    by_agent: dict[str, dict[str, int]]
    wait_p50_s: int | None
    wait_p90_s: int | None
    waited: int
    score_mean_milli: int | None
    rated: int
    asked: int
