"""What the routes of templates and rules take and give."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rest.edge.values import Body, PageQuery
from rest.reach import words
from rest.reach.config.model import EXAMPLES, PROTECTED, NoticeRules, Template, variables
from rest.reach.kinds import KINDS
from rest.reach.views import KindName, LanguageName
from rest.reach.words import Words

TemplateTitle = Annotated[str, Meta(min_length=1, max_length=60, examples=["付款成功"])]
TemplateText = Annotated[str, Meta(max_length=500, examples=["已收到 {amount} 元"])]


class TemplateWords(Body, frozen=True, kw_only=True):
    """A title and a text; variables in braces."""

    title: TemplateTitle
    body: TemplateText


class NoticeTemplateBody(Body, frozen=True, kw_only=True):
    """`after`: the version you have read, 0 where none was published. Without `words`: what the kind says by itself."""

    kind: KindName
    language: LanguageName
    after: Annotated[int, Meta(ge=0, le=2**31 - 2)]
    words: TemplateWords | None = None

    def said(self) -> Words | None:
        return None if self.words is None else Words(self.words.title, self.words.body)


class PreviewBody(Body, frozen=True, kw_only=True):
    """Words of a kind that may not be published yet; without them those that count now."""

    kind: KindName
    language: LanguageName
    words: TemplateWords | None = None


class PreviewView(msgspec.Struct, frozen=True, kw_only=True):
    """How it would look, and what stood for each variable."""

    title: str
    body: str
    values: Mapping[str, str]


class TemplateVersionView(msgspec.Struct, frozen=True, kw_only=True):
    """A published version; without words the kind says what it says by itself."""

    kind: str
    language: str
    version: int
    title: str | None
    body: str | None
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, one: Template) -> TemplateVersionView:
        return cls(**{name: getattr(one, name) for name in cls.__struct_fields__})


class NoticeTemplateView(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind says in a language now. `version`: 0 where none was published."""

    kind: str
    language: str
    version: int
    title: str
    body: str
    usual_title: str
    usual_body: str
    variables: list[str]
    is_protected: bool


class NoticeTemplatesView(msgspec.Struct, frozen=True, kw_only=True):
    """Every kind in every language."""

    templates: list[NoticeTemplateView]

    @classmethod
    def of(cls, known: Mapping[tuple[str, str], Template]) -> NoticeTemplatesView:
        wanted = [(kind, language) for kind in KINDS for language in words.LANGUAGES]
        return cls(templates=[_now(*one, known.get(one)) for one in wanted])


def _now(kind: str, language: str, one: Template | None) -> NoticeTemplateView:
    usual = words.TABLE[kind][language]
    is_own = one is not None and one.title is not None
    return NoticeTemplateView(
        kind=kind,
        language=language,
        version=one.version if one else 0,
        title=(one.title or "") if one and is_own else usual.title,
        body=(one.body or "") if one and is_own else usual.body,
        usual_title=usual.title,
        usual_body=usual.body,
        variables=variables(kind),
        is_protected=kind in PROTECTED,
    )


class VersionsQuery(PageQuery, frozen=True, kw_only=True):
    """Which template."""

    kind: KindName
    language: LanguageName


def preview_of(kind: str, language: str, said: Words | None, published: Mapping[tuple[str, str], Words]) -> PreviewView:
    shown = published if said is None else {(kind, language): said}
    values = {name: EXAMPLES[name] for name in variables(kind)}
    told = words.say(kind, values, language, published=shown)
    return PreviewView(title=told.title, body=told.body, values=values)


class Switch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind, or by its first word many, over one channel. `inbox`: it is not told at all."""

    kind: KindName
    channel: Literal["inbox", "push", "wechat", "sms", "wecom"]


class NoticeRulesBody(Body, frozen=True, kw_only=True):
    """All that is switched off, and how many notices of no urgency one person is sent outside the inbox in an hour."""

    off: Annotated[list[Switch], Meta(max_length=400)] = msgspec.field(default_factory=list)
    hour_max: Annotated[int, Meta(ge=1, le=1_000)] | None = None

    def entries(self) -> frozenset[str]:
        return frozenset(f"{one.kind}/{one.channel}" for one in self.off)


class NoticeRulesView(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator has switched off."""

    version: int
    off: list[Switch]
    hour_max: int | None
    created_by: str | None
    created_at: datetime | None

    @classmethod
    def of(cls, one: NoticeRules) -> NoticeRulesView:
        parts = [entry.partition("/") for entry in sorted(one.off)]
        return cls(
            version=one.version,
            off=[Switch(kind=kind, channel=channel) for kind, _, channel in parts],  # type: ignore[arg-type]  # checked when saved
            hour_max=one.hour_max,
            created_by=one.created_by,
            created_at=one.created_at,
        )
