"""Refund requests of home-service orders by their verbs: asked, reserved, agreed to, given. HTTP: test_break_routes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rest.lines.homeservice import actions
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.routes import REFUNDED
from rest.money import refunds
from rest.money.refunds import Reason, RefundRules, RequestState, store
from rest.money.refunds.deadlines import DEADLINES
from rest.money.refunds.model import TRANSITIONS, VERBS, Leg, progress
from rest.money.refunds.ready import READY
from rest.trade import orders
from rest.trade.orders import By, Role
from storage.base.errors import HubError
from tests.homeservice.conftest import Tech, Town
from tests.homeservice.test_pool import refused
from tests.homeservice.test_refund import completed, purse

RULES = RefundRules(second_over_fen=10_000)
FAY, FOX, SUE = "acc_fay", "acc_fox", "acc_sue"


async def ask(
    town: Town, job: Any, fen: int | None, *, by: By | None = None, shown: str | None = None, rules: RefundRules = RULES
) -> Any:
    async def act(tx: Any) -> Any:
        held = await orders.lock_for_system(tx, HOMESERVICE, job.order.id)
        wish = actions.Wish(amount_fen=fen, reason=Reason.QUALITY, note="not good", shown=shown)
        return await actions.ask_refund(tx, rules, held, by or By(Role.CUSTOMER, job.order.customer_id), wish)

    return await town.db.run(act)


def approve(town: Town, one: Any, by: str = FAY, **named: Any) -> Any:
    return town.db.run(refunds.approve, REFUNDED, one.id, by=by, note="fine", **named)


def reject(town: Town, one: Any, by: str = FAY) -> Any:
    return town.db.run(refunds.reject, REFUNDED, one.id, by=by, reason="no")


def withdraw(town: Town, one: Any, account_id: str) -> Any:
    return town.db.run(refunds.withdraw, REFUNDED, one.id, account_id=account_id)


async def events(town: Town, one: Any) -> list[tuple[str, str]]:
    async with town.db.begin() as tx:
        return [(event.verb, event.actor.partition(":")[0]) for event in await store.events(tx, one.id)]


async def legs(town: Town, one: Any) -> list[Leg]:
    async with town.db.begin() as tx:
        return (await store.legs_of(tx, [one.id])).get(one.id, [])


async def test_asked_reserved_approved_given(town: Town) -> None:
    job, tech = await completed(town)
    one = await ask(town, job, 9_000)
    assert (one.state, (await town.job(job)).order.refund_reserved_fen) == (RequestState.REQUESTED, 9_000)
    town.clock.advance(hours=2)
    done = await approve(town, one)
    assert (done.state, done.approved_fen, done.approved_by) == (RequestState.EXECUTED, 9_000, FAY)
    order = (await town.job(job)).order
    assert (order.refunded_fen, order.refund_reserved_fen, order.kept_fen) == (9_000, 0, 31_900)
    assert await town.wallet(job.order.customer_id) == 100_000 - 31_900
    assert await events(town, one) == [("ask", "customer"), ("execute", "staff")]
    (leg,) = await legs(town, one)
    assert (leg.method, leg.amount_fen, leg.state, progress([leg])) == ("wallet", 9_000, "done", "succeeded")
    told = await town.heard(f"customer:{job.order.customer_id}", "refund.changed")
    assert [(fact["state"], fact["version"]) for fact in told] == [("requested", 1), ("executed", 2)]
    assert await town.heard(f"worker:{tech.id}", "refund.changed") != []
    async with town.db.begin() as tx:
        rows = await store.statistics(tx, "reason", one.requested_at, town.clock.now() + timedelta(days=1), limit=10)
    assert [tuple(row.values()) for row in rows] == [("quality", 1, 9_000, 7_200)]
    assert await town.faults() == []


async def test_above_the_limit_a_second_person_must_agree(town: Town) -> None:
    job, _ = await completed(town)
    one = await ask(town, job, 10_001)
    first = await approve(town, one)
    assert (first.state, (await town.job(job)).order.refunded_fen) == (RequestState.APPROVING, 0)
    assert await refused(approve(town, one)) == "same_approver"
    assert await refused(approve(town, one, FOX, amount_fen=10_000)) == "approved_amount"
    assert await refused(withdraw(town, one, job.order.customer_id)) == "refund_state"
    assert (await approve(town, one, FOX)).state is RequestState.EXECUTED
    assert await events(town, one) == [("ask", "customer"), ("approve_first", "staff"), ("execute", "staff")]
    assert await refused(approve(town, one, FOX)) == "refund_state"
    at_the_limit = await ask(town, job, 10_000)
    assert (await approve(town, at_the_limit)).state is RequestState.EXECUTED
    assert await town.faults() == []


async def test_the_second_person_may_refuse(town: Town) -> None:
    job, _ = await completed(town)
    one = await ask(town, job, None)
    await approve(town, one)
    assert (await reject(town, one, FOX)).state is RequestState.REJECTED
    order = (await town.job(job)).order
    assert (order.refunded_fen, order.refund_reserved_fen) == (0, 0)
    assert await town.faults() == []


async def test_less_than_was_asked_may_be_given_and_the_rest_is_free_again(town: Town) -> None:
    job, _ = await completed(town)
    one = await ask(town, job, None)
    assert one.amount_fen == 40_900
    assert await refused(approve(town, one, amount_fen=40_901)) == "approved_amount"
    assert (await approve(town, one, amount_fen=100)).approved_fen == 100
    order = (await town.job(job)).order
    assert (order.refunded_fen, order.refund_reserved_fen) == (100, 0)
    assert await town.faults() == []


async def test_refused_and_withdrawn_requests_release_what_they_reserved(town: Town) -> None:
    job, _ = await completed(town)
    one, two = await ask(town, job, 40_000), await ask(town, job, 900)
    assert await refused(ask(town, job, 1)) == "refund_exceeds_paid"
    await reject(town, one)
    three = await ask(town, job, 40_000)
    assert await refused(withdraw(town, three, "acc_thief")) == "not_found"
    for _ in range(2):
        assert (await withdraw(town, three, job.order.customer_id)).state is RequestState.WITHDRAWN
    assert await refused(reject(town, three)) == "refund_state"
    assert (await town.job(job)).order.refund_reserved_fen == two.amount_fen
    verbs = [event.verb for event in await town.events(job)][-5:]
    assert verbs == ["ask_refund", "ask_refund", "release_refund", "ask_refund", "release_refund"]
    assert await town.faults() == []


async def test_nobody_decides_about_his_own_money(town: Town) -> None:
    job, _ = await completed(town)
    one = await ask(town, job, 500, by=By(Role.STAFF, SUE))
    for act in (approve(town, one, job.order.customer_id), reject(town, one, job.order.customer_id)):
        assert await refused(act) == "own_refund"
    assert await refused(withdraw(town, one, job.order.customer_id)) == "not_found"  # he has not asked


async def test_the_time_and_the_number_of_requests_are_bounded(town: Town) -> None:
    job, _ = await completed(town)
    for _ in range(RULES.open_max):
        await ask(town, job, 1)
    assert await refused(ask(town, job, 1)) == "too_many_refunds"
    await town.advance(hours=7 * 24)
    assert await refused(ask(town, job, 1)) == "too_many_refunds"  # the last instant of the window
    await town.advance(seconds=1)
    assert await refused(ask(town, job, 1)) == "refund_window"
    other, _ = await completed(town)
    await town.advance(hours=8 * 24)
    assert (await ask(town, other, 1, by=By(Role.STAFF, SUE))).state is RequestState.REQUESTED


async def test_a_preview_of_a_request_names_it(town: Town) -> None:
    job, _ = await completed(town)
    fen, name = actions.preview_refund(await town.job(job), 700)
    await ask(town, job, 100)
    with pytest.raises(HubError) as changed:
        await ask(town, job, 700, shown=name)
    assert changed.value.code == "preview_changed"
    again = changed.value.fields["preview"]
    assert again["refund_fen"] == fen
    assert (await ask(town, job, 700, shown=again["preview_hash"])).amount_fen == 700
    assert await town.faults() == []


async def test_a_provider_may_be_asked_first_and_has_a_day(town: Town) -> None:
    """FR-151, FR-159: an opinion never ends the case."""
    asked_first = msgspec.structs.replace(READY["homeservice"], version=2, provider_review=True, second_over_fen=300)
    await town.db.run(refunds.publish, asked_first, note="fair", by=FAY)
    job, tech = await completed(town)
    one, two = await ask(town, job, 200), await ask(town, job, 400)
    assert (one.state, two.second_over_fen) == (RequestState.REVIEW, 300)
    assert await refused(approve(town, one)) == "refund_state"
    review = {"agrees": False, "comment": "I was on time"}
    assert await refused(town.db.run(refunds.review, one.id, worker_id="wrk_other", **review)) == "not_found"
    said = await town.db.run(refunds.review, one.id, worker_id=tech.id, **review)
    assert (said.state, said.opinion) == (RequestState.REQUESTED, "objects")
    assert (await approve(town, one)).state is RequestState.EXECUTED
    town.clock.advance(hours=24)
    await town.db.run(DEADLINES["refunds.review_due"], {"refund_id": two.id})
    await town.db.run(DEADLINES["refunds.review_due"], {"refund_id": two.id})
    assert await events(town, two) == [("ask", "customer"), ("miss_review", "system")]
    assert await refused(town.db.run(refunds.review, two.id, worker_id=tech.id, **review)) == "refund_state"
    assert (await approve(town, two)).state is RequestState.APPROVING
    async with town.db.begin() as tx:
        waiting = await tx.fetch("SELECT key FROM jobs WHERE key LIKE 'refund:%'")
    assert [row["key"] for row in waiting] == [f"refund:{two.id}:review"]  # the one this test has fired by hand
    assert await town.faults() == []


async def test_a_penalty_is_not_taken_back_while_somebody_asks_for_it(town: Town) -> None:
    job, _ = await town.in_status("closed_penalty")
    one = await ask(town, job, 5_000)
    async with town.db.begin() as tx:
        penalty_id = await tx.fetchval("SELECT id FROM penalties WHERE order_id = $1", job.order.id)
    assert await refused(town.db.run(actions.reverse_penalty, penalty_id, SUE, "mistake")) == "refund_open"
    await approve(town, one)
    await town.db.run(actions.reverse_penalty, penalty_id, SUE, "mistake")
    assert await town.wallet(job.order.customer_id) == 100_000
    assert await town.faults() == []


def test_every_state_and_verb_of_a_request() -> None:
    """Written from freight 5.4, not from the code."""
    allowed = {
        "review": {"review": "requested", "miss_review": "requested", "withdraw": "withdrawn"},
        "requested": {
            "approve_first": "approving", "execute": "executed", "reject": "rejected", "withdraw": "withdrawn",
        },
        "approving": {"execute": "executed", "reject": "rejected"},
    }  # fmt: skip
    for state in RequestState:
        for verb in VERBS:
            found = TRANSITIONS.get((state, verb))
            assert (found.value if found else None) == allowed.get(state.value, {}).get(verb), (state, verb)


@pytest.mark.parametrize(
    ("states", "whole"),
    [(["done", "done"], "succeeded"), (["done", "requested"], "processing"), (["accepted"], "processing"),
     (["done", "manual", "requested"], "manual"), ([], "succeeded")],
)  # fmt: skip
def test_how_far_the_money_has_come(states: list[str], whole: str) -> None:
    assert (
        progress([Leg(payment_id="p", method="m", amount_fen=1, points=0, ref="r", state=state) for state in states])
        == whole
    )


# Races


async def _code(act: Any) -> str:
    try:
        return str((await act).state)
    except HubError as problem:
        return problem.code


async def test_approved_twice_at_once_it_is_given_once(town: Town) -> None:
    job, _ = await completed(town)
    one = await ask(town, job, 5_000)
    answers = await asyncio.gather(*(_code(approve(town, one, by)) for by in (FAY, FOX, FAY, FOX)))
    assert sorted(answers) == ["executed", *["refund_state"] * 3]
    assert (await town.job(job)).order.refunded_fen == 5_000
    large = await ask(town, job, 20_000)
    answers = await asyncio.gather(*(_code(approve(town, large, by)) for by in (FAY, FOX, FAY, FOX)))
    assert (answers.count("approving"), answers.count("executed")) == (1, 1)
    assert set(answers) <= {"approving", "executed", "same_approver", "refund_state"}
    assert (await town.job(job)).order.refunded_fen == 25_000
    assert await town.faults() == []


@pytest.mark.parametrize("other", ["reject", "withdraw", "mature", "penalty"])
async def test_approval_against_everything_else(town: Town, other: str) -> None:
    """Refund ∥ refusal, withdrawal, the settlement's maturing, a penalty being taken back."""
    for _ in range(3):
        job, _ = await (town.in_status("closed_penalty") if other == "penalty" else completed(town))
        one = await ask(town, job, 5_000)
        if other == "mature":
            town.clock.advance(hours=24)
            rival: Any = town.run()
        elif other == "penalty":
            async with town.db.begin() as tx:
                penalty_id = await tx.fetchval("SELECT id FROM penalties WHERE order_id = $1", job.order.id)
            rival = _code(town.db.run(actions.reverse_penalty, penalty_id, SUE, "mistake"))
        else:
            rival = _code(reject(town, one) if other == "reject" else withdraw(town, one, job.order.customer_id))
        given, _ = await asyncio.gather(_code(approve(town, one)), rival)
        assert (await town.job(job)).order.refund_reserved_fen == 0
        assert given in {"executed", "refund_state"}
        await town.run()
        assert await town.faults() == []


