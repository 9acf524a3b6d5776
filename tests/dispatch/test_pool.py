"""The pool: waves, grabs, choice, locks, and every way out."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest

import dispatch
from dispatch.model import (
    TRANSITIONS,
    AlreadyGrabbed,
    CallStatus,
    CandidateGone,
    Locked,
    Mode,
    NotEligible,
    OfferClosed,
    OrderGone,
    OwnOrder,
    SlotConflict,
    covers,
)  # fmt: skip
from geo.distance import destination
from storage.base.errors import HubError
from tests.dispatch.conftest import MASSAGE, SQUARE, Town
from tests.dispatch.invariants import violations


async def test_everybody_eligible_is_offered_nearest_first(town: Town) -> None:
    workers = [await town.worker(metres=200 * n) for n in range(1, 31)]
    call = await town.call(plan=dispatch.plan_for(Mode.CHOOSE_BACK, sizes=(5, 10, 500)))
    await town.run()
    assert [len(await town.heard(f"worker:{w.id}", "offer.made")) for w in workers] == [1] * 5 + [0] * 25
    town.clock.advance(seconds=5)
    await town.run()
    town.clock.advance(seconds=5)
    await town.run()
    waves = [(await town.heard(f"worker:{w.id}", "offer.made"))[0]["wave"] for w in workers]
    assert waves == [1] * 5 + [2] * 10 + [3] * 15
    assert (await town.state(call)).ring_m == pytest.approx(6000, rel=0.01)
    assert await violations(town.db) == []


async def test_who_comes_online_later_is_offered_by_a_later_wave(town: Town) -> None:
    await town.call()
    await town.run()
    late = await town.worker()
    town.clock.advance(seconds=10)
    await town.run()
    assert len(await town.heard(f"worker:{late.id}", "offer.made")) == 1


async def test_a_call_everybody_knows_is_looked_at_less_and_less_often(town: Town) -> None:
    call = await town.call()
    waves = []
    for second in range(120):
        before = (await town.runner.drain()) > 0
        waves += [second] if before else []
        town.clock.advance(seconds=1)
    assert waves == [0, 10, 30, 50, 70, 90, 110]
    assert (await town.state(call)).wave == 1


async def test_offers_do_not_give_the_exact_place_away(town: Town) -> None:
    worker = await town.worker()
    await town.call(point=replace_point(0.001234))
    await town.run()
    (offer,) = await town.heard(f"worker:{worker.id}", "offer.made")
    assert (offer["lon"], offer["lat"]) == (104.06, 30.66)


def replace_point(shift: float) -> object:
    return SQUARE._replace(lon=SQUARE.lon + shift, lat=SQUARE.lat + shift)


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("offline", {"online": False}),
        ("inactive", {"status": "suspended"}),
        ("not_taking", {"takes_pool": False}),
        ("service", {"services": ["itm_other"]}),
        ("area", {"area_code": "370600"}),
        ("off_hours", {"work_from_min": 60, "work_to_min": 120}),
        ("off_hours", {"rest_dates": frozenset({date(2026, 1, 5)})}),
        ("too_far", {"radius_m": 1000}),
    ],
)
async def test_each_reason_keeps_a_worker_from_offer_and_grab_and_is_explained(
    town: Town, reason: str, changes: dict[str, object]
) -> None:
    online = bool(changes.get("online", True))
    worker = await town.worker(
        metres=1500, online=online, **{name: value for name, value in changes.items() if name != "online"}
    )
    call = await town.call()
    await town.run()
    assert await town.heard(f"worker:{worker.id}", "offer.made") == []
    with pytest.raises(NotEligible) as refused:
        await town.grab(call, worker)
    assert refused.value.fields["reason"] == reason
    async with town.db.begin() as tx:
        (told,) = await dispatch.candidates(tx, call.id)
    assert (told.offered, told.reason) == (False, reason)


async def test_a_stale_fix_keeps_a_worker_out(town: Town) -> None:
    worker = await town.worker()
    town.clock.advance(seconds=120)
    call = await town.call()
    await town.run()
    async with town.db.begin() as tx:
        (told,) = await dispatch.candidates(tx, call.id)
    assert told.reason == "stale_fix"
    await town.fresh(worker)
    town.clock.advance(seconds=10)
    await town.run()
    async with town.db.begin() as tx:
        (told,) = await dispatch.candidates(tx, call.id)
    assert (told.offered, told.reason) == (True, None)


async def test_a_grab_is_seen_by_the_customer_and_repeats_have_one_effect(town: Town) -> None:
    worker = await town.worker()
    call = await town.call()
    await town.run()
    first = await town.grab(call, worker, "req-1")
    assert await town.grab(call, worker, "req-1") == first
    with pytest.raises(AlreadyGrabbed):
        await town.grab(call, worker, "req-2")
    (seen,) = await town.heard("customer:acc_customer", "grab.added")
    assert (seen["grab_id"], seen["worker"]["worker_id"], seen["worker"]["distance_m"]) == (first.id, worker.id, 500)


async def test_one_cannot_take_ones_own_order(town: Town) -> None:
    worker = await town.worker()
    call = await town.call(owner_account_id=worker.account_id)
    with pytest.raises(OwnOrder):
        await town.grab(call, worker)


async def test_an_eligible_worker_may_grab_unasked_and_still_rests_on_an_offer(town: Town) -> None:
    worker = await town.worker()
    call = await town.call()
    await town.grab(call, worker)
    await town.run()
    assert await town.heard(f"worker:{worker.id}", "offer.made") == []
    assert await violations(town.db) == []


async def test_choosing_locks_one_and_takes_the_call_out_of_the_pool(town: Town) -> None:
    chosen, other, idle = [await town.worker() for _ in range(3)]
    call = await town.call()
    await town.run()
    await town.grab(call, chosen)
    await town.grab(call, other)
    await town.lock(call, chosen)
    with pytest.raises(Locked):
        await town.lock(call, other)
    with pytest.raises(Locked):
        await town.db.run(dispatch.withdraw, call.id, chosen.id)
    with pytest.raises(OrderGone):
        await town.grab(call, idle)
    assert [f["reason"] for f in await town.heard(f"worker:{idle.id}", "offer.closed")] == ["locked"]
    won = await town.db.run(dispatch.win, call.id, chosen.id)
    assert (won.status, won.worker_id) == (CallStatus.WON, chosen.id)
    assert [f["state"] for f in await town.heard(f"worker:{other.id}", "grab.closed")] == ["lost"]
    assert [f["state"] for f in await town.heard(f"worker:{chosen.id}", "grab.closed")] == ["won"]
    assert await violations(town.db) == []


async def test_unlocking_unbinds_pushes_again_and_keeps_the_others(town: Town) -> None:
    chosen, other, idle = [await town.worker() for _ in range(3)]
    call = await town.call()
    await town.run()
    await town.grab(call, chosen)
    await town.grab(call, other)
    await town.lock(call, chosen)
    await town.db.run(dispatch.unlock, call.id, reason="unpaid")
    await town.run()
    assert (await town.state(call)).epoch == 2
    assert len(await town.heard(f"worker:{idle.id}", "offer.made")) == 2
    assert [f["state"] for f in await town.heard(f"worker:{chosen.id}", "grab.closed")] == ["unbound"]
    await town.grab(call, chosen)
    await town.lock(call, other)
    assert await violations(town.db) == []


async def test_late_money_locks_the_same_worker_again_while_he_is_free(town: Town) -> None:
    chosen = await town.worker()
    call, next_call = await town.call(), await town.call()
    for one in (call, next_call):
        await town.grab(one, chosen)
    await town.lock(call, chosen)
    await town.db.run(dispatch.unlock, call.id, reason="unpaid")
    assert (await town.db.run(dispatch.win, call.id, chosen.id)).worker_id == chosen.id
    assert [f["state"] for f in await town.heard(f"worker:{chosen.id}", "grab.closed")] == ["unbound", "won", "void"]
    with pytest.raises(CandidateGone):
        await town.lock(next_call, chosen)
    assert await violations(town.db) == []


async def test_while_one_is_locked_nobody_else_wins(town: Town) -> None:
    chosen, other = await town.worker(), await town.worker()
    call = await town.call()
    for worker in (chosen, other):
        await town.grab(call, worker)
    await town.lock(call, chosen)
    with pytest.raises(CandidateGone):
        await town.db.run(dispatch.win, call.id, other.id)
    assert (await town.db.run(dispatch.win, call.id, chosen.id)).worker_id == chosen.id
    assert await violations(town.db) == []


async def test_late_money_for_a_worker_who_is_taken_is_refused(town: Town) -> None:
    chosen = await town.worker()
    call, next_call = await town.call(), await town.call()
    await town.grab(call, chosen)
    await town.lock(call, chosen)
    await town.db.run(dispatch.unlock, call.id, reason="unpaid")
    await town.grab(next_call, chosen)
    await town.lock(next_call, chosen)
    with pytest.raises(CandidateGone):
        await town.db.run(dispatch.win, call.id, chosen.id)
    assert await violations(town.db) == []


async def test_a_booked_worker_cannot_grab_or_be_chosen_for_an_overlapping_time(town: Town) -> None:
    worker = await town.worker()
    first, second, later = await town.call(), await town.call(in_h=2.5), await town.call(in_h=3)
    for call in (first, second, later):
        await town.grab(call, worker)
    await town.lock(first, worker)
    with pytest.raises(CandidateGone):
        await town.lock(second, worker)
    await town.lock(later, worker)  # [2 h, 3 h) and [3 h, 4 h) touch and do not overlap
    third = await town.call(in_h=2.9)
    with pytest.raises(SlotConflict):
        await town.grab(third, worker)


async def test_going_offline_voids_waiting_grabs_and_offers_but_not_what_is_locked(town: Town) -> None:
    worker = await town.worker()
    locked, waiting, offered = await town.call(), await town.call(in_h=5), await town.call(in_h=8)
    await town.run()
    await town.grab(locked, worker)
    await town.grab(waiting, worker)
    await town.lock(locked, worker)
    await town.db.run(dispatch.go_offline, worker.id)
    assert [f["call_id"] for f in await town.heard(f"worker:{worker.id}", "grab.closed")] == [waiting.id]
    assert {f["call_id"] for f in await town.heard(f"worker:{worker.id}", "offer.closed")} == {waiting.id, offered.id}
    assert (await town.db.run(dispatch.win, locked.id, worker.id)).worker_id == worker.id
    assert await violations(town.db) == []


async def test_the_next_wave_goes_at_once_when_all_declined(town: Town) -> None:
    near, far = await town.worker(metres=100), await town.worker(metres=900)
    call = await town.call(plan=dispatch.plan_for(Mode.CHOOSE_BACK, sizes=(1, 500), interval_s=60))
    await town.run()
    await town.db.run(dispatch.decline, call.id, near.id)
    await town.run()
    assert len(await town.heard(f"worker:{far.id}", "offer.made")) == 1
    with pytest.raises(OfferClosed):
        await town.grab(call, near)


async def test_offers_expire_once_and_are_told(town: Town) -> None:
    worker = await town.worker()
    await town.call(plan=dispatch.plan_for(Mode.CHOOSE_BACK, offer_ttl_s=30))
    await town.run()
    for _ in range(12):
        town.clock.advance(seconds=5)
        await town.run()
    assert [f["state"] for f in await town.heard(f"worker:{worker.id}", "offer.closed")] == ["expired"]
    assert await violations(town.db) == []


async def test_renewing_widens_and_offers_everybody_again(town: Town) -> None:
    near, far = await town.worker(metres=900, radius_m=1000), await town.worker(metres=1900, radius_m=1000)
    call = await town.call()
    await town.run()
    await town.db.run(dispatch.renew, call.id, radius_factor=2.0)
    await town.run()
    assert [len(await town.heard(f"worker:{w.id}", "offer.made")) for w in (near, far)] == [2, 1]
    assert await violations(town.db) == []


async def test_first_wins_takes_the_best_of_the_window_not_the_fastest_finger(town: Town) -> None:
    far, near = await town.worker(metres=4000), await town.worker(metres=300)
    call = await town.call(mode=Mode.FIRST_WINS)
    await town.run()
    await town.grab(call, far)
    town.clock.advance(seconds=0.5)
    await town.grab(call, near)
    town.clock.advance(seconds=0.3)
    await town.run()
    assert (await town.state(call)).worker_id == near.id
    assert [f["worker_id"] for f in await town.heard("customer:acc_customer", "call.won")] == [near.id]
    assert await violations(town.db) == []


async def test_first_wins_skips_a_best_one_who_is_booked_meanwhile(town: Town) -> None:
    far, near = await town.worker(metres=4000), await town.worker(metres=300)
    call, other = await town.call(mode=Mode.FIRST_WINS), await town.call()
    await town.grab(call, far)
    await town.grab(call, near)
    await town.grab(other, near)
    await town.lock(other, near)
    town.clock.advance(seconds=1)
    await town.run()
    assert (await town.state(call)).worker_id == far.id
    assert await violations(town.db) == []


async def test_without_a_window_the_first_grab_wins(town: Town) -> None:
    first, second = await town.worker(), await town.worker()
    call = await town.call(mode=Mode.FIRST_WINS, plan=dispatch.plan_for(Mode.FIRST_WINS, window_ms=0))
    await town.grab(call, first)
    with pytest.raises(OrderGone):
        await town.grab(call, second)
    assert (await town.state(call)).worker_id == first.id


async def test_a_direct_call_is_for_one_worker(town: Town) -> None:
    named, other = await town.worker(), await town.worker()
    call = await town.call(mode=Mode.DIRECT, named_worker_id=named.id)
    await town.run()
    assert [len(await town.heard(f"worker:{w.id}", "offer.made")) for w in (named, other)] == [1, 0]
    with pytest.raises(NotEligible):
        await town.grab(call, other)
    await town.grab(call, named)
    assert (await town.state(call)).status is CallStatus.WON


async def test_a_won_call_can_lose_its_worker_who_then_never_comes_back(town: Town) -> None:
    worker, other = await town.worker(), await town.worker()
    call = await town.call()
    await town.grab(call, worker)
    await town.lock(call, worker)
    await town.db.run(dispatch.win, call.id, worker.id)
    await town.db.run(dispatch.reopen, call.id, exclude=[worker.id], reason="rejected")
    await town.run()
    assert [len(await town.heard(f"worker:{w.id}", "offer.made")) for w in (worker, other)] == [0, 1]
    with pytest.raises(NotEligible):
        await town.grab(call, worker)
    assert await violations(town.db) == []


async def test_a_finished_call_frees_the_rest_of_the_time(town: Town) -> None:
    worker = await town.worker()
    call, second = await town.call(), await town.call()
    await town.grab(call, worker)
    await town.lock(call, worker)
    await town.db.run(dispatch.win, call.id, worker.id)
    await town.db.run(dispatch.finish, call.id)
    await town.grab(second, worker)
    await town.lock(second, worker)
    assert await violations(town.db) == []


VERBS = {
    "lock": lambda town, call, worker: town.lock(call, worker),
    "win": lambda town, call, worker: town.db.run(dispatch.win, call.id, worker.id),
    "pause": lambda town, call, worker: town.db.run(dispatch.pause, call.id, reason="test"),
    "resume": lambda town, call, worker: town.db.run(dispatch.resume, call.id),
    "renew": lambda town, call, worker: town.db.run(dispatch.renew, call.id),
    "unlock": lambda town, call, worker: town.db.run(dispatch.unlock, call.id, reason="test"),
    "unlock_paused": lambda town, call, worker: town.db.run(dispatch.unlock, call.id, reason="test", paused=True),
    "reopen": lambda town, call, worker: town.db.run(dispatch.reopen, call.id, reason="test"),
    "finish": lambda town, call, worker: town.db.run(dispatch.finish, call.id),
    "cancel": lambda town, call, worker: town.db.run(dispatch.close_call, call.id, reason="test"),
    "expire": lambda town, call, worker: town.db.run(dispatch.close_call, call.id, reason="test", expired=True),
}
PATHS: dict[CallStatus, list[str]] = {
    CallStatus.OPEN: [],
    CallStatus.PAUSED: ["pause"],
    CallStatus.LOCKED: ["lock"],
    CallStatus.WON: ["lock", "win"],
    CallStatus.DONE: ["lock", "win", "finish"],
    CallStatus.CANCELLED: ["cancel"],
    CallStatus.EXPIRED: ["expire"],
}


def test_the_table_knows_every_verb_and_status() -> None:
    assert {verb for _, verb in TRANSITIONS} == set(VERBS)
    assert set(PATHS) == set(CallStatus)


@pytest.mark.parametrize("status", list(CallStatus))
@pytest.mark.parametrize("verb", list(VERBS))
async def test_every_verb_in_every_state_of_a_call(town: Town, status: CallStatus, verb: str) -> None:
    worker = await town.worker()
    call = await town.call()
    await town.grab(call, worker)
    for step in PATHS[status]:
        await VERBS[step](town, call, worker)
    before = await town.state(call)
    assert before.status is status
    wanted = TRANSITIONS.get((status, verb))
    if wanted is None:
        with pytest.raises(HubError) as refused:
            await VERBS[verb](town, call, worker)
        assert refused.value.status == 409
        assert await town.state(call) == before
    else:
        await VERBS[verb](town, call, worker)
        assert (await town.state(call)).status is wanted
    assert await violations(town.db) == []


@pytest.mark.parametrize(
    ("worker_area", "call_area", "covered"),
    [
        ("", "370602", True), ("370602", "370602", True), ("370602", "370611", False), ("370600", "370611", True),
        ("370600", "370702", False), ("370000", "371302", True), ("371000", "371002", True),
        ("371000", "370102", False), ("500000", "500101", True), ("500000", "510100", False),
        ("110000", "110101", True),
    ],
)  # fmt: skip
def test_a_city_or_province_code_covers_its_districts(worker_area: str, call_area: str, covered: bool) -> None:
    assert covers(worker_area, call_area) is covered


async def test_the_index_is_rebuilt_from_the_record_and_from_newer_last_positions(town: Town) -> None:
    workers = [await town.worker(metres=100 * n) for n in range(1, 6)]
    await town.db.run(dispatch.go_offline, workers[0].id)
    again = dispatch.Dispatcher(town.db)
    newer = town.clock.now() + timedelta(seconds=1)
    assert await again.rebuild([(workers[1].id, SQUARE.lon, SQUARE.lat, 5.0, None, None, newer)]) == 4
    found = again.index.nearest(MASSAGE, SQUARE, k=10, radius_m=5000)
    assert [candidate.worker_id for candidate in found] == [w.id for w in (workers[1], *workers[2:])]
    assert found[0].distance_m == 0


async def test_a_position_that_is_being_written_while_its_worker_is_read_is_not_lost(town: Town) -> None:
    """He goes online and says where he is in the same moment, and then stands still."""
    async with town.db.begin() as tx:
        worker = await dispatch.create_worker(tx, account_id="acc", display_name="Worker", services=[MASSAGE])
        await dispatch.go_online(tx, worker.id)
    for metres in range(20):
        dispatcher = dispatch.Dispatcher(town.db)
        async with town.db.begin() as tx:
            await tx.execute("DELETE FROM worker_positions")
        reading = asyncio.create_task(dispatcher.refresh([worker.id]))
        for _ in range(metres % 4):
            await asyncio.sleep(0)
        place = destination(SQUARE, 90, metres)
        dispatcher.moved((worker.id, place.lon, place.lat, 5.0, None, None, town.clock.now()))
        await asyncio.gather(reading, dispatcher.flush())
        assert [near.worker_id for near in dispatcher.index.nearest(MASSAGE, SQUARE, k=1, radius_m=50)] == [worker.id]


async def test_who_went_offline_unheard_is_gone_after_a_rebuild(town: Town) -> None:
    stays, leaves = [await town.worker(metres=100 * n) for n in (1, 2)]
    await town.db.run(dispatch.go_offline, leaves.id)
    assert await town.dispatcher.rebuild() == 1
    assert [near.worker_id for near in town.dispatcher.index.nearest(MASSAGE, SQUARE, k=9, radius_m=5000)] == [stays.id]


async def test_two_hundred_grabs_and_two_choices_race_on_real_connections(town: Town) -> None:
    workers = [await town.worker(metres=50 + n) for n in range(20)]
    call = await town.call()
    await town.run()

    async def attempt(n: int) -> str:
        worker = workers[n % len(workers)]
        try:
            await town.grab(call, worker)
            await town.lock(call, worker)
        except HubError as refused:
            return refused.code
        return "mine"

    answers = await asyncio.gather(*(attempt(n) for n in range(200)))
    assert answers.count("mine") == 1
    assert set(answers) <= {"mine", "locked", "already_grabbed", "order_gone"}
    assert await violations(town.db) == []


async def test_one_worker_is_chosen_by_ten_customers_at_once(town: Town) -> None:
    worker = await town.worker()
    calls = [await town.call() for _ in range(10)]
    for call in calls:
        await town.grab(call, worker)

    async def choose(call: object) -> str:
        try:
            await town.lock(call, worker)  # type: ignore[arg-type]
        except HubError as refused:
            return refused.code
        return "ok"

    answers = await asyncio.gather(*(choose(call) for call in calls))
    assert sorted(answers) == ["candidate_gone"] * 9 + ["ok"]
    assert await violations(town.db) == []


async def test_windows_of_first_wins_close_together_without_deadlock(town: Town) -> None:
    workers = [await town.worker(metres=100 + n) for n in range(8)]
    calls = [await town.call(mode=Mode.FIRST_WINS, in_h=2 + n / 10) for n in range(8)]
    for call in calls:
        for worker in workers:
            await town.grab(call, worker)
    town.clock.advance(seconds=1)
    runners = [replace(town, runner=town.runner) for _ in range(4)]
    await asyncio.gather(*(one.run() for one in runners))
    winners = [(await town.state(call)).worker_id for call in calls]
    assert len(set(winners)) == len(winners) == 8
    assert await violations(town.db) == []
