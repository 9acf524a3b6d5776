"""Every state × every verb, allowed and refused.

The expectation is written here from spec 5.3 and 5.5, not from the code.

A cell is the next status, an error code, or "=" (a repeat of the last step: answered with the order, nothing changes).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from rest.lines.homeservice import actions, sharing
from rest.lines.homeservice.casework.types import CASE_TYPES, cases_left
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import MACHINE, STATUSES, TABLE, TIMERS
from rest.money import refunds
from rest.money.refunds import RefundRules
from rest.trade import orders
from rest.trade.orders import By, Role
from storage.base.errors import HubError
from tests.homeservice.conftest import Tech, Town


@dataclass
class Scene:
    town: Town
    job: Any
    tech: Tech
    other: Tech

    async def grab_id(self) -> str:
        async with self.town.db.begin() as tx:
            found = await tx.fetchval(
                "SELECT id FROM grabs WHERE call_id = $1 ORDER BY at LIMIT 1", self.job.order.call_id
            )
        return found or "grb_none"


def run(scene: Scene, verb: Callable[..., Any], *args: Any, **named: Any) -> Awaitable[Any]:
    return scene.town.db.run(verb, *args, **named)


def own(scene: Scene, verb: Callable[..., Any], *args: Any) -> Awaitable[Any]:
    return run(scene, verb, scene.job.order.id, scene.job.order.customer_id, *args)


def bound(scene: Scene, verb: Callable[..., Any], *args: Any) -> Awaitable[Any]:
    return run(scene, verb, scene.job.order.id, scene.tech.id, *args)


async def choose(scene: Scene) -> Any:
    return await own(scene, actions.choose, await scene.grab_id())


async def start(scene: Scene) -> Any:
    return await bound(scene, actions.start, await scene.town.code(scene.job))


async def arrive(scene: Scene) -> Any:
    scene.town.clock.advance(seconds=1)
    await scene.town.fix(scene.tech, scene.job.visit_point)
    return await bound(scene, actions.arrive)


async def ask_help(scene: Scene) -> Any:
    async def verb(tx: Any) -> Any:
        job = await orders.lock_for_customer(tx, HOMESERVICE, scene.job.order.id, scene.job.order.customer_id)
        return await actions.ask_help(tx, job, By(Role.CUSTOMER, job.order.customer_id))

    return await scene.town.db.run(verb)


def decide(scene: Scene, *, saved: bool) -> Awaitable[Any]:
    return run(scene, actions.decide_cancel, scene.job.order.id, "acc_staff", saved=saved, note="talked")


def by_staff(scene: Scene, verb: Callable[..., Any], *args: Any) -> Awaitable[Any]:
    return run(scene, verb, scene.job.order.id, "acc_staff", *args, "talked")


async def find_customer(scene: Scene) -> Any:
    async def verb(tx: Any) -> Any:
        job = await orders.lock_for_worker(tx, HOMESERVICE, scene.job.order.id, scene.tech.id)
        return await actions.find_customer(tx, job, By(Role.WORKER, scene.tech.id))

    return await scene.town.db.run(verb)


async def ask_refund(scene: Scene) -> Any:
    async def verb(tx: Any) -> Any:
        job = await orders.lock_for_customer(tx, HOMESERVICE, scene.job.order.id, scene.job.order.customer_id)
        wish = actions.Wish(amount_fen=500, reason=refunds.Reason.LATE, note="late")
        return await actions.ask_refund(tx, RefundRules(), job, By(Role.CUSTOMER, job.order.customer_id), wish)

    return await scene.town.db.run(verb)


def judge(scene: Scene, outcome: str) -> Awaitable[Any]:
    return run(scene, actions.decide_rejection, scene.job.order.id, "acc_staff", outcome=outcome, note="talked")


async def choose_for(scene: Scene) -> Any:
    return await by_staff(scene, actions.choose_for, await scene.grab_id())


def in_no_case(scene: Scene, verb: Callable[..., Any], *args: Any) -> Awaitable[Any]:
    return run(scene, verb, scene.job.order.id, "acc_staff", *args, "talked", case_id="cas_none")


VERBS: dict[str, Callable[[Scene], Awaitable[Any]]] = {
    "grab": lambda s: run(s, actions.grab, s.job.order.call_id, s.other.id),
    "withdraw": lambda s: run(s, actions.withdraw, s.job.order.call_id, s.tech.id),
    "choose": choose,
    "pay": lambda s: own(s, actions.pay, "wallet"),
    "cancel": lambda s: own(s, actions.cancel, "changed my mind"),
    "reschedule": lambda s: own(s, actions.reschedule, s.town.clock.now() + timedelta(hours=5)),
    "accept": lambda s: bound(s, actions.accept),
    "reject": lambda s: bound(s, actions.reject, "ill"),
    "depart": lambda s: bound(s, actions.depart),
    "arrive": arrive,
    "start": start,
    "end": lambda s: own(s, actions.end),
    "confirm_left": lambda s: own(s, actions.confirm_left),
    "leave": lambda s: bound(s, actions.leave),
    "save": lambda s: decide(s, saved=True),
    "drop": lambda s: decide(s, saved=False),
    "agree": lambda s: judge(s, "technician_agreed"),
    "give_up": lambda s: judge(s, "cancel"),
    "ask_help": ask_help,
    "refund": lambda s: run(s, actions.refund, s.job.order.id, "acc_fay", 1_000, "complaint"),
    "share": lambda s: own(s, sharing.share),
    "phone_cancel": lambda s: by_staff(s, actions.record_phone_cancel),
    "go_on": lambda s: by_staff(s, actions.let_customer_go_on),
    "insist": lambda s: by_staff(s, actions.break_off),
    "ask_terminate": lambda s: bound(s, actions.ask_terminate, "tired"),
    "resume_trip": lambda s: by_staff(s, actions.let_technician_go_on),
    "change_technician": lambda s: by_staff(s, actions.change_technician, s.other.id),
    "terminate": lambda s: by_staff(s, actions.terminate),
    "miss_customer": lambda s: bound(s, actions.miss_customer),
    "find_customer": find_customer,
    "excuse": lambda s: by_staff(s, actions.excuse),
    "ask_refund": ask_refund,
    "wait_more": lambda s: by_staff(s, actions.wait_more),
    "find_technician": lambda s: by_staff(s, actions.find_technician, s.other.id),
    "choose_for": choose_for,
    "reschedule_for": lambda s: by_staff(s, actions.reschedule_for, s.town.clock.now() + timedelta(hours=5)),
    "give_time": lambda s: by_staff(s, actions.give_time),
    "cancel_for": lambda s: by_staff(s, actions.cancel_for),
    "ask_again": lambda s: by_staff(s, actions.ask_again),
    "call_off": lambda s: by_staff(s, actions.call_off),
    "convert_to_pool": lambda s: by_staff(s, actions.convert_to_pool),
    "confirm_left_for": lambda s: by_staff(s, actions.confirm_left_for),
    "complete": lambda s: by_staff(s, actions.complete),
    "end_for": lambda s: in_no_case(s, actions.end_for),
    "compensate": lambda s: in_no_case(s, actions.compensate, "cpt_none"),
    "leave_as_is": lambda s: in_no_case(s, actions.leave_as_is),
}

UNASKED = "case_not_open"
"""Support may decide this here, when somebody asks."""

ALWAYS = dict.fromkeys(("compensate", "leave_as_is"), UNASKED)

NO = "invalid_state"
STRANGER = dict.fromkeys(
    ("accept", "reject", "depart", "arrive", "start", "leave", "ask_terminate", "miss_customer", "find_customer"),
    "not_found",
)
SUPPORT_ON_THE_WAY = dict.fromkeys(
    ("go_on", "insist", "resume_trip", "change_technician", "terminate", "excuse"), UNASKED
)
SUPPORT_AT_THE_DOOR = dict.fromkeys(("go_on", "insist", "excuse"), UNASKED)
SUPPORT_IN_POOL = dict.fromkeys(("wait_more", "find_technician", "reschedule_for", "cancel_for"), UNASKED)
SUPPORT_ON_PAID = dict.fromkeys(("ask_again", "change_technician", "call_off"), UNASKED)
DEPARTED = {
    "depart": "=",
    "arrive": "arrived",
    "ask_help": "departed",
    "share": "departed",
    "cancel": "departed",
    "phone_cancel": "departed",
    "ask_terminate": "departed",
}
ARRIVED = {
    "arrive": "=",
    "start": "in_service",
    "ask_help": "arrived",
    "share": "arrived",
    "cancel": "arrived",
    "phone_cancel": "arrived",
    "miss_customer": "arrived",
    "find_customer": "not_waiting",
    "leave": "not_waiting",
}
ANSWERED = {"accept": "already_answered", "reject": "already_answered"}
HELD = {"withdraw": "locked", "grab": "order_gone"}
LOST = {"withdraw": "offer_closed", "grab": "order_gone"}

EXPECTED: dict[str, dict[str, str]] = {
    "in_pool": STRANGER
    | SUPPORT_IN_POOL
    | {"grab": "has_candidates", "withdraw": "offer_closed", "cancel": "cancelled", "reschedule": "in_pool"},
    "has_candidates": STRANGER
    | SUPPORT_IN_POOL
    | {
        "choose_for": UNASKED,
        "grab": "has_candidates",
        "withdraw": "in_pool",
        "choose": "pending_payment",
        "cancel": "cancelled",
        "reschedule": "in_pool",
    },
    "pending_payment": HELD
    | dict.fromkeys(("give_time", "cancel_for"), UNASKED)
    | {"choose_for": "candidate_gone", "choose": "=", "pay": "paid", "cancel": "cancel_requested"},
    "paid": HELD
    | SUPPORT_ON_PAID
    | {
        "convert_to_pool": UNASKED,
        "pay": "=",
        "cancel": "cancel_requested",
        "accept": "accepted",
        "reject": "rejected",
        "ask_help": "paid",
        "share": "paid",
    },
    "accepted": HELD
    | ANSWERED
    | SUPPORT_ON_PAID
    | {
        "accept": "=",
        "cancel": "cancel_requested",
        "depart": "departed",
        "ask_help": "accepted",
        "share": "accepted",
    },
    "rejected": HELD
    | ANSWERED
    | {
        "reject": "=",
        "cancel": "cancel_requested",
        "agree": "accepted",
        "give_up": "cancel_requested",
        "change_technician": "accepted",
        "call_off": UNASKED,
        "convert_to_pool": UNASKED,
        "ask_help": "rejected",
        "share": "rejected",
    },
    "cancel_requested": HELD | ANSWERED | {"cancel": "=", "save": "paid", "drop": "cancelled"},
    "departed": HELD | ANSWERED | SUPPORT_ON_THE_WAY | DEPARTED,
    "departed, the customer wants out": HELD
    | ANSWERED
    | SUPPORT_ON_THE_WAY
    | DEPARTED
    | {"depart": NO, "cancel": "=", "go_on": "departed", "insist": "closed_penalty"},
    "departed, the technician wants out": HELD
    | ANSWERED
    | SUPPORT_ON_THE_WAY
    | DEPARTED
    | {
        "depart": NO,
        "ask_terminate": "=",
        "resume_trip": "departed",
        "change_technician": "accepted",
        "terminate": "terminated",
    },
    "arrived": HELD | ANSWERED | SUPPORT_AT_THE_DOOR | ARRIVED,
    "arrived, the customer has wanted out on the way": HELD
    | ANSWERED
    | SUPPORT_AT_THE_DOOR
    | ARRIVED
    | {"go_on": "arrived", "insist": "closed_penalty"},
    "arrived, the customer wants out": HELD
    | ANSWERED
    | SUPPORT_AT_THE_DOOR
    | ARRIVED
    | {"arrive": NO, "cancel": "=", "go_on": "arrived", "insist": "closed_penalty"},
    "arrived, waiting": HELD
    | ANSWERED
    | SUPPORT_AT_THE_DOOR
    | ARRIVED
    | {
        "arrive": NO,
        "miss_customer": "=",
        "find_customer": "arrived",
        "leave": "wait_not_over",
        "excuse": "terminated",
    },
    "arrived, waited for ten minutes and a moment": HELD
    | ANSWERED
    | SUPPORT_AT_THE_DOOR
    | ARRIVED
    | {
        "arrive": NO,
        "miss_customer": "=",
        "find_customer": "arrived",
        "leave": "closed_penalty",
        "excuse": "terminated",
    },
    "in_service": HELD
    | ANSWERED
    | {"end": "service_ended", "ask_help": "in_service", "share": "in_service"}
    | {"end_for": UNASKED, "complete": UNASKED},
    "service_ended": HELD
    | ANSWERED
    | {
        "confirm_left_for": UNASKED,
        "complete": UNASKED,
        "end": "=",
        "confirm_left": "leave_confirmed",
        "leave": "not_confirmed",
        "ask_help": "service_ended",
        "share": "service_ended",
    },
    "leave_confirmed": HELD
    | ANSWERED
    | {"confirm_left": "=", "leave": "completed", "ask_help": "leave_confirmed", "share": "leave_confirmed"}
    | {"complete": UNASKED},
    "completed": HELD | {"leave": "=", "refund": "completed", "ask_refund": "completed"},
    "cancelled": LOST,
    "closed_penalty": HELD | {"refund": "closed_penalty", "ask_refund": "closed_penalty"},
    "terminated": LOST,
}
"""By status, and by status with what else is the case."""


async def scene_in(town: Town, name: str) -> Scene:
    other = await town.technician(metres=900)
    status, _, how = name.partition(", ")
    job, tech = await town.in_status("departed" if how.endswith("on the way") else status)
    scene = Scene(town, job, tech, other)
    for verb, word in (("cancel", "customer"), ("ask_terminate", "technician"), ("miss_customer", "wait")):
        if word in how:
            await VERBS[verb](scene)
    if how.endswith("on the way"):
        await VERBS["arrive"](scene)
    if how.endswith("moment"):
        await town.advance(seconds=600.001)
    return scene


async def outcome(scene: Scene, verb: str) -> str:
    """The error code, "=" when nothing changed, or the status after."""
    before = await scene.town.job(scene.job)
    try:
        await VERBS[verb](scene)
    except HubError as refused:
        assert await scene.town.job(scene.job) == before, f"{verb} was refused and changed the order"
        return refused.code
    after = await scene.town.job(scene.job)
    if after.order.version == before.order.version:
        assert after == before
        return after.order.status if verb == "share" else "="
    return after.order.status


@pytest.mark.parametrize("name", EXPECTED)
async def test_every_verb_in_every_status(town: Town, name: str) -> None:
    expected = {verb: (ALWAYS | EXPECTED[name]).get(verb, NO) for verb in VERBS}
    scene = await scene_in(town, name)
    found: dict[str, str] = {}
    for verb in VERBS:
        found[verb] = await outcome(scene, verb)
        if found[verb] in STATUSES and verb != "share":
            scene = await scene_in(town, name)
    assert found == expected
    assert await town.faults() == []


async def test_a_used_code_cannot_start_a_second_time(town: Town) -> None:
    job, tech = await town.in_status("arrived")
    code = await town.code(job)
    await town.by_worker(actions.start, job, tech, code)
    with pytest.raises(HubError) as refused:
        await town.by_worker(actions.start, job, tech, code)
    assert refused.value.code == "code_used"


def test_the_expectation_covers_every_status() -> None:
    assert {name.partition(", ")[0] for name in EXPECTED} == set(STATUSES)


def test_every_edge_of_the_table_is_reached_by_some_test_verb_or_timer() -> None:
    by_time_or_money = {
        "lose_candidates", "push_again", "raise_no_grab", "ask_choice", "near_start", "fail_payment", "unbind",
        "pay_late", "return_money", "miss_answer", "miss_departure", "time_up", "miss_confirmation", "ask_cancel",
        "wait_over", "release_refund", "reverse_penalty",
    }  # fmt: skip
    by_another_name = {
        "phone_cancel": "ask_end", "share": "pay", "choose_for": "choose", "reschedule_for": "reschedule",
        "cancel_for": "cancel", "confirm_left_for": "confirm_left", "end_for": "end",
    }  # fmt: skip
    asked = {by_another_name.get(verb, verb) for verb in VERBS} | {"leave_unmet"}
    assert set(MACHINE.verbs) == asked | by_time_or_money


@pytest.mark.parametrize("role", Role)
def test_every_verb_belongs_to_its_roles_alone(role: Role) -> None:
    """Each cell of the table, asked as each role: its own statuses for who may, `forbidden` for who may not."""
    for status in STATUSES:
        for verb in MACHINE.verbs:
            row = TABLE.get((status, verb))
            by = By(role, "x")
            if row is None:
                wanted: object = NO
            elif role in row.roles:
                wanted = row.to
            else:
                wanted = "forbidden"
            assert _decided(status, verb, by, row.to if row else (None,)) == wanted, (status, verb, role)
    assert {verb for (_, verb), row in TABLE.items() if row.roles == {role}} >= ALONE[role]


ALONE = {
    Role.CUSTOMER: {"ask_cancel"},
    Role.WORKER: {"grab", "accept", "depart", "ask_terminate", "miss_customer", "start"},
    Role.STAFF: {"insist", "go_on", "resume_trip", "change_technician", "terminate", "excuse", "refund",
                 "reverse_penalty", "save", "drop", "call_off", "convert_to_pool", "find_technician", "wait_more",
                 "give_time", "ask_again", "complete", "compensate", "leave_as_is"},
    Role.SYSTEM: {"unbind", "time_up", "wait_over"},
}  # fmt: skip
"""Verbs that are nobody else's, from the specification."""


