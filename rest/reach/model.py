"""Notifications as values: notices, devices, wishes, deliveries, quiet hours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from storage.base.clock import BUSINESS_ZONE
from storage.base.errors import Conflict, Invalid, NotFound

DAY_MIN = 24 * 60
DEVICES_MAX = 10
"""Of one account; with one more the one seen longest ago is forgotten."""

WHOLE_MAX = 3
"""More notices than this that waited for the end of quiet hours are told as one."""


class Channel(StrEnum):
    """The ways out. The inbox is no channel: everything is there."""

    PUSH = "push"
    WECHAT = "wechat"
    SMS = "sms"
    WECOM = "wecom"


class Urgency(StrEnum):
    """Urgent kinds do not wait for the end of quiet hours."""

    NORMAL = "normal"
    URGENT = "urgent"


class State(StrEnum):
    """Where a delivery stands. `delivered`: the device has said so; `dropped`: nobody needs it any more."""

    HELD = "held"
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    GIVEN_UP = "given_up"
    DROPPED = "dropped"


_HELD, _QUEUED, _SENT, _DELIVERED, _FAILED, _GIVEN_UP, _DROPPED = State

TRANSITIONS: Mapping[tuple[State, str], State] = {
    # Quiet hours end, or everything held is told by another
    (_HELD, "release"): _QUEUED,
    (_HELD, "drop"): _DROPPED,
    # The provider took it, may take it later, will never take it, or too much time has gone
    (_QUEUED, "take"): _SENT,
    (_QUEUED, "put_off"): _QUEUED,
    (_QUEUED, "refuse"): _FAILED,
    (_QUEUED, "give_up"): _GIVEN_UP,
    (_QUEUED, "drop"): _DROPPED,
    # The device has it
    (_SENT, "confirm"): _DELIVERED,
    (_DELIVERED, "confirm"): _DELIVERED,
}
"""(state, verb) → state. What is not listed is refused."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))


class WrongDeliveryState(Conflict):
    """This delivery is past that."""

    code = "delivery_state"


class UnknownKind(Invalid):
    """There is no such kind of notice."""

    code = "notice_kind_unknown"


class DeviceUnknown(NotFound):
    """There is no such device, or it is not yours."""

    code = "device_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What somebody is told, without its words: they are made of `about` in the language of whoever looks.

    `no` gives the order; 0 before it is written.
    """

    id: str
    account_id: str
    kind: str
    fact_id: str
    about: Mapping[str, Any]
    subject_kind: str | None
    subject_id: str | None
    collapse_key: str | None
    created_at: datetime
    expires_at: datetime | None
    read_at: datetime | None = None
    no: int = 0

    @property
    def link(self) -> str | None:
        """Where it leads in the app or on the web, if it says so itself."""
        link = self.about.get("link")
        return str(link) if link else None

    def is_over(self, now: datetime) -> bool:
        """Nobody needs to be told any more."""
        return self.read_at is not None or (self.expires_at is not None and self.expires_at <= now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A phone, or a mini-program on it. `token` is a secret of its provider and never shown or logged."""

    id: str
    account_id: str
    session_id: str
    platform: str
    token: str
    created_at: datetime
    seen_at: datetime

    @property
    def channel(self) -> Channel:
        return Channel.WECHAT if self.platform == "wechat" else Channel.PUSH


def entries(kind: str, channel: str) -> frozenset[str]:
    """How a kind on a way is named where it is switched off: itself, or its family."""
    return frozenset({f"{kind}/{channel}", f"{kind.partition('.')[0]}/{channel}"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What one person wants to be told, how and when. `muted` has `kind/channel` or `word/channel`."""

    account_id: str
    language: str = "zh"
    quiet_from_min: int | None = None
    quiet_to_min: int | None = None
    muted: frozenset[str] = frozenset()
    version: int = 0

    def wants(self, kind: str, channel: Channel) -> bool:
        return self.muted.isdisjoint(entries(kind, channel))

    def quiet_until(self, now: datetime) -> datetime | None:
        """When the quiet hours around `now` end; None outside them."""
        if self.quiet_from_min is None or self.quiet_to_min is None:
            return None
        return quiet_until(now, self.quiet_from_min, self.quiet_to_min)


def quiet_until(now: datetime, from_min: int, to_min: int) -> datetime | None:
    """When the quiet hours [from, to) of the business day around `now` end; they may cross midnight.

    None outside them. Equal ends are no hours. The business zone has no summer time, so a day has 1440 minutes.
    """
    local = now.astimezone(BUSINESS_ZONE)
    at_min = local.hour * 60 + local.minute
    if (at_min - from_min) % DAY_MIN >= (to_min - from_min) % DAY_MIN:
        return None
    whole = now.replace(second=0, microsecond=0)
    return whole + timedelta(minutes=(to_min - at_min) % DAY_MIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One notice on its way over one channel to one place. `ends_at`: after this it is too late.

    `is_bulk`: one of many of a broadcast, sent by a lane of its own.
    """

    id: str
    notice_id: str
    account_id: str
    channel: Channel
    device_id: str | None
    state: State
    attempts: int
    stands_for: int
    ticket: str | None
    provider_ref: str | None
    problem: str | None
    created_at: datetime
    due_at: datetime
    ends_at: datetime
    changed_at: datetime
    is_bulk: bool = False

    def after(self, verb: str, now: datetime, **changes: Any) -> Delivery:  # noqa: ANN401 - fields
        """The delivery after this verb. Raises WrongDeliveryState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongDeliveryState(state=self.state.value, verb=verb)
        return replace(self, state=state, changed_at=now, **changes)


RETRY_S = 2
RETRY_MAX_S = 600


def retry_s(attempts: int) -> int:
    """Seconds to wait after so many failures: 2, 4, 8 … up to ten minutes."""
    return int(min(RETRY_S * 2 ** min(attempts - 1, 16), RETRY_MAX_S))


def collapse(held: int) -> int:
    """Of so many that waited for the end of quiet hours: how many are sent as they are, the rest dropped.

    Few are sent each; of many the last one goes and says how many it stands for.
    """
    return held if held <= WHOLE_MAX else 1