async def test_asked_while_the_technician_leaves(town: Town) -> None:
    """Refund ∥ settlement: before the order has ended there is nothing to ask for; after it there is all of it."""
    for _ in range(3):
        job, tech = await town.in_status("leave_confirmed")
        answers = await asyncio.gather(
            _code(ask(town, job, None)), town.by_worker(actions.leave, job, tech), _code(ask(town, job, None))
        )
        assert {answers[0], answers[2]} <= {"requested", "invalid_state", "refund_exceeds_paid"}
        assert [answers[0], answers[2]].count("requested") <= 1
        assert await town.faults() == []


# Metamorphic


@settings(max_examples=12)
@given(data=st.data())
async def test_many_partial_refunds_end_as_one_of_their_sum(data: st.DataObject, clean: Any, new_town: Any) -> None:
    """I6, over requests, approvals and the claw-back of every line, of completed orders and of penalties."""
    await clean()
    town = await new_town()
    status = data.draw(st.sampled_from(["completed", "closed_penalty"]))
    kept = {"completed": 40_900, "closed_penalty": 20_900}[status]
    cuts = sorted({0, *data.draw(st.sets(st.integers(1, kept), min_size=1, max_size=4))})
    pieces = [after - before for before, after in pairwise(cuts)]
    ends = [await _given_back(town, status, parts) for parts in (pieces, [sum(pieces)])]
    assert ends[0] == ends[1]
    assert await town.faults() == []


async def _given_back(town: Town, status: str, parts: list[int]) -> dict[str, int]:
    """What everybody has lost or won by these refunds of a new order."""
    tech: Tech = await town.technician()
    job, _ = await (completed(town, tech) if status == "completed" else town.in_status(status, tech))
    before = await purse(town, job, tech)
    for part in parts:
        one = await ask(town, job, part)
        await approve(town, one)
        if part > RULES.second_over_fen:
            await approve(town, one, FOX)
    after = await purse(town, job, tech)
    return {name: after[name] - before[name] for name in after}
