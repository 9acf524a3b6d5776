"""What the routes of feedback take and give."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rest.desk.feedback.model import Feedback
from rest.edge.values import Body, Id, Note, PageQuery, Query

FeedbackKind = Literal["fault", "idea", "complaint", "praise", "other"]
SideName = Literal["customer", "worker", "tenant"]
FeedbackStates = Literal["open", "in_progress", "answered", "closed"]


class FeedbackBody(Body, frozen=True, kw_only=True):
    """What one has to say; pictures were sent to `/v1/files` with the purpose `feedback`."""

    kind: FeedbackKind
    body: Annotated[str, Meta(max_length=2_000, examples=["希望可以改预约时间"])]
    file_ids: Annotated[list[Id], Meta(max_length=6)] = msgspec.field(default_factory=list)


class FeedbackView(msgspec.Struct, frozen=True, kw_only=True):
    """What one has said, how it stands, and what was answered."""

    id: str
    kind: str
    body: str
    file_ids: Sequence[str]
    state: str
    reply: str | None
    replied_at: datetime | None
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, one: Feedback) -> FeedbackView:
        return cls(**{**{name: getattr(one, name) for name in cls.__struct_fields__}, "state": one.state.value})


class FeedbackForStaff(FeedbackView, frozen=True, kw_only=True):
    """The same with who said it, and who has handled it."""

    account_id: str
    side: SideName
    tenant_id: str | None
    handled_by: str | None


class FeedbackQuery(PageQuery, frozen=True, kw_only=True):
    kind: FeedbackKind | None = None
    state: FeedbackStates | None = None
    side: SideName | None = None
    account_id: Id | None = None


class HandleFeedbackBody(Body, frozen=True, kw_only=True):
    """`take` it up, `answer` it with a reply, or `close` it, with one or without."""

    verb: Literal["take", "answer", "close"]
    reply: Note | None = None


class FeedbackStatisticsQuery(Query, frozen=True, kw_only=True):
    """Business days, both included; at most 366."""

    since: date
    until: date


class FeedbackCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many of a kind, sent in this month, stand so now. `month`: 2026-11."""

    month: str
    kind: str
    state: str
    count: int


class FeedbackStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Of the days asked for; nothing stands for none."""

    since: str
    until: str
    total: int
    counts: list[FeedbackCount]

    @classmethod
    def of(cls, since: date, until: date, rows: Sequence[tuple[date, str, str, int]]) -> FeedbackStatistics:
        counts = [
            FeedbackCount(month=f"{month:%Y-%m}", kind=kind, state=state, count=n) for month, kind, state, n in rows
        ]
        total = sum(one.count for one in counts)
        return cls(since=since.isoformat(), until=until.isoformat(), total=total, counts=counts)
