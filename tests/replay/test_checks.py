"""The oracle finds each planted fault, and nothing in a clean run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.replay.audit import differing, missing
from tests.replay.checks import Told, double_booked, findings, tell_stories, won_twice, wrong_wallets
from tests.replay.journal import Journal
from tests.replay.truth import CallTruth, OfferTruth, OrderTruth, Step, Truth

STORY = [
    (1, "in_pool", None), (2, "has_candidates", None), (3, "pending_payment", "w1"), (4, "paid", "w1"),
    (5, "accepted", "w1"), (6, "completed", "w1"),
]  # fmt: skip


class Run:
    """A small run: one technician w1, one customer; facts are numbered by themselves."""

    def __init__(self) -> None:
        self.seq = 100
        self.customer = self.journal("customer")
        self.worker = self.journal("w1")
        self.truth = Truth(read_s=1_000_000.0)

    def journal(self, owner: str) -> Journal:
        journal = Journal(owner)
        journal.ready({"epoch": "e", "seq": 0, "recovered": False}, 0.0)
        return journal

    def hear(self, journal: Journal, topic: str, **fields: Any) -> None:
        self.seq += 1
        journal.hear(topic, {"id": f"fct_{self.seq}", "seq": self.seq, "at": f"t{self.seq:04}", **fields}, 0.0)

    def order(self, order_id: str = "o1", story: Any = STORY, *, start_s: float = 1000.0, **changes: Any) -> None:
        for version, status, worker in story:
            self.hear(
                self.customer, "order.changed", order_id=order_id, version=version, status=status, worker_id=worker,
                verb="v",
            )  # fmt: skip
        fields: dict[str, Any] = {
            "order_id": order_id, "call_id": f"c-{order_id}", "customer_id": "a1", "status": story[-1][1],
            "version": story[-1][0], "worker_id": story[-1][2], "start_s": start_s, "minutes": 60, "kept_fen": 0,
            "deadlines": (), "steps": tuple(Step(version, 0.0, "v", status) for version, status, _ in story),
            "asked_s": 1.0,
        }  # fmt: skip
        self.truth.orders[order_id] = OrderTruth(**fields | changes)

    def offer(self, *, made: int = 1, closed: int = 1, order_id: str = "o1", state: str = "lost") -> None:
        for _ in range(made):
            self.hear(self.worker, "offer.made", offer_id="f1", call_id=f"c-{order_id}", subject_id=order_id, epoch=1)
        for _ in range(closed):
            self.hear(self.worker, "offer.closed", offer_id="f1", call_id=f"c-{order_id}", state=state)
        offers = (OfferTruth("f1", "w1", state),)
        self.truth.calls[f"c-{order_id}"] = CallTruth(f"c-{order_id}", order_id, "done", offers)

    @property
    def found(self) -> list[str]:
        return findings([self.customer, self.worker], {"w1": self.worker}, self.truth)


def test_a_clean_run_has_no_findings() -> None:
    run = Run()
    run.order()
    run.offer()
    assert run.found == []


def test_two_winners_are_found() -> None:
    run = Run()
    run.order(story=[*STORY[:5], (6, "accepted", "w2"), (7, "completed", "w2")])
    assert run.found == ["order o1 was won twice: by w1 and by w2 (I1)"]


def test_a_new_winner_after_the_pool_is_right() -> None:
    run = Run()
    run.order(story=[*STORY[:3], (4, "in_pool", None), (5, "pending_payment", "w2"), (6, "paid", "w2")])
    assert run.found == []


def test_a_cancel_request_does_not_let_the_winner_go() -> None:
    told = [Told("o", n, status, worker, "") for n, status, worker in (
        (1, "paid", "w1"), (2, "cancel_requested", "w1"), (3, "paid", "w2"),
    )]  # fmt: skip
    assert len(list(won_twice({"o": told}))) == 1


def test_a_second_technician_who_was_told_to_win_is_found() -> None:
    run = Run()
    run.order()
    run.hear(run.worker, "grab.closed", grab_id="g1", call_id="c-o1", subject_id="o1", state="won")
    assert run.found == []
    other = run.journal("w2")
    run.hear(other, "grab.closed", grab_id="g2", call_id="c-o1", subject_id="o1", state="won")
    found = findings([run.customer, run.worker, other], {"w1": run.worker, "w2": other}, run.truth)
    assert found == ["technician w2 was told that he won for order o1, which belongs to w1 (I1)"]


def test_a_verb_granted_to_somebody_else_is_found() -> None:
    run = Run()
    run.order()
    claims = [("o1", "w1", "granted accept"), ("o1", "w2", "granted accept")]
    found = findings([run.customer, run.worker], {"w1": run.worker}, run.truth, claims)
    assert found == ["technician w2 was granted accept for order o1, which belongs to w1 (I1)"]


def test_overlapping_visits_of_one_technician_are_found() -> None:
    run = Run()
    run.order("o1", STORY[:5])
    run.order("o2", STORY[:5], start_s=1000 + 59 * 60)
    assert run.found == ["technician w1 was double-booked: orders o1 and o2 (I2)"]


def test_visits_one_after_the_other_are_right() -> None:
    run = Run()
    run.order("o1", STORY[:5])
    run.order("o2", STORY[:5], start_s=1000 + 60 * 60)
    assert run.found == []


def test_a_technician_who_was_let_go_is_free() -> None:
    run = Run()
    run.order("o1", [*STORY[:3], (4, "in_pool", None)])
    run.order("o2", STORY[:5])
    assert run.found == []


def test_a_completed_visit_frees_the_technician() -> None:
    run = Run()
    run.order("o1")
    run.order("o2", STORY[:5])
    stories, _ = tell_stories([run.customer])
    assert list(double_booked(stories, run.truth.orders)) == []


def test_an_offer_that_was_never_heard_is_found() -> None:
    run = Run()
    run.order()
    run.offer(made=0, closed=0)
    assert run.found == ["w1 never heard offer f1 (lost) of call c-o1 (I5)"]


def test_an_offer_asked_for_by_a_grab_on_an_old_one_is_no_loss() -> None:
    run = Run()
    run.order()
    run.offer()
    call = run.truth.calls["c-o1"]
    again = OfferTruth("f2", "w1", "lost", epoch=2, grabbed=True)
    run.truth.calls["c-o1"] = replace(call, offers=(*call.offers, again))
    assert run.found == []
    run.truth.calls["c-o1"] = replace(call, offers=(*call.offers, replace(again, grabbed=False)))
    assert run.found == ["w1 never heard offer f2 (lost) of call c-o1 (I5)"]


def test_an_offer_told_twice_is_found() -> None:
    run = Run()
    run.order()
    run.offer(made=2)
    assert run.found == ["w1 heard offer.made of f1 as 2 facts (I5)"]


def test_an_offer_without_an_end_is_found() -> None:
    run = Run()
    run.order()
    run.offer(closed=0)
    assert run.found == ["w1 was never told how offer f1 ended (I5)"]


def test_a_step_that_nobody_heard_is_found() -> None:
    run = Run()
    run.order(steps=tuple(Step(n, 0.0, "v", status) for n, status, _ in [*STORY, (7, "completed", "")]))
    assert run.found == ["order o1: nobody heard step 7 (v → completed) (I6)"]


def test_a_record_behind_what_was_heard_is_found() -> None:
    run = Run()
    run.order(version=5)
    assert run.found == ["order o1 is at version 5, 6 was heard before (I6)"]
    later = Run()
    later.order(version=5, asked_s=-1.0)  # what was heard after the record was read says nothing
    assert later.found == []


def test_two_stories_of_one_step_are_found() -> None:
    run = Run()
    run.order()
    run.hear(run.worker, "order.changed", order_id="o1", version=3, status="paid", worker_id="w1", verb="v")
    assert "where others heard" in run.found[0]


def test_a_deadline_long_past_is_found() -> None:
    run = Run()
    run.order(story=STORY[:3], deadlines=(("lock", 1_000_000.0 - 60), ("pool_close", 1_000_000.0 - 1)))
    assert run.found == ["order o1 (pending_payment) is 60 s past its deadline lock (I10)"]


def test_a_wallet_must_hold_what_is_left() -> None:
    run = Run()
    run.order(kept_fen=300)
    run.truth.wallets = {"a1": 700}
    assert list(wrong_wallets(run.truth, {"a1": 1000})) == []
    assert len(list(wrong_wallets(run.truth, {"a1": 1001}))) == 1


def test_an_audit_finds_what_is_missing_or_different() -> None:
    run = Run()
    run.order()
    heard = run.customer.facts
    told = {fact_id: (fact.seq, fact.topic, fact.digest) for fact_id, fact in heard.items()}
    assert (missing(told, heard), differing(told, heard)) == ([], [])
    first = next(iter(told))
    assert differing({first: (told[first][0], "order.changed", b"other")}, heard) == [first]
    assert missing(told | {"fct_x": (999, "offer.made", b"")}, heard) == [("fct_x", 999, "offer.made")]
