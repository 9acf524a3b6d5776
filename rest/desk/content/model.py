"""Announcements and help documents as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chat.conversations.words import plain
from storage.base.errors import Invalid

PERIOD_MAX = timedelta(days=366)
NEEDLES_MAX = 8
"""Words of a search; the others are not looked for."""


class AnnouncementPeriod(Invalid):
    """An announcement ends after it begins, in the future, and within a year."""

    code = "announcement_period"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """`title` and `body` by language tag; shown to `audiences` in [begins_at, ends_at)."""

    id: str
    title: Mapping[str, str]
    body: Mapping[str, str]
    audiences: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime
    created_by: str
    created_at: datetime
    changed_at: datetime
    withdrawn: bool = False
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpDocument:
    """`place` orders the documents of a category."""

    id: str
    category: str
    place: int
    title: Mapping[str, str]
    body: Mapping[str, str]
    published: bool
    changed_by: str
    created_at: datetime
    changed_at: datetime
    version: int = 1

    @property
    def terms(self) -> str:
        """What search looks through."""
        return plain("\n".join([*self.title.values(), *self.body.values()]))


def check_period(begins_at: datetime, ends_at: datetime, now: datetime) -> None:
    """Raises AnnouncementPeriod."""
    if not (begins_at < ends_at <= begins_at + PERIOD_MAX and now < ends_at):
        raise AnnouncementPeriod(days_max=PERIOD_MAX.days)


def needles(search: str) -> list[str]:
    """The words that must all be there."""
    return list(dict.fromkeys(plain(search).split()))[:NEEDLES_MAX]
