"""The visit as a value: statuses, the transition table, and what is due when.

Pure: nothing here reads the clock or the database.
Source: spec 5.3 (pool to departure), 5.5 (service), part 6 (timers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from geo import Point
from rest.lines.homeservice.rules import HomeserviceRules, rules_of
from rest.money.refunds.ladder import Policy
from rest.money.refunds.ready import READY, policy_of
from rest.trade.orders.model import Machine, Order, Role, Transition, rows
from rest.trade.pricing import DistanceTariff

LINE = "homeservice"

IN_POOL = "in_pool"
HAS_CANDIDATES = "has_candidates"
PENDING_PAYMENT = "pending_payment"
PAID = "paid"
ACCEPTED = "accepted"
REJECTED = "rejected"
CANCEL_REQUESTED = "cancel_requested"
DEPARTED = "departed"
ARRIVED = "arrived"
IN_SERVICE = "in_service"
SERVICE_ENDED = "service_ended"
LEAVE_CONFIRMED = "leave_confirmed"
COMPLETED = "completed"
CANCELLED = "cancelled"
CLOSED_PENALTY = "closed_penalty"
TERMINATED = "terminated"

STATUSES = (
    IN_POOL,
    HAS_CANDIDATES,
    PENDING_PAYMENT,
    PAID,
    ACCEPTED,
    REJECTED,
    CANCEL_REQUESTED,
    DEPARTED,
    ARRIVED,
    IN_SERVICE,
    SERVICE_ENDED,
    LEAVE_CONFIRMED,
    COMPLETED,
    CANCELLED,
    CLOSED_PENALTY,
    TERMINATED,
)

POOL = (IN_POOL, HAS_CANDIDATES)
"""Unpaid and unlocked: technicians see the order."""

BOUND = (PAID, ACCEPTED, REJECTED, DEPARTED, ARRIVED, IN_SERVICE, SERVICE_ENDED, LEAVE_CONFIRMED)
"""A technician is paid for and bound."""

KNOWS_ADDRESS = (ACCEPTED, DEPARTED, ARRIVED, IN_SERVICE, SERVICE_ENDED, LEAVE_CONFIRMED)
"""The technician sees the exact address and the masked phone (HS-060)."""

ON_THE_WAY = (DEPARTED, ARRIVED)
"""Departed and not begun: an order that breaks off here costs a penalty (part 4.9)."""

KEEPS_MONEY = (COMPLETED, CLOSED_PENALTY)
"""Ended and shared out: what is given back from here on is taken back from those who have it."""

_CUSTOMER = frozenset({Role.CUSTOMER})
_WORKER = frozenset({Role.WORKER})
_STAFF = frozenset({Role.STAFF})
_SYSTEM = frozenset({Role.SYSTEM})

_KEEP_PENALTY = ("finish_call", "refund_rest", "settle", "keep_penalty", "tell_payment")
"""The order ends with a penalty: the technician is free, the rest goes back, what is kept is shared out (HS-159)."""

_NOTHING_KEPT = ("decide_case", "cancel_call", "return_coupon", "return_voucher", "refund_all", "tell_payment")
"""The order ends and all that was paid goes back."""

_PAY = ("win_call", "use_coupon", "take_money", "refund_rest", "tell_payment", "offer_to_technician")
"""The chosen technician has the order. What the pool order kept of before and its price does not need, goes back."""

_CHANGE = ("decide_case", "fix_cheaper_price", "refund_rest")
"""Another technician comes; of a shorter way the customer has the difference back (HS-069)."""

_COMPLETE = ("decide_case", "finish_call", "earn_points", "settle")


def _after_end(status: str) -> dict[tuple[str, str], Transition]:
    """Money may be asked back, and given when people have agreed to it (rest.money.refunds)."""
    return {
        (status, "ask_refund"): Transition((status,), _CUSTOMER | _STAFF, ("decide_case",)),
        (status, "release_refund"): Transition((status,), _CUSTOMER | _STAFF),
        (status, "refund"): Transition(
            (status,), _STAFF, ("return_coupon", "return_voucher", "take_points_back", "refund_part", "tell_payment")
        ),
    }


TABLE: Mapping[tuple[str, str], Transition] = {
    # The pool
    (IN_POOL, "grab"): Transition((HAS_CANDIDATES,), _WORKER),
    (HAS_CANDIDATES, "grab"): Transition((HAS_CANDIDATES,), _WORKER),
    (HAS_CANDIDATES, "withdraw"): Transition((HAS_CANDIDATES, IN_POOL), _WORKER),
    (PENDING_PAYMENT, "withdraw"): Transition((PENDING_PAYMENT,), _WORKER),
    (CANCEL_REQUESTED, "withdraw"): Transition((CANCEL_REQUESTED,), _WORKER),
    (HAS_CANDIDATES, "lose_candidates"): Transition((IN_POOL,), _SYSTEM),
    (IN_POOL, "push_again"): Transition((IN_POOL,), _SYSTEM, ("push_wider", "open_no_grab")),
    (IN_POOL, "raise_no_grab"): Transition((IN_POOL,), _SYSTEM, ("raise_no_grab",)),
    (HAS_CANDIDATES, "ask_choice"): Transition((HAS_CANDIDATES,), _SYSTEM, ("open_no_choice",)),
    **rows(POOL, "reschedule", Transition((IN_POOL,), _CUSTOMER | _STAFF, ("decide_case", "close_pool_cases"))),
    (IN_POOL, "find_technician"): Transition((HAS_CANDIDATES,), _STAFF, ("decide_case",)),
    (HAS_CANDIDATES, "find_technician"): Transition((HAS_CANDIDATES,), _STAFF, ("decide_case",)),
    (IN_POOL, "wait_more"): Transition((IN_POOL,), _STAFF, ("decide_case", "push_wider")),
    (HAS_CANDIDATES, "wait_more"): Transition((HAS_CANDIDATES,), _STAFF, ("decide_case",)),
    (IN_POOL, "near_start"): Transition((IN_POOL,), _SYSTEM, ("open_pool_expired",)),
    (HAS_CANDIDATES, "near_start"): Transition((HAS_CANDIDATES,), _SYSTEM, ("open_pool_expired",)),
    (PENDING_PAYMENT, "near_start"): Transition((PENDING_PAYMENT,), _SYSTEM, ("open_pool_expired",)),
    # Choice and payment
    **rows(
        (HAS_CANDIDATES, PENDING_PAYMENT),
        "choose",
        Transition((PENDING_PAYMENT,), _CUSTOMER | _STAFF, ("decide_case", "fix_price")),
    ),
    (PENDING_PAYMENT, "pay"): Transition((PAID,), _CUSTOMER | _SYSTEM, _PAY),
    (PENDING_PAYMENT, "give_time"): Transition((PENDING_PAYMENT,), _STAFF, ("decide_case", "relock")),
    (PENDING_PAYMENT, "fail_payment"): Transition((PENDING_PAYMENT,), _SYSTEM, ("open_payment_failed", "tell_payment")),
    (PENDING_PAYMENT, "unbind"): Transition(POOL, _SYSTEM, ("ask_after_unbinds",)),
    (CANCEL_REQUESTED, "unbind"): Transition((CANCEL_REQUESTED,), _SYSTEM),
    **rows(POOL, "pay_late", Transition((PAID,), _CUSTOMER | _SYSTEM, ("fix_price", *_PAY))),
    **{
        (status, "return_money"): Transition((status,), _SYSTEM, ("return_late_money", "tell_payment"))
        for status in STATUSES
    },
    # The technician's answer
    (PAID, "accept"): Transition((ACCEPTED,), _WORKER),
    (PAID, "reject"): Transition((REJECTED,), _WORKER, ("open_rejected",)),
    (PAID, "miss_answer"): Transition((PAID,), _SYSTEM, ("open_accept_timeout",)),
    (PAID, "ask_again"): Transition((PAID,), _STAFF, ("decide_case", "offer_to_technician")),
    (ACCEPTED, "ask_again"): Transition((ACCEPTED,), _STAFF, ("decide_case",)),
    (REJECTED, "agree"): Transition((ACCEPTED,), _STAFF, ("decide_case",)),
    (REJECTED, "give_up"): Transition((CANCEL_REQUESTED,), _STAFF, ("decide_case", "open_cancel_confirm")),
    # Another technician, or another way to one (HS-062, HS-066, HS-068, HS-095)
    (PAID, "change_technician"): Transition((PAID,), _STAFF, (*_CHANGE, "tell_payment", "offer_to_technician")),
    **rows((REJECTED, ACCEPTED), "change_technician", Transition((ACCEPTED,), _STAFF, (*_CHANGE, "tell_payment"))),
    **rows((PAID, REJECTED), "convert_to_pool", Transition((IN_POOL,), _STAFF, ("decide_case", "seek_again"))),
    # Cancelling before departure
    **rows(POOL, "cancel", Transition((CANCELLED,), _CUSTOMER | _STAFF, _NOTHING_KEPT)),
    **rows(POOL, "ask_cancel", Transition((CANCEL_REQUESTED,), _CUSTOMER, ("pause_call", "open_cancel_confirm"))),
    (PENDING_PAYMENT, "ask_cancel"): Transition(
        (CANCEL_REQUESTED,), _CUSTOMER | _STAFF, ("decide_case", "open_cancel_confirm")
    ),
    **rows(
        (PAID, ACCEPTED, REJECTED), "ask_cancel", Transition((CANCEL_REQUESTED,), _CUSTOMER, ("open_cancel_confirm",))
    ),
    **rows((PAID, ACCEPTED, REJECTED), "call_off", Transition((CANCELLED,), _STAFF, _NOTHING_KEPT)),
    (CANCEL_REQUESTED, "save"): Transition(
        (*POOL, PENDING_PAYMENT, PAID, ACCEPTED, REJECTED),
        _STAFF,
        ("decide_case", "restore"),
    ),
    (CANCEL_REQUESTED, "drop"): Transition((CANCELLED,), _STAFF, _NOTHING_KEPT),
    # The visit
    (ACCEPTED, "depart"): Transition((DEPARTED,), _WORKER),
    (ACCEPTED, "miss_departure"): Transition((ACCEPTED,), _SYSTEM, ("open_late_departure",)),
    (DEPARTED, "arrive"): Transition((ARRIVED,), _WORKER | _STAFF, ("end_tracking",)),
    (ARRIVED, "start"): Transition((IN_SERVICE,), _WORKER, ("tell_clock",)),
    (IN_SERVICE, "end"): Transition((SERVICE_ENDED,), _CUSTOMER | _STAFF, ("decide_case", "tell_clock")),
    (IN_SERVICE, "time_up"): Transition((SERVICE_ENDED,), _SYSTEM, ("tell_clock",)),
    (SERVICE_ENDED, "confirm_left"): Transition((LEAVE_CONFIRMED,), _CUSTOMER | _STAFF, ("decide_case",)),
    (SERVICE_ENDED, "miss_confirmation"): Transition((SERVICE_ENDED,), _SYSTEM, ("open_leave_unconfirmed",)),
    **rows(
        (SERVICE_ENDED, LEAVE_CONFIRMED),
        "leave",
        Transition((COMPLETED,), _WORKER, ("finish_call", "earn_points", "settle")),
    ),
    (IN_SERVICE, "complete"): Transition((COMPLETED,), _STAFF, (*_COMPLETE, "tell_clock")),
    **rows((SERVICE_ENDED, LEAVE_CONFIRMED), "complete", Transition((COMPLETED,), _STAFF, _COMPLETE)),
    # Breaks: the customer wants out after departure (HS-114 to HS-117, HS-123 to HS-125)
    (DEPARTED, "ask_end"): Transition((DEPARTED,), _CUSTOMER | _STAFF, ("open_user_cancel_en_route",)),
    (ARRIVED, "ask_end"): Transition((ARRIVED,), _CUSTOMER | _STAFF, ("open_user_cancel_on_site",)),
    **{(status, "go_on"): Transition((status,), _STAFF, ("decide_case",)) for status in ON_THE_WAY},
    (DEPARTED, "insist"): Transition((CLOSED_PENALTY,), _STAFF, ("decide_case", "end_tracking", *_KEEP_PENALTY)),
    (ARRIVED, "insist"): Transition((CLOSED_PENALTY,), _STAFF, ("decide_case", *_KEEP_PENALTY)),
    # The technician wants out (HS-118 to HS-122)
    (DEPARTED, "ask_terminate"): Transition((DEPARTED,), _WORKER, ("open_technician_terminate",)),
    (DEPARTED, "resume_trip"): Transition((DEPARTED,), _STAFF, ("decide_case",)),
    (DEPARTED, "change_technician"): Transition(
        (ACCEPTED,), _STAFF, (*_CHANGE, "end_tracking", "debit_technician", "tell_payment")
    ),
    (DEPARTED, "terminate"): Transition((TERMINATED,), _STAFF, (*_NOTHING_KEPT, "end_tracking", "debit_technician")),
    # Nobody opens (HS-126 to HS-128)
    (ARRIVED, "miss_customer"): Transition((ARRIVED,), _WORKER, ("open_user_unreachable", "tell_wait_started")),
    (ARRIVED, "wait_over"): Transition((ARRIVED,), _SYSTEM, ("tell_wait_over",)),
    (ARRIVED, "find_customer"): Transition(
        (ARRIVED,), _CUSTOMER | _WORKER | _STAFF, ("decide_case", "tell_wait_ended")
    ),
    (ARRIVED, "leave_unmet"): Transition((CLOSED_PENALTY,), _WORKER | _STAFF, ("decide_case", *_KEEP_PENALTY)),
    (DEPARTED, "excuse"): Transition((TERMINATED,), _STAFF, (*_NOTHING_KEPT, "end_tracking")),
    (ARRIVED, "excuse"): Transition((TERMINATED,), _STAFF, _NOTHING_KEPT),
    # After the end
    **_after_end(COMPLETED),
    **_after_end(CLOSED_PENALTY),
    (CLOSED_PENALTY, "reverse_penalty"): Transition(
        (CLOSED_PENALTY,), _STAFF, ("decide_case", "return_coupon", "return_voucher", "refund_part", "tell_payment")
    ),
    # Help, at any time a technician is bound
    **{(status, "ask_help"): Transition((status,), _CUSTOMER | _WORKER, ("open_safety",)) for status in BOUND},
    # Support's word that changes nothing of the order
    **{(status, "compensate"): Transition((status,), _STAFF, ("decide_case", "give_coupon")) for status in STATUSES},
    **{(status, "leave_as_is"): Transition((status,), _STAFF, ("decide_case",)) for status in STATUSES},
}

MACHINE = Machine(
    line=LINE,
    statuses=STATUSES,
    initial=IN_POOL,
    terminal=frozenset({COMPLETED, CANCELLED, CLOSED_PENALTY, TERMINATED}),
    table=TABLE,
)


@dataclass(frozen=True, slots=True)
class Visit:
    """What only a home-service order has. Instants named `…_due_at` are timers that have not fired yet.

    Units: fen, metres; `lon`/`lat` WGS-84 degrees. `grab_id` and `worker_id` name the last
    chosen technician and, with `travel_fen`, stay after he is let go, for late money (HS-088). `lock_epoch` counts
    the locks, so that money of an earlier one is told from money of this one; the price of each lock has its own lines.
    `member_fen` is what the customer's membership takes off, which ran until `member_until` when the order was posted;
    `coupon_fen` is what the coupon takes off the rest. Both are known from the posting on: they depend on the items
    alone.
    `voucher_worker_id` is who gave the voucher and bears it: after a change of technician not the one who comes.
    `travel_extra_fen` is what a changed technician's way costs beyond `travel_fen`, which the customer has paid.
    """

    order_id: str
    item_id: str
    qty: int
    region_code: str
    contact: str
    phone: str
    detail: str
    lon: float
    lat: float
    start_at: datetime
    minutes: int
    item_fen: int
    travel_fen: int | None
    coupon_id: str | None
    coupon_fen: int
    voucher_fen: int
    grab_id: str | None
    worker_id: str | None
    lock_epoch: int
    unbinds: int
    push_round: int
    no_grab_stage: int
    pool_entered_at: datetime
    grab_first_at: datetime | None
    lock_expires_at: datetime | None
    no_grab_due_at: datetime | None
    choice_due_at: datetime | None
    pool_close_due_at: datetime | None
    answer_due_at: datetime | None
    departure_due_at: datetime | None
    departed_at: datetime | None
    arrived_at: datetime | None
    started_at: datetime | None
    ends_at: datetime | None
    ended_at: datetime | None
    leave_due_at: datetime | None
    wait_started_at: datetime | None
    wait_due_at: datetime | None
    travel_extra_fen: int
    voucher_id: str | None
    voucher_worker_id: str | None
    member_fen: int
    member_level: str | None
    member_until: datetime | None


@dataclass(frozen=True, slots=True)
class Job:
    """An order of this line: the kernel's part and the visit."""

    order: Order
    visit: Visit

    @property
    def rules(self) -> HomeserviceRules:
        """The rules this order was posted under."""
        return rules_of(self.order.snapshot["rules"])

    @property
    def policy(self) -> Policy:
        """The refund policy this order was sold under."""
        stored = self.order.snapshot.get("refund_policy")
        return READY[LINE] if stored is None else policy_of(stored)

    @property
    def tariff(self) -> DistanceTariff:
        """The region's travel tariff as it was when the order was posted."""
        return DistanceTariff(**self.order.snapshot["tariff"])

    @property
    def visit_point(self) -> Point:
        """Where the customer is, WGS-84."""
        return Point(self.visit.lon, self.visit.lat)

    @property
    def item_name(self) -> Mapping[str, str]:
        """By language tag."""
        name: Mapping[str, str] = self.order.snapshot["item"]["name"]
        return name


