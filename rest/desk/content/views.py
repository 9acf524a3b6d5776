"""What the routes of content take and give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rest.desk.content.model import Announcement, HelpDocument
from rest.edge.values import Body, ByLanguage, Instant, PageQuery, exactly

PartName = Literal["customers", "workers", "tenants", "staff"]
Heading = Annotated[str, Meta(min_length=1, max_length=100)]
Paragraphs = Annotated[str, Meta(min_length=1, max_length=10_000)]
Category = Annotated[str, Meta(pattern=exactly("[a-z][a-z0-9_]{0,31}"), max_length=32, examples=["payment"])]
Place = Annotated[int, Meta(ge=0, le=100_000)]


class Headings(ByLanguage, frozen=True, kw_only=True):
    """A heading, in both languages."""

    zh: Heading = msgspec.field(name="zh-CN")
    en: Heading


class Articles(ByLanguage, frozen=True, kw_only=True):
    """A text, in both languages; plain, with empty lines between paragraphs."""

    zh: Paragraphs = msgspec.field(name="zh-CN")
    en: Paragraphs


def _plain(value: Any) -> Any:  # noqa: ANN401 - a field
    if isinstance(value, ByLanguage):
        return value.by_tag()
    return tuple(dict.fromkeys(value)) if isinstance(value, list) else value


def fields_of(body: Body) -> dict[str, Any]:
    """What was given, as the values have it."""
    given = {name: getattr(body, name) for name in body.__struct_fields__}
    return {name: _plain(value) for name, value in given.items() if value is not UNSET}


Parts = Annotated[list[PartName], Meta(min_length=1, max_length=4)]


class AnnouncementBody(Body, frozen=True, kw_only=True):
    """Shown to these, from one instant until another."""

    title: Headings
    body: Articles
    audiences: Parts
    begins_at: Instant
    ends_at: Instant


class AnnouncementChange(Body, frozen=True, kw_only=True):
    """What shall change; what is left out stays. Withdrawn, it is shown to nobody."""

    title: Headings | UnsetType = UNSET
    body: Articles | UnsetType = UNSET
    audiences: Parts | UnsetType = UNSET
    begins_at: Instant | UnsetType = UNSET
    ends_at: Instant | UnsetType = UNSET
    withdrawn: bool | UnsetType = UNSET


class AnnouncementView(msgspec.Struct, frozen=True, kw_only=True):
    """An announcement, as its audience sees it."""

    id: str
    title: Mapping[str, str]
    body: Mapping[str, str]
    begins_at: datetime
    ends_at: datetime

    @classmethod
    def of(cls, one: Announcement) -> AnnouncementView:
        return cls(**{name: getattr(one, name) for name in cls.__struct_fields__})


class AnnouncementForStaff(AnnouncementView, frozen=True, kw_only=True):
    """The same with its audience and its maker."""

    audiences: Sequence[str]
    withdrawn: bool
    created_by: str
    created_at: datetime
    changed_at: datetime


class HelpBody(Body, frozen=True, kw_only=True):
    """A help document; `place` orders those of a category."""

    category: Category
    place: Place = 0
    title: Headings
    body: Articles
    published: bool = True


class HelpChange(Body, frozen=True, kw_only=True):
    """What shall change; what is left out stays."""

    category: Category | UnsetType = UNSET
    place: Place | UnsetType = UNSET
    title: Headings | UnsetType = UNSET
    body: Articles | UnsetType = UNSET
    published: bool | UnsetType = UNSET


class HelpQuery(PageQuery, frozen=True, kw_only=True):
    """`search`: words that must all be there, in either language."""

    category: Category | None = None
    search: Annotated[str, Meta(min_length=1, max_length=100, examples=["退款"])] | None = None


class HelpView(msgspec.Struct, frozen=True, kw_only=True):
    """A help document."""

    id: str
    category: str
    title: Mapping[str, str]
    body: Mapping[str, str]
    changed_at: datetime

    @classmethod
    def of(cls, one: HelpDocument) -> HelpView:
        return cls(**{name: getattr(one, name) for name in cls.__struct_fields__})


class HelpForStaff(HelpView, frozen=True, kw_only=True):
    """The same with what readers do not see."""

    place: int
    published: bool
    changed_by: str
    created_at: datetime
