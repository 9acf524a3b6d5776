"""The operator's say about notices, as values. Pure."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from rest.reach import words
from rest.reach.kinds import KINDS
from rest.reach.model import Channel, Urgency, entries
from storage.base.errors import Conflict, Invalid

INBOX = "inbox"
"""Switched off in the inbox, a kind is not told at all."""

MONEY = frozenset({"payment", "refund", "transfer", "withdrawal", "wallet", "topup", "penalty", "settlement"})
KEPT = frozenset({"case.safety", "case.payment_failed", "broadcast.sent"})

PROTECTED = frozenset(kind for kind in KINDS if kind in KEPT or kind.partition(".")[0] in MONEY)
"""These are always in the inbox (FR-192)."""

EXAMPLES: Mapping[str, str] = {
    "amount": "128.00",
    "agent": "小李",
    "body": "10 月 1 日至 3 日照常服务。",
    "count": "3",
    "device": "iPhone 17",
    "item": "日常保洁",
    "km": "1.5",
    "name": "新人券",
    "points": "200",
    "since": "2026-01-08 10:00",
    "start": "2026-01-05 10:00",
    "title": "国庆营业安排",
    "until": "2026-01-05 10:15",
}
"""What a preview shows for each variable."""


class TemplateVariableUnknown(Invalid):
    """This kind of notice has no such variable."""

    code = "template_variable"


class TemplateMalformed(Invalid):
    """A brace is open, or a variable is more than a name."""

    code = "template_malformed"


class NoticeProtected(Invalid):
    """News of safety and money are always in the inbox."""

    code = "notice_protected"


class TemplateChanged(Conflict):
    """Somebody has published another version meanwhile."""

    code = "template_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A published version. Without words the kind says again what it says by itself."""

    kind: str
    language: str
    version: int
    title: str | None
    body: str | None
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRules:
    """`off` has `kind/channel`, `word/channel`, or `…/inbox`; `hour_max`: sent to one person, urgent kinds apart."""

    version: int
    off: frozenset[str]
    hour_max: int | None
    created_by: str | None
    created_at: datetime | None

    def tells(self, kind: str) -> bool:
        return self.off.isdisjoint(entries(kind, INBOX))

    def sends(self, kind: str, channel: Channel) -> bool:
        return self.off.isdisjoint(entries(kind, channel))


NOTHING_OFF = NoticeRules(version=1, off=frozenset(), hour_max=None, created_by=None, created_at=None)
"""Until somebody says otherwise."""


def is_limited(kind: str) -> bool:
    """Whether the limit of an hour holds for it: what is urgent goes out however much there is."""
    return KINDS[kind].urgency is not Urgency.URGENT


def check_switch(kind: str, channel: str) -> None:
    """`kind` may be the first word of many. Raises NoticeProtected."""
    named = {one for one in KINDS if kind in {one, one.partition(".")[0]}}
    if channel == INBOX and not PROTECTED.isdisjoint(named):
        raise NoticeProtected(kind=kind)


def variables(kind: str) -> list[str]:
    """What words of this kind may name: whatever its own words do, in any language."""
    told = words.TABLE[kind]
    return sorted({name for said in told.values() for text in said for name in _names(text)})


def check_template(kind: str, text: str) -> None:
    """Raises TemplateVariableUnknown with its name, TemplateMalformed."""
    known = variables(kind)
    for name in _names(text):
        if name not in known:
            raise TemplateVariableUnknown(variable=name, known=known)


def _names(text: str) -> list[str]:
    """Variables of a text, each a plain name: `{a.b}`, `{a!r}` and `{a:9}` would reach into values."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        raise TemplateMalformed from None
    found = []
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise TemplateMalformed(variable=name)
        found.append(name)
    return found
