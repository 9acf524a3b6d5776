"""Cases and their outcomes: every type × state × outcome of the table, done on real orders (HS-190 to HS-197, 5.9).

Where an outcome leads is written here from the specification, not from the code.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from chat import cases
from chat.cases import Case, CaseFilter
from rest.desk.cases import DecisionParams, Moved, Word, deciding
from rest.edge.values import Amount
from rest.lines.homeservice import actions
from rest.lines.homeservice import decisions as acts
from rest.lines.homeservice.case_side import CASES
from rest.lines.homeservice.casework.effects import open_case
from rest.lines.homeservice.casework.outcomes import ANSWERS, OUTCOMES, PERMITTED, SUPERVISORS, SUPPORT, outcomes_now
from rest.lines.homeservice.casework.types import CASE_TYPES
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import STATUSES, TABLE
from rest.money import ledger, penalties
from rest.trade import orders
from rest.trade.orders import By, Role
from storage.base.errors import HubError
from tests.homeservice.conftest import SQUARE, Tech, Town
from tests.homeservice.test_pool import refused

SIDES = {"homeservice": CASES}
SUE, LEAD = "acc_sue", "acc_lead"
SAME = "="

LEADS_TO = {
    "technician_found": "has_candidates", "wait_more": SAME, "customer_chooses": "pending_payment",
    "reschedule": "in_pool", "pay_again": SAME, "cancel": "cancelled", "ask_cancel": "cancel_requested",
    "reached_technician": SAME, "cancel_with_refund": "cancelled", "convert_to_pool": "in_pool",
    "technician_accepts": "accepted", "customer_refuses": "cancel_requested", "saved": "paid",
    "not_saved": "cancelled", "goes_on": SAME, "insists": "closed_penalty", "technician_goes_on": SAME,
    "end_with_refund": "terminated", "customer_found": SAME, "technician_leaves": "closed_penalty",
    "ended_without_penalty": "terminated", "end_service": "service_ended", "left_confirmed": "leave_confirmed",
    "end_order": "completed", "refund": SAME, "waive_penalty": SAME, "coupon": SAME, "nothing_to_do": SAME,
    "change_technician": "accepted",
}  # fmt: skip
"""Where each outcome leads; a change of technician nobody has answered yet asks the new one: it stays `paid`."""


@dataclass
class Scene:
    """An order with an open case, and who could come instead."""

    town: Town
    job: Any
    tech: Tech
    other: Tech
    case: Case

    async def params(self, outcome: str) -> DecisionParams:
        """What this outcome needs."""
        named = (*OUTCOMES[outcome].needs, *OUTCOMES[outcome].takes)
        given: dict[str, Any] = {}
        if "worker_id" in named:
            given["worker_id"] = self.other.id
        if "consent" in named:
            given["consent"] = True
        if "start_at" in named:
            given["start_at"] = self.town.clock.now() + timedelta(hours=5)
        if "amount" in named:
            given |= {"amount": Amount(amount=500, currency="CNY"), "reason": "late"}
        if "template_id" in named:
            given["template_id"] = (await self.town.template(amount_fen=500)).id
        async with self.town.db.begin() as tx:
            if "grab_id" in named:
                given["grab_id"] = await tx.fetchval(
                    "SELECT id FROM grabs WHERE call_id = $1 AND state = 'offered'", self.job.order.call_id
                )
            if "penalty_id" in named:
                booked = await penalties.of_order(tx, self.job.order.id)
                given["penalty_id"] = booked[0].id if booked else "pen_none"
        return DecisionParams(**given)

    async def decide(self, outcome: str, *, by: str = LEAD, **more: Any) -> Moved:
        word = Word(by=by, roles=roles_of(by), outcome=outcome, note="talked", params=await self.params(outcome))
        return await decide(self.town, self.case.id, word, **more)


def roles_of(who: str) -> frozenset[str]:
    return frozenset({"user", "supervisor" if who == LEAD else "support"})


async def decide(town: Town, case_id: str, word: Word, **more: Any) -> Moved:
    _, moved = await town.db.run(deciding.decide, SIDES, case_id, word, **more)
    return moved


async def scene_of(town: Town, kind: str, status: str) -> Scene:
    """An order in this status with an open case of this type, opened as the product does where it does."""
    other = await town.technician(metres=900)
    tech = await town.technician()
    if status == "pending_payment":  # with one more to choose
        job = await town.post()
        await town.grab(job, tech)
        await town.grab(job, other)
        mine = next(grab for grab in await town.grabs(job) if grab.worker_id == tech.id)
        job = await town.choose(job, mine)
    else:
        job, tech = await town.in_status(status, tech)
    if kind == "user_unreachable":
        await town.by_worker(actions.miss_customer, job, tech)
        town.clock.advance(seconds=600.001)

    async def ask(tx: Any) -> Case:
        held = await orders.lock_for_system(tx, HOMESERVICE, job.order.id)
        return await open_case(tx, held, kind, By(Role.CUSTOMER, job.order.customer_id))

    case = await town.db.run(ask)
    return Scene(town, await town.job(job), tech, other, case)


async def state_of(scene: Scene) -> tuple[Any, Any]:
    async with scene.town.db.begin() as tx:
        return await scene.town.job(scene.job), await cases.find_case(tx, scene.case.id)


# The table


def test_every_outcome_is_a_verb_of_the_state_machine_that_support_may_use() -> None:
    assert acts.ACTS.keys() == OUTCOMES.keys() == LEADS_TO.keys()
    assert PERMITTED.keys() == CASE_TYPES.keys()
    assert {code for codes in PERMITTED.values() for code in codes} == OUTCOMES.keys()
    for outcome in OUTCOMES.values():
        if outcome.code == "waive_penalty":  # of an order that keeps nothing it changes nothing
            continue
        for status in outcome.statuses:
            assert Role.STAFF in TABLE[status, outcome.verb].roles, (outcome.code, status)
            assert "decide_case" in TABLE[status, outcome.verb].effects, (outcome.code, status)


def test_in_every_state_of_its_question_something_can_be_decided() -> None:
    for kind, known in CASE_TYPES.items():
        for status in known.live:
            assert any(status in OUTCOMES[code].statuses for code in PERMITTED[kind]), (kind, status)


def test_a_verb_answers_only_questions_that_permit_it() -> None:
    by_verb = {outcome.verb: outcome.code for outcome in OUTCOMES.values()}
    for verb, kinds in ANSWERS.items():
        assert all(by_verb[verb] in PERMITTED[kind] for kind in kinds), verb


SPECIAL = [kind for kind in CASE_TYPES if kind not in {"safety", "complaint", "manual"}]
PAIRS = [(kind, status) for kind in SPECIAL for status in sorted(CASE_TYPES[kind].live)]
PAIRS += [("manual", status) for status in STATUSES]


@pytest.mark.parametrize(("kind", "status"), PAIRS)
async def test_every_outcome_of_a_case_in_every_state(town: Town, kind: str, status: str) -> None:
    """Permitted: the verb ran, the order stands where it should, the case is closed. Else 422, and nothing changed."""
    scene = await scene_of(town, kind, status)
    allowed = {outcome.code for outcome in outcomes_now(kind, scene.job, SUPPORT | SUPERVISORS)}
    assert allowed
    before = await state_of(scene)
    for code in OUTCOMES.keys() - allowed:
        assert await refused(scene.decide(code)) == "outcome_not_allowed"
    assert await state_of(scene) == before
    for n, code in enumerate(sorted(allowed)):
        if n:
            scene = await scene_of(town, kind, status)
        if code == "waive_penalty" and status in {"accepted", "completed"}:
            assert await refused(scene.decide(code)) == "not_found"  # there is none
            continue
        await check_decision(scene, code)
    await town.run()
    assert await town.faults() == []


async def check_decision(scene: Scene, code: str) -> None:
    status, version = scene.job.order.status, scene.job.order.version
    moved = await scene.decide(code)
    job, case = await state_of(scene)
    leads_to = LEADS_TO[code] if (code, status) != ("change_technician", "paid") else SAME
    if code == "technician_found":
        leads_to = "has_candidates"
    assert (code, job.order.status) == (code, status if leads_to == SAME else leads_to)
    assert (moved.status_before, moved.status) == (status, job.order.status)
    assert job.order.version > version
    assert (case.state, case.outcome, case.closed_by, case.note) == ("closed", code, LEAD, "talked")
    assert moved.customer_refund_fen == job.order.refunded_fen - scene.job.order.refunded_fen
    step = next(event for event in await scene.town.events(job) if event.n == version + 1)
    assert (step.actor, step.data["case_id"], step.data["note"]) == (f"staff:{LEAD}", case.id, "talked")


def test_who_cries_for_help_is_helped_in_every_way_and_supervisors_have_more_of_them(town: Town) -> None:
    assert PERMITTED["safety"] == PERMITTED["manual"] == tuple(OUTCOMES)
    assert [code for code, outcome in OUTCOMES.items() if outcome.roles == SUPERVISORS] == ["ended_without_penalty"]


# What is refused


async def test_what_a_decision_must_say(town: Town) -> None:
    scene = await scene_of(town, "accept_timeout", "paid")

    async def said(outcome: str, **params: Any) -> Any:
        word = Word(by=SUE, roles=roles_of(SUE), outcome=outcome, note="x", params=DecisionParams(**params))
        with pytest.raises(HubError) as problem:
            await decide(town, scene.case.id, word)
        return problem.value.code, problem.value.fields

    before = await state_of(scene)
    assert await said("nonsense") == (
        "outcome_not_allowed",
        {"allowed": ["cancel_with_refund", "change_technician", "convert_to_pool", "reached_technician"]},
    )
    assert (await said("convert_to_pool"))[0] == "consent_required"
    assert (await said("change_technician", worker_id=scene.other.id))[0] == "consent_required"
    assert (await said("change_technician", consent=True)) == ("invalid_input", {"field": "params.worker_id"})
    assert (await said("cancel_with_refund", worker_id=scene.other.id))[1] == {"field": "params.worker_id"}
    assert await state_of(scene) == before


async def test_support_ends_nothing_without_a_penalty(town: Town) -> None:
    scene = await scene_of(town, "user_unreachable", "arrived")
    assert await refused(scene.decide("ended_without_penalty", by=SUE)) == "outcome_not_allowed"
    assert (await scene.decide("ended_without_penalty", by=LEAD)).status == "terminated"


async def test_a_coupon_of_a_case_has_its_limit(town: Town) -> None:
    """HS-189: 100 yuan in all."""
    scene = await scene_of(town, "manual", "paid")
    template = await town.template(amount_fen=10_001)
    word = Word(
        by=SUE, roles=roles_of(SUE), outcome="coupon", note="sorry", params=DecisionParams(template_id=template.id)
    )
    before = await state_of(scene)
    assert await refused(decide(town, scene.case.id, word)) == "coupon_gift_limit"
    assert await state_of(scene) == before


# Money


async def converted(town: Town, *, metres: float = 3_900) -> tuple[Any, Tech]:
    """An order of 411.50 paid for that its technician does not answer, back in the pool."""
    tech = await town.technician(metres=metres)
    job, _ = await town.in_status("paid", tech)
    await town.advance(minutes=5)
    assert set(await town.open_cases(job)) == {"accept_timeout"}
    case_id = await the_case(town, job)
    word = Word(
        by=SUE, roles=roles_of(SUE), outcome="convert_to_pool", note="he agrees", params=DecisionParams(consent=True)
    )
    moved = await decide(town, case_id, word)
    assert (moved.status, moved.customer_refund_fen) == ("in_pool", 0)
    return await town.job(job), tech


async def the_case(town: Town, job: Any) -> str:
    async with town.db.begin() as tx:
        (case,) = await cases.newest_cases(tx, CaseFilter(states=("open", "taken"), subject_id=job.order.id))
    return case.id


@pytest.mark.parametrize(("metres", "price", "moved"), [(300, 40_900, "refunded"), (5_800, 41_650, "paid")])
async def test_an_order_turned_into_a_pool_order_keeps_its_money_for_the_next_choice(
    town: Town, metres: float, price: int, moved: str
) -> None:
    """HS-068: the difference is charged or goes back."""
    job, former = await converted(town)
    assert (job.order.kept_fen, job.order.total_fen, job.order.provider_id) == (41_150, 0, None)
    assert await town.balance(ledger.escrow(job.order.id)) == 41_150
    assert await refused(town.grab(job, former)) == "not_eligible"
    other = await town.technician(metres=metres)
    await town.grab(job, other)
    job = await town.choose(job, (await town.grabs(job))[0])
    job = await town.pay(job)
    assert (job.order.status, job.order.provider_id, job.order.kept_fen) == ("paid", other.id, price)
    assert await town.wallet(job.order.customer_id) == 100_000 - price
    told = (await town.heard(f"customer:{job.order.customer_id}", "payment.settled"))[-1]
    assert (told["state"], told["amount"]["amount"]) == (moved, abs(price - 41_150))
    for name in ("accept", "depart", "arrive", "start", "end", "confirm_left", "leave"):
        job = await town._go(job, other, name)
    assert await town.balance(ledger.pending("worker", other.id)) == 24_000 + price - 40_000
    assert await town.faults() == []


async def test_who_cancels_after_that_has_everything_back(town: Town) -> None:
    """Money is in it, so support confirms; in the pool, or with one chosen."""
    for chosen in (False, True):
        job, _ = await converted(town)
        if chosen:
            await town.grab(job, await town.technician(metres=300))
            job = await town.choose(job, (await town.grabs(job))[0])
        job = await town.by_customer(actions.cancel, job, "enough")
        assert job.order.status == "cancel_requested"
        done = await town.db.run(actions.decide_cancel, job.order.id, SUE, saved=False, note="ok")
        assert (done.order.status, done.order.kept_fen, done.order.provider_id) == ("cancelled", 0, None)
        assert await town.wallet(job.order.customer_id) == 100_000
    assert await town.faults() == []


async def test_support_cancels_in_the_pool_and_a_used_coupon_comes_back(town: Town) -> None:
    customer = await town.customer()
    coupon_id = await town.coupon(customer)
    tech = await town.technician()
    job, _ = await town.in_status("paid", tech, customer_id=customer, coupon_id=coupon_id)
    await town.advance(minutes=5)
    await town.db.run(actions.convert_to_pool, job.order.id, SUE, "agrees")
    assert await town.coupon_state(coupon_id) == ("used", job.order.id)
    other = await town.technician(metres=400)
    await town.grab(job, other)
    again = await town.pay(await town.choose(job, (await town.grabs(job))[0]))
    assert (again.order.kept_fen, await town.wallet(customer)) == (35_900, 100_000 - 35_900)
    await town.advance(minutes=5)
    await town.db.run(actions.convert_to_pool, job.order.id, SUE, "agrees again")
    await town.advance(minutes=5)  # nobody grabs
    case_id = await the_case(town, job)
    moved = await decide(
        town, case_id, Word(by=SUE, roles=roles_of(SUE), outcome="cancel", note="x", params=DecisionParams())
    )
    assert (moved.status, moved.customer_refund_fen) == ("cancelled", 35_900)
    assert await town.coupon_state(coupon_id) == ("issued", None)
    assert await town.faults() == []


async def test_a_changed_technician_is_asked_and_the_first_one_never_comes_back(town: Town) -> None:
    """HS-066, HS-069: of a shorter way the customer has the difference back."""
    far = await town.technician(metres=4_800)
    job, _ = await town.in_status("paid", far)
    near = await town.technician(metres=300)
    await town.advance(minutes=5)
    params = DecisionParams(worker_id=near.id, consent=True)
    word = Word(by=SUE, roles=roles_of(SUE), outcome="change_technician", note="agreed", params=params)
    moved = await decide(town, await the_case(town, job), word)
    assert (moved.status, moved.customer_refund_fen, moved.worker_penalty_fen) == ("paid", 500, 0)
    (offer,) = await town.heard(f"worker:{near.id}", "order.offered")
    assert offer["payable"]["amount"] == 40_900
    assert await refused(town.by_worker(actions.accept, job, far)) == "not_found"
    assert (await town.by_worker(actions.accept, job, near)).order.status == "accepted"
    assert await town.faults() == []


async def test_a_technician_reached_has_his_time_again(town: Town) -> None:
    """HS-065, HS-070."""
    job, tech = await town.in_status("paid")
    await town.advance(minutes=5)
    case_id = await the_case(town, job)
    word = Word(by=SUE, roles=roles_of(SUE), outcome="reached_technician", note="drives", params=DecisionParams())
    await decide(town, case_id, word)
    await town.advance(minutes=4)
    assert await town.open_cases(job) == {}
    await town.advance(minutes=1)
    assert set(await town.open_cases(job)) == {"accept_timeout"}
    await town.by_worker(actions.accept, job, tech)
    assert (await town.open_cases(job), await town.faults()) == ({}, [])


async def test_an_order_ended_by_support_is_shared_out_and_its_refund_waits_for_finance(town: Town) -> None:
    scene = await scene_of(town, "safety", "in_service")
    moved = await scene.decide("end_order", by=SUE)
    assert (moved.status, moved.refund_asked_fen, moved.customer_refund_fen) == ("completed", 500, 0)
    assert await town.balance(ledger.pending("worker", scene.tech.id)) == 24_900
    assert await town.faults() == []


# At the same time


def coded(work: Any) -> Any:
    async def run() -> str:
        try:
            await work
        except HubError as problem:
            return problem.code
        return "ok"

    return asyncio.ensure_future(run())


REASONS = {"case_not_open", "invalid_state", "already_taken", "outcome_not_allowed", "already_answered", "not_found"}


@pytest.mark.parametrize(
    ("kind", "status", "outcome", "rival"),
    [
        ("accept_timeout", "paid", "cancel_with_refund", "accept"),
        ("accept_timeout", "paid", "convert_to_pool", "accept"),
        ("user_cancel_en_route", "departed", "insists", "arrive"),
        ("user_unreachable", "arrived", "technician_leaves", "leave"),
        ("accept_timeout", "paid", "change_technician", "decide"),
        ("cancel_confirm", "cancel_requested", "not_saved", "decide"),
        ("cancel_confirm", "cancel_requested", "not_saved", "take"),
        ("payment_failed", "pending_payment", "ask_cancel", "pay"),
    ],
)
async def test_a_decision_and_something_else_at_once(
    town: Town, kind: str, status: str, outcome: str, rival: str
) -> None:
    """One of them counts: the order moved once, the case is closed once, and the money is where it says."""
    others = {"not_saved": "saved", "change_technician": "convert_to_pool"}
    for n in range(4):
        scene = await scene_of(town, kind, status)
        town.clock.advance(seconds=1)
        await town.fix(scene.tech, SQUARE)
        second = {
            "decide": lambda s=scene: s.decide(others[outcome], by="acc_sid"),
            "take": lambda s=scene: s.town.db.run(cases.take_case, s.case.id, "acc_sid"),
            "pay": lambda s=scene: s.town.pay(s.job),
            "accept": lambda s=scene: town.by_worker(actions.accept, s.job, s.tech),
            "arrive": lambda s=scene: town.by_worker(actions.arrive, s.job, s.tech),
            "leave": lambda s=scene: town.by_worker(actions.leave, s.job, s.tech),
        }[rival]
        works = [coded(scene.decide(outcome, by=SUE)), coded(second())]
        answers = [await work for work in (works if n % 2 else works[::-1])]
        assert "ok" in answers
        assert set(answers) <= {"ok", *REASONS}
        _, case = await state_of(scene)
        if rival != "arrive":
            assert answers.count("ok") == 1 or (rival == "take" and case.taken_by != "acc_sid"), answers
        if case.state == "closed" and case.closed_by is None:
            assert case.outcome in {"self_resolved", "technician_leaves"}
    await town.run()
    assert await town.faults() == []


async def test_of_many_who_decide_one_does(town: Town) -> None:
    scene = await scene_of(town, "cancel_confirm", "cancel_requested")
    answers = await asyncio.gather(*(coded(scene.decide("not_saved", by=f"acc_{n}")) for n in range(8)))
    assert answers.count("ok") == 1
    assert set(answers) <= {"ok", *REASONS}
    assert await town.faults() == []


async def test_what_somebody_else_is_on_is_his_unless_one_leads(town: Town) -> None:
    """HS-191."""
    scene = await scene_of(town, "cancel_confirm", "cancel_requested")
    await town.db.run(cases.take_case, scene.case.id, "acc_sid")
    before = await state_of(scene)
    assert await refused(scene.decide("saved", by=SUE)) == "already_taken"
    assert await state_of(scene) == before
    assert (await scene.decide("saved", by=LEAD)).status == "paid"


# Previews


@pytest.mark.parametrize(
    ("kind", "status", "outcome"),
    [("manual", "departed", "insists"), ("manual", "departed", "end_with_refund"),
     ("manual", "paid", "cancel_with_refund"), ("manual", "closed_penalty", "waive_penalty")],
)  # fmt: skip
async def test_a_preview_says_what_deciding_does_and_leaves_nothing(
    town: Town, kind: str, status: str, outcome: str
) -> None:
    scene = await scene_of(town, kind, status)
    word = Word(by=LEAD, roles=roles_of(LEAD), outcome=outcome, note="x", params=await scene.params(outcome))
    before, told = await state_of(scene), await everything_told(town)
    with pytest.raises(deciding.Undone) as seen:
        await town.db.run(deciding.preview, SIDES, scene.case.id, word)
    assert (await state_of(scene), await everything_told(town)) == (before, told)
    assert await refused(decide(town, scene.case.id, word, shown="0" * 32)) == "preview_changed"
    assert await state_of(scene) == before
    named = seen.value.moved.hash(scene.case.id, outcome)
    assert await decide(town, scene.case.id, word, shown=named) == seen.value.moved
    assert await town.faults() == []


async def everything_told(town: Town) -> int:
    async with town.db.begin() as tx:
        return int(await tx.fetchval("SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM ledger_entries)"))


# Invariants that hold nothing are worth nothing


_CLOSED = "UPDATE cases SET state = 'closed', closed_at = opened_at, closed_by = 'acc_x', note = 'x', outcome = "
FAULTS = {
    "HS-190": "UPDATE orders SET status = 'accepted', version = version + 1 WHERE id = $2 AND $1 <> ''",
    "HS-192 a closed case": _CLOSED + "'insists' WHERE id = $1 AND subject_id = $2",
    "HS-192 a case that support": _CLOSED + "'saved' WHERE id = $1 AND subject_id = $2",
    "HS-192 a case named": """
        INSERT INTO order_events
        SELECT order_id, n + 1, at, actor, verb, from_status, to_status, jsonb_build_object('case_id', $1::text)
          FROM order_events WHERE order_id = $2 ORDER BY n DESC LIMIT 1""",
    "HS-191": "UPDATE cases SET version = version + 1 WHERE id = $1 AND subject_id = $2",
    "HS-195": "DELETE FROM jobs WHERE key = 'case:' || $1 || ':untouched' AND $2 <> ''",
}


@pytest.mark.parametrize(("fault", "sql"), FAULTS.items())
async def test_each_invariant_of_cases_sees_its_fault(town: Town, fault: str, sql: str) -> None:
    scene = await scene_of(town, "cancel_confirm", "cancel_requested")
    assert await town.faults() == []
    async with town.db.begin() as tx:
        await tx.execute(sql, scene.case.id, scene.job.order.id)
    assert any(found.startswith(fault) for found in await town.faults())


async def test_the_invariant_of_kept_money_sees_its_fault(town: Town) -> None:
    job, _ = await town.in_status("in_pool")
    async with town.db.begin() as tx:
        await tx.execute("UPDATE orders SET paid_fen = 5 WHERE id = $1", job.order.id)
    assert any(found.startswith("HS-068") for found in await town.faults())