def _decided(status: str, verb: str, by: By, targets: tuple[str | None, ...]) -> object:
    try:
        return tuple(MACHINE.decide(status, verb, by, to)[1] for to in targets)
    except HubError as refused:
        return refused.code


def test_terminal_statuses_absorb() -> None:
    for (status, _), row in TABLE.items():
        if status in MACHINE.terminal:
            assert row.to == (status,)


def test_every_status_can_be_reached_and_left() -> None:
    reached, last = {MACHINE.initial}, set[str]()
    while reached != last:
        last = set(reached)
        reached |= {to for (status, _), row in TABLE.items() if status in last for to in row.to}
    assert reached == set(STATUSES)
    stuck = {s for s in STATUSES if not any(status == s and set(row.to) - {s} for (status, _), row in TABLE.items())}
    assert stuck == MACHINE.terminal


def test_timers_and_cases_live_in_known_statuses_only() -> None:
    assert all(statuses <= set(STATUSES) - MACHINE.terminal for _, statuses in TIMERS.values())
    assert all(known.live <= set(STATUSES) for known in CASE_TYPES.values())


def test_leaving_the_pool_settles_its_cases() -> None:
    assert cases_left("in_pool", "has_candidates") == ["no_grab"]
    assert cases_left("has_candidates", "cancelled") == ["no_choice", "pool_expired"]
    assert cases_left("pending_payment", "paid") == ["no_choice", "pool_expired", "payment_failed"]
    assert cases_left("in_pool", "in_pool") == []