TIMERS: Mapping[str, tuple[str, frozenset[str]]] = {
    "no_grab": ("no_grab_due_at", frozenset({IN_POOL})),
    "choice": ("choice_due_at", frozenset({HAS_CANDIDATES})),
    "lock": ("lock_expires_at", frozenset({PENDING_PAYMENT, CANCEL_REQUESTED})),
    "pool_close": ("pool_close_due_at", frozenset({IN_POOL, HAS_CANDIDATES, PENDING_PAYMENT})),
    "answer": ("answer_due_at", frozenset({PAID})),
    "departure": ("departure_due_at", frozenset({ACCEPTED})),
    "service_end": ("ends_at", frozenset({IN_SERVICE})),
    "leave": ("leave_due_at", frozenset({SERVICE_ENDED})),
    "wait": ("wait_due_at", frozenset({ARRIVED})),
}
"""Timer name → the visit's field that says when, and the statuses in which it runs (spec part 6).

While a cancel is being decided only the lock runs on (spec 5.3)."""


def timers(job: Job) -> dict[str, datetime]:
    """What is due and when, as a function of the state; the executor schedules exactly this."""
    due: dict[str, datetime] = {}
    for name, (field, statuses) in TIMERS.items():
        at: datetime | None = getattr(job.visit, field)
        if at is not None and job.order.status in statuses:
            due[name] = at
    return due


def enter_pool(visit: Visit, rules: HomeserviceRules, now: datetime) -> Visit:
    """The visit of an order that enters or re-enters the pool: the no-grab clock starts anew."""
    return replace(
        visit,
        pool_entered_at=now,
        no_grab_due_at=now + timedelta(seconds=rules.no_grab_s),
        no_grab_stage=0,
        grab_first_at=None,
        choice_due_at=None,
    )


def pool_close_due(rules: HomeserviceRules, start_at: datetime) -> datetime:
    """When an order still without a paid technician becomes a case (HS-098)."""
    return start_at - timedelta(seconds=rules.pool_close_s)


def departure_due(rules: HomeserviceRules, start_at: datetime) -> datetime:
    """When support is told that nobody has left: the latest departure and the grace after it (HS-112)."""
    return start_at - timedelta(seconds=rules.depart_latest_s) + timedelta(seconds=rules.depart_late_s)


def visit_end(started_at: datetime, minutes: int) -> datetime:
    """When the service ends by itself (HS-105)."""
    return started_at + timedelta(minutes=minutes)
