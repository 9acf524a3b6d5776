"""Workers, calls, offers, grabs: values, states and rules. Pure: values and `now` in, values out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

from geo.point import Point
from storage.base.errors import Conflict, Invalid, NotFound

SHANGHAI = timezone(timedelta(hours=8))
"""Work hours and rest days are local; China has one zone and no summer time."""


class Mode(StrEnum):
    CHOOSE_BACK = "choose_back"  # grabs gather, the customer picks
    FIRST_WINS = "first_wins"  # the best grab inside a short window wins
    DIRECT = "direct"  # one named worker, yes or no


class CallStatus(StrEnum):
    OPEN = "open"
    PAUSED = "paused"
    LOCKED = "locked"
    WON = "won"
    DONE = "done"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


LIVE = frozenset({CallStatus.OPEN, CallStatus.PAUSED, CallStatus.LOCKED, CallStatus.WON})

TRANSITIONS: Mapping[tuple[CallStatus, str], CallStatus] = {
    (CallStatus.OPEN, "lock"): CallStatus.LOCKED,
    (CallStatus.OPEN, "win"): CallStatus.WON,
    (CallStatus.OPEN, "pause"): CallStatus.PAUSED,
    (CallStatus.OPEN, "renew"): CallStatus.OPEN,
    (CallStatus.PAUSED, "resume"): CallStatus.OPEN,
    (CallStatus.LOCKED, "win"): CallStatus.WON,
    (CallStatus.LOCKED, "unlock"): CallStatus.OPEN,
    (CallStatus.LOCKED, "unlock_paused"): CallStatus.PAUSED,
    (CallStatus.WON, "reopen"): CallStatus.OPEN,
    (CallStatus.WON, "finish"): CallStatus.DONE,
    **{(status, "cancel"): CallStatus.CANCELLED for status in LIVE},
    **{(status, "expire"): CallStatus.EXPIRED for status in (CallStatus.OPEN, CallStatus.PAUSED)},
}
"""(status, verb) → status. Anything else is refused with `order_gone`."""


class CallNotFound(NotFound):
    """There is no such call."""


class WorkerNotFound(NotFound):
    """There is no such worker."""


class OrderGone(Conflict):
    """This work is no longer to be had."""

    code = "order_gone"


class AlreadyGrabbed(Conflict):
    """You have grabbed this already."""

    code = "already_grabbed"


class SlotConflict(Conflict):
    """You are booked for an overlapping time."""

    code = "slot_conflict"


class CandidateGone(Conflict):
    """This candidate is no longer free."""

    code = "candidate_gone"


class Locked(Conflict):
    """A candidate is locked; not now."""

    code = "locked"


class OfferClosed(Conflict):
    """This offer is over."""

    code = "offer_closed"


class NotEligible(Invalid):
    """You cannot take this work; `reason` says why."""

    code = "not_eligible"


class OwnOrder(Invalid):
    """You cannot take your own order."""

    code = "own_order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Someone who may be offered work."""

    id: str
    unit_no: int
    account_id: str
    display_name: str
    status: str
    online: bool
    services: frozenset[str]
    takes_pool: bool
    takes_direct: bool
    radius_m: int
    area_code: str
    work_from_min: int
    work_to_min: int
    rest_dates: frozenset[date]
    score_milli: int
    version: int

    def works_at(self, at: datetime) -> bool:
        """Whether this instant lies in the local work hours of a day that is not a rest day."""
        local = at.astimezone(SHANGHAI)
        minute = local.hour * 60 + local.minute
        if local.date() in self.rest_dates:
            return False
        if self.work_from_min <= self.work_to_min:
            return self.work_from_min <= minute < self.work_to_min
        return minute >= self.work_from_min or minute < self.work_to_min


