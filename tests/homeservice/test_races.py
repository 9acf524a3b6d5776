"""Races on real connections: every pair of verbs on one order ends as one of the two serial orders would have (HS-218).

For each pair the legal outcomes are found by running both orders one after the other on scenes of their own; then the
two run at once, several times. Nobody hears of a deadlock, the book adds up, and all invariants hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations_with_replacement
from typing import Any

import pytest

import dispatch
from rest.lines.homeservice import actions, vouchers
from rest.lines.homeservice.deadlines import DEADLINES
from rest.lines.homeservice.model import Job
from storage.base.errors import HubError
from storage.postgres import TryAgain
from tests.homeservice.conftest import MASSAGE, Tech, Town

ROUNDS = 2


@dataclass
class Scene:
    """An order with a coupon, its first grabber, who has one voucher, locked (or not yet), a second, a payment."""

    town: Town
    job: Job
    first: Tech
    second: Tech
    grabs: tuple[str, str]
    payment_id: str
    coupon_id: str


async def scene(town: Town, way: Sequence[str], seconds: float) -> Scene:
    """`way`: locked, cancelling; then this many seconds pass."""
    first, second = [await town.newcomer(work_from_min=0, work_to_min=1440) for _ in range(2)]
    await town.db.run(vouchers.set_voucher, first.account_id, MASSAGE, vouchers.Terms(amount_fen=2_000), stock=1)
    customer = await town.customer()
    coupon_id = await town.coupon(customer)
    job = await town.post(customer, in_h=6, coupon_id=coupon_id)
    grabs = [await town.grab(job, first), await town.grab(job, second)]
    payment_id = ""
    if "locked" in way:
        job = await town.choose(job, grabs[0])
        payment_id = await town.attempt(job)
    if "cancelling" in way:
        await town.by_customer(actions.cancel, job, "hm")
    town.clock.advance(seconds=seconds)
    return Scene(town, job, first, second, (grabs[0].id, grabs[1].id), payment_id, coupon_id)


def own(s: Scene, verb: Callable[..., Any], *args: Any) -> Awaitable[Any]:
    return s.town.db.run(verb, s.job.order.id, s.job.order.customer_id, *args)


def on_call(s: Scene, verb: Callable[..., Any], tech: Tech) -> Awaitable[Any]:
    return s.town.db.run(verb, s.job.order.call_id, tech.id)


VERBS: dict[str, Callable[[Scene], Awaitable[Any]]] = {
    "choose_first": lambda s: own(s, actions.choose, s.grabs[0]),
    "choose_second": lambda s: own(s, actions.choose, s.grabs[1]),
    "pay": lambda s: own(s, actions.pay, "wallet"),
    "money": lambda s: s.town.db.run(actions.receive_money, s.job.order.id, s.payment_id),
    "cancel": lambda s: own(s, actions.cancel, "race"),
    "expire": lambda s: s.town.db.run(DEADLINES["homeservice.lock"], {"order_id": s.job.order.id}),
    "save": lambda s: s.town.db.run(actions.decide_cancel, s.job.order.id, "acc_staff", saved=True, note="x"),
    "drop": lambda s: s.town.db.run(actions.decide_cancel, s.job.order.id, "acc_staff", saved=False, note="x"),
    "reschedule": lambda s: own(s, actions.reschedule, s.job.visit.start_at + timedelta(hours=9)),
    "withdraw_first": lambda s: on_call(s, actions.withdraw, s.first),
    "withdraw_second": lambda s: on_call(s, actions.withdraw, s.second),
    "first_goes_offline": lambda s: s.town.db.run(dispatch.go_offline, s.first.id),
    "second_goes_offline": lambda s: s.town.db.run(dispatch.go_offline, s.second.id),
}

UNLOCKED = (
    "choose_first", "choose_second", "cancel", "reschedule", "withdraw_first", "withdraw_second",
    "first_goes_offline", "second_goes_offline",
)  # fmt: skip
LOCKED = ("choose_first", "choose_second", "pay", "money", "cancel", "expire", "withdraw_second", "first_goes_offline")
CANCELLING = ("save", "drop", "expire", "money", "cancel", "withdraw_second", "second_goes_offline")


async def answer(act: Awaitable[Any]) -> str:
    try:
        await act
    except TryAgain:
        raise
    except HubError as refused:
        return refused.code
    return "ok"


async def outcome(s: Scene, answers: tuple[str, str]) -> tuple[object, ...]:
    """What can be seen afterwards: answers, order, who is bound, money, the coupon."""
    await s.town.run()
    job = await s.town.job(s.job)
    bound = {None: "nobody", s.first.id: "first", s.second.id: "second"}[job.order.provider_id]
    wallet = await s.town.wallet(job.order.customer_id)
    coupon = (await s.town.coupon_state(s.coupon_id))[0]
    seen = (*answers, job.order.status, bound, job.order.kept_fen, wallet, coupon, len(await s.town.grabs(job)))
    await answer(own(s, actions.cancel, "over"))  # its timers and waves would fire in every later scene
    return seen


async def legal(town: Town, a: str, b: str, way: Sequence[str], seconds: float) -> set[tuple[object, ...]]:
    found = set()
    for order in sorted({(a, b), (b, a)}):
        s = await scene(town, way, seconds)
        one, two = await answer(VERBS[order[0]](s)), await answer(VERBS[order[1]](s))
        seen = await outcome(s, (one, two) if order == (a, b) else (two, one))
        found.add(seen)
        if a == b:  # the two are the same: either may have been first
            found.add((seen[1], seen[0], *seen[2:]))
    return found


SETTINGS = {
    "unlocked": (UNLOCKED, (), 1.0),
    "locked": (LOCKED, ("locked",), 1.0),
    "at the end of the lock": (LOCKED, ("locked",), 180.0),
    "cancelling": (CANCELLING, ("locked", "cancelling"), 1.0),
    "cancelling at the end of the lock": (CANCELLING, ("locked", "cancelling"), 180.0),
}


@pytest.mark.parametrize("name", SETTINGS)
async def test_every_pair_ends_as_one_of_its_two_orders_would(town: Town, name: str) -> None:
    verbs, way, seconds = SETTINGS[name]
    wrong = []
    for a, b in combinations_with_replacement(verbs, 2):
        expected = await legal(town, a, b, way, seconds)
        for _ in range(ROUNDS):
            s = await scene(town, way, seconds)
            one, two = await asyncio.gather(answer(VERBS[a](s)), answer(VERBS[b](s)))
            seen = await outcome(s, (one, two))
            if seen not in expected:
                wrong.append(f"{a} | {b}: {seen}, legal {sorted(map(str, expected))}")
    assert wrong == []
    assert await town.faults() == []


async def test_two_hundred_technicians_grab_one_order_at_once(town: Town) -> None:
    techs = [await town.newcomer(metres=100 + n * 20) for n in range(200)]
    job = await town.post()
    answers = await asyncio.gather(*(answer(town.grab(job, tech)) for tech in techs))
    assert answers == ["ok"] * 200
    grabs = await town.grabs(job)
    assert {grab.worker_id for grab in grabs} == {tech.id for tech in techs}
    chosen = await asyncio.gather(*(answer(town.choose(job, grab)) for grab in grabs[:8]))
    assert "ok" in chosen
    job = await town.pay(await town.job(job))
    assert job.order.status == "paid"
    assert await town.faults() == []


async def test_one_technician_chosen_by_twenty_customers_is_bound_once(town: Town) -> None:
    tech = await town.technician()
    jobs = [await town.post() for _ in range(20)]
    grabs = await asyncio.gather(*(town.grab(job, tech) for job in jobs))
    answers = await asyncio.gather(*(answer(town.choose(job, grab)) for job, grab in zip(jobs, grabs, strict=True)))
    assert sorted(answers) == ["candidate_gone"] * 19 + ["ok"]
    assert await town.faults() == []


async def test_a_crowd_taps_everything_at_once(town: Town) -> None:
    """Many phones, many verbs on the same few orders: whatever happened, the books are right afterwards."""
    techs = [await town.technician(metres=200 + 50 * n) for n in range(12)]
    jobs = [await town.post(in_h=3 + n % 3) for n in range(6)]

    async def technician(tech: Tech) -> None:
        for job in jobs:
            await answer(town.grab(job, tech))
            await answer(town.db.run(actions.withdraw, job.order.call_id, tech.id))
            await answer(town.grab(job, tech))

    async def customer(job: Job) -> None:
        for _ in range(4):
            for grab in (await town.grabs(job))[:3]:
                await answer(town.choose(job, grab))
            await answer(town.pay(job))
        if job is jobs[0]:
            await answer(town.by_customer(actions.cancel, job, "enough"))

    await asyncio.gather(*map(technician, techs), *map(customer, jobs), *map(customer, jobs))
    await town.run()
    assert await town.faults() == []
