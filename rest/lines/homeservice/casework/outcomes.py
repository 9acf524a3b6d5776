"""Outcomes of cases: what support may decide, by type of case and state of the order. Pure: a table and its look-up.

Source: spec 5.9; HS-062 to HS-069, HS-080, HS-081, HS-087, HS-090 to HS-098, HS-106, HS-115 to HS-132, HS-189, HS-197,
HS-208.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from rest.lines.homeservice.casework.types import CASE_TYPES
from rest.lines.homeservice.model import (
    ACCEPTED,
    ARRIVED,
    CANCEL_REQUESTED,
    CLOSED_PENALTY,
    COMPLETED,
    DEPARTED,
    HAS_CANDIDATES,
    IN_POOL,
    IN_SERVICE,
    LEAVE_CONFIRMED,
    ON_THE_WAY,
    PAID,
    PENDING_PAYMENT,
    REJECTED,
    SERVICE_ENDED,
    STATUSES,
    TERMINATED,
    Job,
)

SUPPORT = frozenset({"support", "supervisor", "admin"})
SUPERVISORS = frozenset({"supervisor", "admin"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One thing that can be decided.

    `verb` is what it does in the order's state machine; `statuses` where. `needs` and `takes` name parameters that must
    and that may be given. `moves_money`: worth a look at the preview. `at_closed_door`: only while somebody waits
    there.
    """

    code: str
    verb: str
    statuses: frozenset[str]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    roles: frozenset[str] = SUPPORT
    moves_money: bool = False
    at_closed_door: bool = False

    def fits(self, job: Job) -> bool:
        """Whether the order stands where this can be done."""
        waits = job.visit.wait_started_at is not None
        return job.order.status in self.statuses and (waits or not self.at_closed_door)


def _outcome(code: str, verb: str, *statuses: str, **more: object) -> Outcome:
    return Outcome(code=code, verb=verb, statuses=frozenset(statuses), **more)  # type: ignore[arg-type]  # its fields


_LISTED = (
    # Nobody is paid for yet
    _outcome("technician_found", "find_technician", IN_POOL, HAS_CANDIDATES, needs=("worker_id",)),
    _outcome("wait_more", "wait_more", IN_POOL, HAS_CANDIDATES),
    _outcome("customer_chooses", "choose", HAS_CANDIDATES, PENDING_PAYMENT, needs=("grab_id",)),
    _outcome("reschedule", "reschedule", IN_POOL, HAS_CANDIDATES, needs=("start_at",)),
    _outcome("pay_again", "give_time", PENDING_PAYMENT),
    _outcome("cancel", "cancel", IN_POOL, HAS_CANDIDATES, moves_money=True),
    _outcome("ask_cancel", "ask_cancel", PENDING_PAYMENT),
    # Paid for, and not under way
    _outcome("reached_technician", "ask_again", PAID, ACCEPTED),
    _outcome(
        "change_technician", "change_technician", PAID, REJECTED, ACCEPTED, DEPARTED,
        needs=("worker_id", "consent"), moves_money=True,
    ),
    _outcome("cancel_with_refund", "call_off", PAID, REJECTED, ACCEPTED, moves_money=True),
    _outcome("convert_to_pool", "convert_to_pool", PAID, REJECTED, needs=("consent",)),
    _outcome("technician_accepts", "agree", REJECTED),
    _outcome("customer_refuses", "give_up", REJECTED),
    _outcome("saved", "save", CANCEL_REQUESTED),
    _outcome("not_saved", "drop", CANCEL_REQUESTED, moves_money=True),
    # Under way
    _outcome("goes_on", "go_on", *ON_THE_WAY),
    _outcome("insists", "insist", *ON_THE_WAY, moves_money=True),
    _outcome("technician_goes_on", "resume_trip", DEPARTED),
    _outcome("end_with_refund", "terminate", DEPARTED, moves_money=True),
    _outcome("customer_found", "find_customer", ARRIVED, at_closed_door=True),
    _outcome("technician_leaves", "leave_unmet", ARRIVED, moves_money=True, at_closed_door=True),
    _outcome("ended_without_penalty", "excuse", *ON_THE_WAY, roles=SUPERVISORS, moves_money=True),
    # Served
    _outcome("end_service", "end", IN_SERVICE),
    _outcome("left_confirmed", "confirm_left", SERVICE_ENDED),
    _outcome(
        "end_order", "complete", IN_SERVICE, SERVICE_ENDED, LEAVE_CONFIRMED,
        takes=("amount", "reason"), moves_money=True,
    ),
    _outcome(
        "refund", "ask_refund", COMPLETED, CLOSED_PENALTY, needs=("reason",), takes=("amount",), moves_money=True
    ),
    _outcome(
        "waive_penalty", "reverse_penalty", CLOSED_PENALTY, TERMINATED, ACCEPTED, COMPLETED,
        needs=("penalty_id",), moves_money=True,
    ),
    # Anywhere
    _outcome("coupon", "compensate", *STATUSES, needs=("template_id",)),
    _outcome("nothing_to_do", "leave_as_is", *STATUSES),
)  # fmt: skip

