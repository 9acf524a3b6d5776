"""The grab pool as a property: whatever customers, technicians, channels, support and time do, in any order.

Hypothesis drives the line on real PostgreSQL: post, offer waves, grab (also repeated and late), withdraw, choose, pay
from a wallet that may be too small, channel money in time, late, twice or refused, cancel, support's word, move the
time, accept, reject, go offline and back, clock jumps, and the worker process dying with all it had in memory. After
every step

* the database is asked for every invariant of the pool (I1 to I11), of the orders (I13 to I16, I21) and of the book,
* what each customer's phone has folded from its facts is compared with the server's state (I6),
* no job has failed, and no refusal but the expected families was heard.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

import dispatch
from dispatch.model import CallStatus
from rest.lines.homeservice import actions
from rest.lines.homeservice.model import POOL, Job
from rest.lines.homeservice.rules import HomeserviceRules
from rest.money.payments import Method
from storage.base.clock import ManualClock
from storage.base.errors import HubError
from storage.base.settings import Settings
from storage.postgres import Database
from tests.conftest import MONDAY, SECRET, wipe
from tests.homeservice.conftest import Tech, Town, build_town, new_worker_process
from tests.homeservice.folding import Phone, differences

T = TypeVar("T")
EXAMPLES = int(os.environ.get("FIELDHUB_TEST_EXAMPLES", "10"))
STEPS = 40
TECHNICIANS = 4
OPEN_MAX, ORDERS_MAX = 4, 12
OPEN = (*POOL, "pending_payment")
HAPPENINGS = [
    *["time_passes"] * 2, *["time_passes_unnoticed"] * 2, "worker_process_dies", "everybody_eligible_hears",
    "everybody_comes", "grab", *["several_grab"] * 2, "withdraw", "decline", *["answer"] * 2, *["come_or_go"] * 2,
    *["post"] * 2, *["choose"] * 4, *["pay"] * 3, "cancel", "reschedule",
    *["channel_payment_starts"] * 2, *["channel_money_comes"] * 2, "channel_refuses", *["support_acts"] * 2,
]  # fmt: skip
"""What may happen, as often as it stands here."""
SETTINGS = Settings(secret=SECRET)


class PoolOfOrders(RuleBasedStateMachine):
    """One town, four technicians, a few customers; the last customer is poor."""

    pg_url: str

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.jobs: list[Job] = []
        self.payments: list[tuple[Job, str]] = []
        self.phones: dict[str, Phone] = {}
        self.customers: list[str] = []
        self.coupons: dict[str, list[str]] = {}
        self.town = self.wait(self._build())

    def wait(self, work: Awaitable[T]) -> T:
        async def done() -> T:
            return await work

        return self.runner.run(done())

    async def _build(self) -> Town:
        clock = ManualClock(MONDAY)
        db = await Database.connect(self.pg_url, clock=clock, pool_size=4)
        await wipe(db)
        return await build_town(db, clock, SETTINGS, HomeserviceRules())

    def teardown(self) -> None:
        self.wait(self.town.db.close())
        self.runner.close()

    def ask(self, work: Awaitable[Any]) -> str:
        """Do it; the code of the refusal, or ok. Anything but a refusal with a code is a bug."""
        try:
            self.wait(work)
        except HubError as refused:
            assert refused.status in {404, 409, 422}, refused.code
            return refused.code
        return "ok"

    @initialize()
    def people(self) -> None:
        for n in range(TECHNICIANS):
            self.wait(self.town.technician(metres=400 * (n + 1), work_from_min=0, work_to_min=1440))
        self.customers = [self.wait(self.town.customer(fen=fen)) for fen in (500_000, 500_000, 30_000)]
        worth = {"amount_fen": 5_000, "valid_days": 1}, {"amount_fen": 90_000}, {"percent_bps": 1_234, "cap_fen": 3_333}
        self.coupons = {
            customer: [self.wait(self.town.coupon(customer, **terms)) for terms in worth] for customer in self.customers
        }
        self.phones = {customer: Phone(customer) for customer in self.customers}
        for n, in_h in ((0, 3), (1, 3.5)):  # the two overlap: nobody can be bound to both
            coupon_id = self.coupons[self.customers[n]][n]  # the second costs nothing but the way
            self.jobs.append(self.wait(self.town.post(self.customers[n], in_h=in_h, coupon_id=coupon_id)))
        self.crowd(self.jobs[0], 2)

    @rule(data=st.data(), what=st.sampled_from(HAPPENINGS))
    def step(self, data: st.DataObject, what: str) -> None:
        """One thing happens. A single rule with weights: rules of their own would be switched off by the run."""
        getattr(self, what)(data)

    # Time, and the worker process

    def time_passes(self, data: st.DataObject) -> None:
        self.town.clock.advance(seconds=data.draw(st.sampled_from([0, 1, 60, 179, 180, 300, 1_800])))
        self.wait(self.town.fresh())
        self.wait(self.town.run())
        for job in self.in_status("has_candidates"):  # nothing is under way any more
            assert self.wait(self.town.grabs(job)) != []

    def time_passes_unnoticed(self, data: st.DataObject) -> None:
        """Timers are due but have not fired yet: verbs must see the time themselves."""
        self.town.clock.advance(seconds=data.draw(st.sampled_from([1, 180, 180, 301])))

    def worker_process_dies(self, _: st.DataObject) -> None:
        """Its memory is gone; a new one rebuilds the index and finds the same timers."""
        self.town.dispatcher, self.town.runner = new_worker_process(self.town.db, SETTINGS)
        self.wait(self.town.dispatcher.rebuild())

    def everybody_eligible_hears(self, _: st.DataObject) -> None:
        """I14, I10: within the plan's waves, whoever may be offered an open order has been."""
        for _round in range(3):
            self.town.clock.advance(seconds=20)
            self.wait(self.town.fresh())
            self.wait(self.town.run())
        for job in self.jobs:
            assert self.wait(self._missed(job)) == []

    # Technicians

    def everybody_comes(self, _: st.DataObject) -> None:
        for tech in self.town.technicians:
            self.ask(self.town.db.run(dispatch.go_online, tech.id))
            self.wait(self.town.dispatcher.refresh([tech.id]))

    def grab(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from([None, "r1", "r2"]))
        self.ask(self.town.grab(self.any_job(data), self.any_tech(data), request))

    def several_grab(self, data: st.DataObject) -> None:
        self.crowd(self.any_job(data, *POOL), data.draw(st.sampled_from([1, 1, 2, TECHNICIANS])))

    def withdraw(self, data: st.DataObject) -> None:
        job = self.any_job(data, "has_candidates")
        self.ask(self.town.db.run(actions.withdraw, job.order.call_id, self.any_tech(data).id))

    def decline(self, data: st.DataObject) -> None:
        self.ask(self.town.db.run(actions.decline, self.any_job(data).order.call_id, self.any_tech(data).id))

    def answer(self, data: st.DataObject) -> None:
        job = self.any_job(data, "paid")
        mine = [tech for tech in self.town.technicians if tech.id == job.order.provider_id]
        tech = mine[0] if mine else self.town.technicians[0]
        verb = data.draw(st.sampled_from(["accept", "reject"]))
        self.ask(self.town.by_worker(getattr(actions, verb), job, tech, *(("ill",) if verb == "reject" else ())))

    def come_or_go(self, data: st.DataObject) -> None:
        """Often somebody who has grabbed, so that his order may lose its last candidate."""
        waiting = {
            grab.worker_id for job in self.in_status("has_candidates") for grab in self.wait(self.town.grabs(job))
        }
        techs = [tech for tech in self.town.technicians if tech.id in waiting] or self.town.technicians
        tech, verb = (
            data.draw(st.sampled_from(techs)),
            data.draw(st.sampled_from(["go_offline", "go_offline", "go_online"])),
        )
        assert self.ask(self.town.db.run(getattr(dispatch, verb), tech.id)) == "ok"
        self.wait(self.town.dispatcher.refresh([tech.id]))
        self.wait(self.town.run())

    # Customers

    def post(self, data: st.DataObject) -> None:
        if len(self.in_status(*OPEN)) < OPEN_MAX and len(self.jobs) < ORDERS_MAX:
            customer = data.draw(st.sampled_from(self.customers))
            in_h = data.draw(st.sampled_from([0.6, 3, 3.5, 6]))
            coupon_id = data.draw(st.sampled_from([None, *self.coupons[customer]]))
            posted: list[Job] = []

            async def post() -> None:
                posted.append(await self.town.post(customer, in_h=in_h, coupon_id=coupon_id))

            answer = self.ask(post())
            assert answer in ({"ok"} if coupon_id is None else {"ok", "coupon_locked", "coupon_not_applicable"})
            self.jobs += posted

    def choose(self, data: st.DataObject) -> None:
        job = self.any_job(data, "has_candidates", "pending_payment")
        by_worker = {grab.worker_id: grab for grab in self.wait(self.town.grabs(job))}
        # Not in the order of the list: grabs of one instant are listed by their random ids.
        grabs = [by_worker[tech.id] for tech in self.town.technicians if tech.id in by_worker]
        if grabs:
            self.ask(self.town.choose(job, data.draw(st.sampled_from(grabs))))

    def pay(self, data: st.DataObject) -> None:
        """Mostly what can be paid, or could have been a moment ago."""
        chosen = [job for job in self.in_status(*OPEN) if job.visit.worker_id]
        job = data.draw(st.sampled_from(chosen)) if chosen else self.any_job(data)
        lock_expires_at = self.now(job).visit.lock_expires_at
        before = self.wait(self.town.wallet(job.order.customer_id))
        answer = self.ask(self.town.pay(job))
        after, now = self.wait(self.town.wallet(job.order.customer_id)), self.now(job)
        if answer == "ok" and before != after:
            assert before - after == now.order.total_fen == now.order.kept_fen
            in_time = lock_expires_at is not None and self.town.clock.now() < lock_expires_at
            assert self.wait(self.town.events(job))[-1].verb == ("pay" if in_time else "pay_late")
        else:
            assert before == after

    def cancel(self, data: st.DataObject) -> None:
        """Unpaid and unlocked orders only now and then: nothing can happen to them afterwards."""
        bound = self.in_status("pending_payment", "paid", "accepted", "rejected")
        job = data.draw(st.sampled_from(bound)) if bound else self.any_job(data)
        self.ask(self.town.by_customer(actions.cancel, job, "changed my mind"))

    def reschedule(self, data: st.DataObject) -> None:
        start_at = self.town.clock.now() + timedelta(hours=data.draw(st.sampled_from([1, 4])))
        self.ask(self.town.by_customer(actions.reschedule, self.any_job(data), start_at))

    # Channels and support

    def channel_payment_starts(self, data: st.DataObject) -> None:
        if waiting := self.in_status("pending_payment"):
            job = data.draw(st.sampled_from(waiting))
            method = data.draw(st.sampled_from([Method.WECHAT, Method.ALIPAY]))
            self.payments.append((job, self.wait(self.town.attempt(job, method))))

    def channel_money_comes(self, data: st.DataObject) -> None:
        """In time, late, or for the second time; it is always taken."""
        if self.payments:
            job, payment_id = data.draw(st.sampled_from(self.payments))
            before = self.now(job)
            after = self.wait(self.town.receive(job, payment_id))
            assert after.order.status in {before.order.status, "paid", "in_pool", "has_candidates"}

    def channel_refuses(self, data: st.DataObject) -> None:
        if self.payments:
            job, payment_id = data.draw(st.sampled_from(self.payments))
            self.ask(self.town.db.run(actions.fail_payment, job.order.id, payment_id, "refused"))

    def support_acts(self, data: st.DataObject) -> None:
        yes = data.draw(st.booleans())
        if rejected := self.in_status("rejected"):
            outcome, job = "technician_agreed" if yes else "cancel", data.draw(st.sampled_from(rejected))
            act = actions.decide_rejection
            assert self.ask(self.town.db.run(act, job.order.id, "acc_staff", outcome=outcome, note="x")) == "ok"
            return
        job = self.any_job(data, "cancel_requested")
        before = self.now(job)
        answer = self.ask(self.town.db.run(actions.decide_cancel, job.order.id, "acc_staff", saved=yes, note="x"))
        assert (answer == "ok") == (before.order.status == "cancel_requested")

    # Helpers

    def crowd(self, job: Job, n: int) -> None:
        """The first `n` technicians grab, one after the other, with fresh positions."""
        self.wait(self.town.fresh())
        for tech in self.town.technicians[:n]:
            self.ask(self.town.grab(job, tech))

    def any_job(self, data: st.DataObject, *statuses: str) -> Job:
        """One in these statuses if there is one, else any."""
        return data.draw(st.sampled_from(self.in_status(*statuses) or self.jobs))

    def any_tech(self, data: st.DataObject) -> Tech:
        return data.draw(st.sampled_from(self.town.technicians))

    async def _missed(self, job: Job) -> list[str]:
        async with self.town.db.begin() as tx:
            call = await dispatch.get_call(tx, job.order.call_id or "")
            if call.status is not CallStatus.OPEN:
                return []
            found = await dispatch.candidates(tx, call.id)
        return [one.worker_id for one in found if one.reason == "later_wave"]

    def in_status(self, *statuses: str) -> list[Job]:
        return [now for job in self.jobs if (now := self.now(job)).order.status in statuses]

    def now(self, job: Job) -> Job:
        return self.wait(self.town.job(job))

    @invariant()
    def the_database_is_right(self) -> None:
        assert self.wait(self.town.faults()) == []

    @invariant()
    def phones_know_what_the_server_knows(self) -> None:
        for customer, phone in self.phones.items():
            mine = [job.order.id for job in self.jobs if job.order.customer_id == customer]
            assert self.wait(differences(self.town, phone, mine)) == []


@pytest.mark.timeout(300)
def test_whatever_happens_the_pool_and_the_money_are_right(pg_url: str) -> None:
    machine: Callable[[], PoolOfOrders] = type("PoolHere", (PoolOfOrders,), {"pg_url": pg_url})
    run_state_machine_as_test(machine, settings=limits(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None))
