"""Types of cases: how urgent each is, where its question stands, and whose own case it is. Pure.

Source: spec 5.9, HS-190, HS-194, HS-196.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from rest.lines.homeservice.model import (
    ACCEPTED,
    ARRIVED,
    CANCEL_REQUESTED,
    DEPARTED,
    HAS_CANDIDATES,
    IN_POOL,
    ON_THE_WAY,
    PAID,
    PENDING_PAYMENT,
    REJECTED,
    SERVICE_ENDED,
    STATUSES,
)


class Whose(StrEnum):
    """Which side of the order reads how its case stands; of a cry for help only who has cried."""

    CUSTOMER = "customer"
    WORKER = "worker"
    BOTH = "both"
    ASKER = "asker"
    NOBODY = "nobody"


class CaseType(NamedTuple):
    """`priority`: 9 is the most urgent. `due_s`: seconds until an answer is needed. `live`: where its question stands;
    leaving these statuses closes it as `self_resolved`. `calls_all`: nobody waits for its turn in the queue.
    """

    title: str
    priority: int
    due_s: int
    live: frozenset[str]
    whose: Whose
    calls_all: bool = False


_CHOOSING = frozenset({IN_POOL, HAS_CANDIDATES, PENDING_PAYMENT})
_ALWAYS = frozenset(STATUSES)

CASE_TYPES: Mapping[str, CaseType] = {
    "no_grab": CaseType("No technician has answered", 4, 180, frozenset({IN_POOL}), Whose.CUSTOMER),
    "no_choice": CaseType("The customer has not chosen a technician", 2, 900, _CHOOSING, Whose.CUSTOMER),
    "pool_expired": CaseType("The start is near and no technician is paid for", 4, 600, _CHOOSING, Whose.CUSTOMER),
    "payment_failed": CaseType("A payment failed", 4, 180, frozenset({PENDING_PAYMENT}), Whose.CUSTOMER),
    "accept_timeout": CaseType("The technician has not answered", 6, 300, frozenset({PAID}), Whose.BOTH),
    "rejected": CaseType("The technician rejected a paid order", 6, 300, frozenset({REJECTED}), Whose.BOTH),
    "cancel_confirm": CaseType("The customer wants to cancel", 5, 300, frozenset({CANCEL_REQUESTED}), Whose.CUSTOMER),
    "late_departure": CaseType("The technician has not departed", 7, 300, frozenset({ACCEPTED}), Whose.BOTH),
    # Who wanted out on the way still wants it at the door.
    "user_cancel_en_route": CaseType(
        "The customer wants to cancel; the technician is on his way", 7, 180, frozenset(ON_THE_WAY), Whose.BOTH
    ),
    "user_cancel_on_site": CaseType(
        "The customer wants to cancel; the technician is at the door", 8, 180, frozenset({ARRIVED}), Whose.BOTH
    ),
    "technician_terminate": CaseType(
        "The technician does not want to go on", 7, 180, frozenset({DEPARTED}), Whose.WORKER
    ),
    "position_lost": CaseType("No position comes from the technician", 6, 300, frozenset({DEPARTED}), Whose.NOBODY),
    "user_unreachable": CaseType("The technician cannot reach the customer", 8, 180, frozenset({ARRIVED}), Whose.BOTH),
    "leave_unconfirmed": CaseType(
        "The customer has not confirmed that the technician left", 1, 1_800, frozenset({SERVICE_ENDED}), Whose.BOTH
    ),
    "complaint": CaseType("Somebody complains", 3, 3_600, _ALWAYS, Whose.ASKER),
    "safety": CaseType("A person asks for help", 9, 60, _ALWAYS, Whose.ASKER, calls_all=True),
    "manual": CaseType("Opened by support", 3, 1_800, _ALWAYS, Whose.NOBODY),
}

POOL_CASES = ("no_grab", "no_choice", "pool_expired")


def cases_left(before: str, after: str) -> list[str]:
    """The case types that a move from one status to another settles by itself (HS-194)."""
    return [kind for kind, known in CASE_TYPES.items() if before in known.live and after not in known.live]