@dataclass(frozen=True, slots=True, kw_only=True)
class WavePlan:
    """How a call spreads: sizes of successive waves (the last repeats), their distance in time, and the offers' life.

    Every wave goes to the nearest workers not offered in this epoch, so rings widen by themselves: a full wave ends
    where its last candidate stands, and a wave that comes round again finds only who has newly become eligible.
    """

    sizes: tuple[int, ...] = (8, 40, 500)  # a city finds its technician among the nearest; the rest hear within 10 s
    interval_s: float = 5.0
    offer_ttl_s: int = 600
    radius_factor: float = 1.0  # multiplies each worker's own radius; HS-078 doubles it at the second push
    radius_max_m: int = 100_000
    window_ms: int = 0  # first_wins: how long after the first grab the best one is chosen
    offers_max: int = 30  # parallel offers one worker may have open (I9)
    fix_age_max_s: int = 90

    def size(self, wave: int) -> int:
        """Offers in wave number `wave`, counted from 1."""
        return self.sizes[min(wave, len(self.sizes)) - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDraft:
    """Work the owner of a subject asks dispatch to find a worker for; `busy_until` includes travel buffers."""

    subject_kind: str
    subject_id: str
    mode: Mode
    service: str
    area_code: str
    point: Point
    start_at: datetime
    busy_until: datetime
    audience: tuple[str, ...]
    owner_account_id: str
    detail: dict[str, Any]
    plan: WavePlan = field(default_factory=WavePlan)
    excluded: frozenset[str] = frozenset()
    named_worker_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Work seeking a worker, as stored."""

    id: str
    subject_kind: str
    subject_id: str
    mode: Mode
    service: str
    area_code: str
    point: Point
    start_at: datetime
    busy_until: datetime
    status: CallStatus
    epoch: int
    wave: int
    ring_m: int
    plan: WavePlan
    detail: dict[str, Any]
    audience: tuple[str, ...]
    owner_account_id: str
    excluded: frozenset[str]
    named_worker_id: str | None
    worker_id: str | None
    locked_until: datetime | None
    created_at: datetime
    version: int

    def after(self, verb: str) -> CallStatus:
        """The status this verb leads to. Raises OrderGone where the table has none."""
        try:
            return TRANSITIONS[self.status, verb]
        except KeyError:
            raise OrderGone(status=self.status) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    id: str
    call_id: str
    worker_id: str
    epoch: int
    wave: int
    distance_m: float
    state: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Grab:
    id: str
    call_id: str
    worker_id: str
    offer_id: str
    epoch: int
    distance_m: float
    quote: dict[str, Any]
    request_id: str | None
    state: str
    at: datetime


def covers(worker_area: str, call_area: str) -> bool:
    """Whether a worker's region holds a call's district: the same code, its city (…00), its province (…0000) or any."""
    if not worker_area or worker_area == call_area:
        return True
    stem = worker_area.rstrip("0") if worker_area.endswith("00") else worker_area
    stem = stem + "0" * (len(stem) % 2)
    return worker_area.endswith("00") and call_area.startswith(stem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the database knows about one worker with regard to one call, at one instant."""

    worker: Worker
    point: Point | None
    distance_m: float | None
    fix_at: datetime | None
    is_booked: bool
    open_offers: int
    is_offered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """A worker about to say yes to a call, both locked, and what already stands between the two.

    `offer` is the one of this epoch, `grab` his live one.
    """

    call: Call
    standing: Standing
    offer: Offer | None
    grab: Grab | None

    @property
    def worker(self) -> Worker:
        return self.standing.worker

    def repeated(self, request_id: str | None) -> Grab | None:
        """The grab this very request has made before: its answer got lost."""
        is_repeat = self.grab is not None and request_id is not None and self.grab.request_id == request_id
        return self.grab if is_repeat else None


def why_not(call: Call, standing: Standing, now: datetime, *, ring_m: float | None = None) -> str | None:
    """The first reason this worker may not be offered this call; None when he may. The order is the support's order."""
    worker, plan = standing.worker, call.plan
    takes = worker.takes_direct if call.mode is Mode.DIRECT else worker.takes_pool
    limit = min(worker.radius_m * plan.radius_factor, plan.radius_max_m)
    checks = (
        (worker.status == "active", "inactive"),
        (worker.account_id != call.owner_account_id, "own_order"),
        (worker.id not in call.excluded, "excluded"),
        (call.named_worker_id in (None, worker.id), "other_named"),
        (worker.online, "offline"),
        (takes, "not_taking"),
        (call.service in worker.services, "service"),
        (covers(worker.area_code, call.area_code), "area"),
        (standing.fix_at is not None and now - standing.fix_at <= timedelta(seconds=plan.fix_age_max_s), "stale_fix"),
        (standing.distance_m is not None and standing.distance_m <= limit, "too_far"),
        (worker.works_at(call.start_at), "off_hours"),
        (not standing.is_booked, "busy"),
        (standing.open_offers < plan.offers_max, "offers_full"),
        (ring_m is None or (standing.distance_m or 0) <= ring_m, "later_wave"),
    )
    return next((reason for passed, reason in checks if not passed), None)


def rank(grab: Grab, score_milli: int) -> tuple[float, str]:
    """Order of grabs in a window, best first: minutes away at city pace, better score worth up to half a minute."""
    minutes = grab.distance_m / 365  # 21.9 km/h, the median speed of city trips (reference measurements)
    return (minutes - 0.5 * (score_milli / 5000), grab.id)
