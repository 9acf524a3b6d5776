"""What notifications tell the person they are for, wherever he is signed in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from storage.base.facts import Fact


class NoticeNew(Fact, frozen=True, kw_only=True):
    """There is something new in the inbox. `title` and `body` by language tag; `subject_*` is what it leads to.

    `link`: a page of the app or the web, where a broadcast has one.
    """

    topic: ClassVar[str] = "notice.new"

    notice_id: str
    kind: str
    urgency: str
    title: Mapping[str, str]
    body: Mapping[str, str]
    subject_kind: str | None
    subject_id: str | None
    link: str | None
    created_at: datetime
    unread: int


class NoticeRead(Fact, frozen=True, kw_only=True):
    """Notices were read, here or on another device: how many are left."""

    topic: ClassVar[str] = "notice.read"

    unread: int


def audiences_of(account_id: str, worker_id: str | None) -> list[str]:
    """Everywhere this person may be listening."""
    worker = [f"worker:{worker_id}"] if worker_id else []
    return [f"customer:{account_id}", f"agent:{account_id}", *worker]
