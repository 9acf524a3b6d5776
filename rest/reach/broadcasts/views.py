"""What the routes of broadcasts take and give."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rest.edge.values import Body, ByLanguage, Id, Instant, PageQuery, exactly
from rest.people.crowds import Crowd, Part
from rest.reach.broadcasts.model import Broadcast
from rest.reach.broadcasts.store import Recipient
from storage.base.errors import Malformed

Audience = Literal["everybody", "customers", "workers", "tenants", "tenant", "accounts"]
BroadcastStates = Literal["scheduled", "sending", "sent", "cancelled"]
Title = Annotated[str, Meta(min_length=1, max_length=60, examples=["国庆营业安排"])]
Text = Annotated[str, Meta(min_length=1, max_length=500, examples=["10 月 1 日至 3 日照常服务。"])]
WebLink = Annotated[
    str,
    Meta(
        pattern=exactly(r"https://[^\s/\\]+(?:/[^\s\\]*)?|/(?:[^\s/\\][^\s\\]*)?"),
        max_length=300,
        description="A page on the web by https, or a page of the app by its path.",
        examples=["/activities/spring"],
    ),
]


class TitleByLanguage(ByLanguage, frozen=True, kw_only=True):
    """A title, in both languages."""

    zh: Title = msgspec.field(name="zh-CN")
    en: Title


class TextByLanguage(ByLanguage, frozen=True, kw_only=True):
    """A text, in both languages."""

    zh: Text = msgspec.field(name="zh-CN")
    en: Text


class BroadcastBody(Body, frozen=True, kw_only=True):
    """What is told to whom. `tenant_id` with the audience `tenant`, `account_ids` with `accounts`.

    Without `send_at` it begins at once.
    """

    title: TitleByLanguage
    body: TextByLanguage
    link: WebLink | None = None
    audience: Audience
    tenant_id: Id | None = None
    account_ids: Annotated[list[Id], Meta(min_length=1, max_length=1_000)] | None = None
    send_at: Instant | None = None

    def crowd(self) -> Crowd:
        """Raises Malformed."""
        for name, part in (("tenant_id", "tenant"), ("account_ids", "accounts")):
            if (getattr(self, name) is not None) != (self.audience == part):
                raise Malformed(f"`{name}` goes with the audience `{part}`, and with no other.", field=name)
        return Crowd(
            part=Part(self.audience), tenant_id=self.tenant_id, account_ids=tuple(sorted(set(self.account_ids or ())))
        )


class BroadcastQuery(PageQuery, frozen=True, kw_only=True):
    state: BroadcastStates | None = None


class BroadcastCounts(msgspec.Struct, frozen=True, kw_only=True):
    """People, not devices. `told`: in the inbox; `failed`: no device of theirs could be reached; `opened`: read.

    `told` is of now, the others of `counted_at`.
    """

    told: int
    sent: int
    delivered: int
    failed: int
    opened: int


class BroadcastView(msgspec.Struct, frozen=True, kw_only=True):
    """A broadcast and how far it has come."""

    id: str
    title: Mapping[str, str]
    body: Mapping[str, str]
    link: str | None
    audience: str
    tenant_id: str | None
    account_ids: list[str]
    state: str
    send_at: datetime
    created_by: str
    created_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    counts: BroadcastCounts
    counted_at: datetime | None

    @classmethod
    def of(cls, one: Broadcast) -> BroadcastView:
        fields = {name: getattr(one, name) for name in cls.__struct_fields__}
        counts = BroadcastCounts(**{name: getattr(one.counts, name) for name in BroadcastCounts.__struct_fields__})
        return cls(**{**fields, "account_ids": list(one.account_ids), "state": one.state.value, "counts": counts})


class RecipientView(msgspec.Struct, frozen=True, kw_only=True):
    """One who was told. `push`: how the best of his deliveries stands; null: the inbox alone."""

    account_id: str
    notice_id: str
    told_at: datetime
    opened_at: datetime | None
    push: str | None

    @classmethod
    def of(cls, one: Recipient) -> RecipientView:
        return cls(**{name: getattr(one, name) for name in cls.__struct_fields__})
