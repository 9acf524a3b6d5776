"""What the routes of notifications take and give."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rest.edge.values import Body, Id, PageQuery, exactly
from rest.edge.wording import TAGS
from rest.reach import words
from rest.reach.kinds import KINDS
from rest.reach.model import Channel, Delivery, Device, Notice, Wishes

ChannelName = Literal["push", "wechat", "sms", "wecom"]
StateName = Literal["held", "queued", "sent", "delivered", "failed", "given_up", "dropped"]
Platform = Literal["android", "ios", "wechat"]
LanguageName = Literal["zh", "en"]
KindName = Annotated[
    str, Meta(pattern=exactly("[a-z][a-z_]{0,31}(?:\\.[a-z][a-z_]{0,31})?"), examples=["order.departed"], max_length=65)
]
Token = Annotated[
    str,
    Meta(
        pattern=exactly("[A-Za-z0-9_-]{8,200}"),
        description="JPush registration id, or the openid in the mini-program. Never shown again.",
        examples=["1a0018970a8b4e7d6c2"],
    ),
]
TimeOfDay = Annotated[
    str,
    Meta(pattern=exactly("(?:[01][0-9]|2[0-3]):[0-5][0-9]"), examples=["22:30"], description="In the business zone."),
]


class NoticeQuery(PageQuery, frozen=True, kw_only=True):
    """`unread`: only what was not read yet."""

    unread: bool = False
    kind: KindName | None = None


class NoticeView(msgspec.Struct, frozen=True, kw_only=True):
    """One notice; `title` and `body` by language tag, `subject_*` what it leads to.

    `link`: a page of the app or the web, where a broadcast has one.
    """

    id: str
    kind: str
    urgency: str
    title: Mapping[str, str]
    body: Mapping[str, str]
    subject_kind: str | None
    subject_id: str | None
    link: str | None
    created_at: datetime
    read_at: datetime | None

    @classmethod
    def of(cls, one: Notice, published: words.Published) -> NoticeView:
        title, body = words.in_all(one.kind, one.about, published)
        rule = KINDS.get(one.kind)
        return cls(
            id=one.id,
            kind=one.kind,
            urgency=rule.urgency.value if rule else "normal",
            title=title,
            body=body,
            subject_kind=one.subject_kind,
            subject_id=one.subject_id,
            link=one.link,
            created_at=one.created_at,
            read_at=one.read_at,
        )


class NoticesUnreadView(msgspec.Struct, frozen=True, kw_only=True):
    """What the bell shows; counted to 1000."""

    unread: int


class NoticesReadBody(Body, frozen=True, kw_only=True):
    """All up to this one, which is the newest you have shown."""

    up_to: Id


class NoticesReadView(msgspec.Struct, frozen=True, kw_only=True):
    """How many were read just now, and how many are left."""

    read: int
    unread: int


class QuietHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[begin, end), across midnight where the end is earlier. Urgent kinds do not wait for their end."""

    begin: TimeOfDay
    end: TimeOfDay


class Mute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind, or by its first word a whole family (`order`), over one channel. The inbox has everything."""

    kind: KindName
    channel: ChannelName


class NoticeSettingsBody(Body, frozen=True, kw_only=True):
    """All of one's wishes: what is left out is as it is for somebody who has said nothing."""

    language: LanguageName = "zh"
    quiet_hours: QuietHours | None = None
    muted: Annotated[list[Mute], Meta(max_length=200)] = msgspec.field(default_factory=list)


class NoticeKindView(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of notice one can have wishes about."""

    kind: str
    urgency: str
    channels: list[str]
    name: Mapping[str, str]


class NoticeSettingsView(msgspec.Struct, frozen=True, kw_only=True):
    """One's wishes, and every kind there is."""

    language: str
    quiet_hours: QuietHours | None
    muted: list[Mute]
    kinds: list[NoticeKindView]

    @classmethod
    def of(cls, wishes: Wishes) -> NoticeSettingsView:
        quiet = None
        if wishes.quiet_from_min is not None and wishes.quiet_to_min is not None:
            quiet = QuietHours(begin=_clock(wishes.quiet_from_min), end=_clock(wishes.quiet_to_min))
        muted = [entry.partition("/") for entry in sorted(wishes.muted)]
        return cls(
            language=wishes.language,
            quiet_hours=quiet,
            muted=[Mute(kind=kind, channel=channel) for kind, _, channel in muted],  # type: ignore[arg-type]  # checked when saved
            kinds=[
                NoticeKindView(
                    kind=kind,
                    urgency=rule.urgency.value,
                    channels=[channel.value for channel in rule.channels if channel is not Channel.WECOM],
                    name={TAGS[tongue]: words.name(kind, tongue) for tongue in words.LANGUAGES},
                )
                for kind, rule in KINDS.items()
            ],
        )


def wishes_of(account_id: str, body: NoticeSettingsBody) -> Wishes:
    quiet = body.quiet_hours
    return Wishes(
        account_id=account_id,
        language=body.language,
        quiet_from_min=None if quiet is None else _minute(quiet.begin),
        quiet_to_min=None if quiet is None else _minute(quiet.end),
        muted=frozenset(f"{one.kind}/{one.channel}" for one in body.muted),
    )


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


class DeviceBody(Body, frozen=True, kw_only=True):
    """A device of the session that asks: it is forgotten when the session ends."""

    platform: Platform
    token: Token


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """A device that is told things."""

    id: str
    platform: str
    is_current: bool
    created_at: datetime
    seen_at: datetime

    @classmethod
    def of(cls, device: Device, session_id: str) -> DeviceView:
        return cls(
            id=device.id,
            platform=device.platform,
            is_current=device.session_id == session_id,
            created_at=device.created_at,
            seen_at=device.seen_at,
        )


class DeliveryQuery(PageQuery, frozen=True, kw_only=True):
    """Whose, over which way, and where they stand."""

    account_id: Id | None = None
    channel: ChannelName | None = None
    state: StateName | None = None


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one notice on one way. No words, no number and no token: those are not kept."""

    id: str
    notice_id: str
    account_id: str
    channel: str
    state: str
    attempts: int
    stands_for: int
    problem: str | None
    created_at: datetime
    due_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, one: Delivery) -> DeliveryView:
        fields = {name: getattr(one, name) for name in cls.__struct_fields__}
        return cls(**{**fields, "channel": one.channel.value, "state": one.state.value})