OUTCOMES: Mapping[str, Outcome] = {outcome.code: outcome for outcome in _LISTED}

_ANY = tuple(OUTCOMES)
_CANCEL = ("cancel", "ask_cancel")

PERMITTED: Mapping[str, tuple[str, ...]] = {
    "no_grab": ("technician_found", "wait_more", *_CANCEL),
    "no_choice": ("customer_chooses", "technician_found", "wait_more", *_CANCEL),
    "pool_expired": ("reschedule", "technician_found", "customer_chooses", *_CANCEL),
    "payment_failed": ("pay_again", "customer_chooses", *_CANCEL),
    "accept_timeout": ("reached_technician", "change_technician", "cancel_with_refund", "convert_to_pool"),
    "rejected": ("technician_accepts", "change_technician", "customer_refuses"),
    "cancel_confirm": ("saved", "not_saved"),
    "late_departure": ("reached_technician", "change_technician", "cancel_with_refund"),
    "user_cancel_en_route": ("goes_on", "insists"),
    "user_cancel_on_site": ("goes_on", "insists"),
    "technician_terminate": ("technician_goes_on", "change_technician", "end_with_refund"),
    "position_lost": ("technician_goes_on", "change_technician", "end_with_refund", "nothing_to_do"),
    "user_unreachable": ("customer_found", "technician_leaves", "ended_without_penalty"),
    "leave_unconfirmed": ("left_confirmed", "end_order", "nothing_to_do"),
    "complaint": ("coupon", "end_order", "refund", "waive_penalty", "nothing_to_do"),
    "safety": _ANY,
    "manual": _ANY,
}
"""Case type → codes of what may come of it. Whoever cries for help is helped in every way there is (HS-111, HS-197)."""


def outcomes_now(kind: str, job: Job, roles: AbstractSet[str]) -> list[Outcome]:
    """What these people may decide in a case of this type, as the order stands."""
    if job.order.status not in CASE_TYPES[kind].live:
        return []
    permitted = (OUTCOMES[code] for code in PERMITTED[kind])
    return [outcome for outcome in permitted if outcome.fits(job) and not roles.isdisjoint(outcome.roles)]


ANSWERS: Mapping[str, tuple[str, ...]] = {
    "find_technician": ("no_grab",),
    "wait_more": ("no_grab", "no_choice"),
    "choose": ("no_choice",),
    "reschedule": ("pool_expired",),
    "give_time": ("payment_failed",),
    "cancel": ("no_grab", "no_choice", "pool_expired"),
    "ask_cancel": ("no_choice", "pool_expired", "payment_failed"),
    "ask_again": ("accept_timeout", "late_departure"),
    "change_technician": ("accept_timeout", "rejected", "late_departure", "technician_terminate"),
    "call_off": ("accept_timeout", "late_departure"),
    "convert_to_pool": ("accept_timeout",),
    "agree": ("rejected",),
    "give_up": ("rejected",),
    "save": ("cancel_confirm",),
    "drop": ("cancel_confirm",),
    "go_on": ("user_cancel_en_route", "user_cancel_on_site"),
    "insist": ("user_cancel_en_route", "user_cancel_on_site"),
    "resume_trip": ("technician_terminate",),
    "terminate": ("technician_terminate",),
    "find_customer": ("user_unreachable",),
    "leave_unmet": ("user_unreachable",),
    "excuse": ("user_unreachable",),
    "confirm_left": ("leave_unconfirmed",),
    "end": (),
    "complete": ("leave_unconfirmed",),
    "compensate": (),
    "leave_as_is": (),
}
"""A verb of support → the questions it answers, whichever of them it was decided in. One of them must be open.

What support may also do at no question, is not here (`ask_refund`, `reverse_penalty`)."""

RECORDED: Mapping[str, str] = {outcome.verb: outcome.code for outcome in _LISTED}
"""What a verb of support leaves on the case it closes."""
