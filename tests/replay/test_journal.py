"""The record of a client finds what must not happen on a connection, and nothing else."""

from __future__ import annotations

from tests.replay.figures import percentile, summary
from tests.replay.journal import Journal, digest_of


def fact(seq: int, **fields: object) -> dict[str, object]:
    return {"id": f"fct_{seq}", "seq": seq, "at": "2026-01-05T02:00:00.000Z", **fields}


def connected(since: int = 10) -> Journal:
    journal = Journal("w1")
    journal.ready({"epoch": "e", "seq": since, "recovered": False}, 0.0)
    return journal


def test_what_the_checks_need_is_kept() -> None:
    journal = connected()
    journal.hear("offer.closed", fact(12, offer_id="ofr_1", call_id="cal_1", state="lost", reason="r"), 1.0)
    journal.hear("order.clock", fact(13, order_id="ord_1"), 1.0)
    assert [heard.fields for heard in journal.of("offer.closed")] == [
        {"offer_id": "ofr_1", "call_id": "cal_1", "state": "lost"}
    ]
    assert [heard.fields for heard in journal.of("order.clock")] == [{}]


def test_a_first_connection_starts_at_the_head() -> None:
    assert connected(10).since == 10


def test_facts_move_since() -> None:
    journal = connected()
    assert journal.hear("order.changed", fact(12), 1.0)
    assert (journal.since, journal.faults) == (12, [])


def test_a_repeated_fact_is_counted_and_not_new() -> None:
    journal = connected()
    journal.hear("order.changed", fact(12), 1.0)
    journal.gone(2.0)
    journal.ready({"epoch": "e", "seq": 12, "recovered": True}, 3.0)
    assert not journal.hear("order.changed", fact(12), 4.0)
    assert (journal.repeats, journal.faults) == (1, [])


def test_recovery_keeps_the_place_until_the_gap_has_come() -> None:
    journal = connected(10)
    journal.gone(1.0)
    journal.ready({"epoch": "e", "seq": 40, "recovered": True}, 2.0)
    assert journal.since == 10


def test_other_content_under_one_id_is_a_fault() -> None:
    journal = connected()
    journal.hear("order.changed", fact(12, status="paid"), 1.0)
    journal.gone(2.0)
    journal.ready({"epoch": "e", "seq": 12, "recovered": True}, 3.0)
    journal.hear("order.changed", fact(12, status="accepted"), 4.0)
    assert "twice with different content" in journal.faults[0]


def test_the_wrong_order_is_a_fault() -> None:
    journal = connected()
    journal.hear("order.changed", fact(12), 1.0)
    journal.hear("order.changed", fact(11), 1.0)
    assert "fact 11 came after fact 12" in journal.faults[0]


def test_one_seq_for_two_facts_is_a_fault() -> None:
    journal = connected()
    journal.hear("order.changed", fact(12), 1.0)
    journal.gone(2.0)
    journal.ready({"epoch": "e", "seq": 12, "recovered": True}, 3.0)
    journal.hear("order.changed", {**fact(12), "id": "fct_x"}, 4.0)
    assert "have one seq" in journal.faults[0]


def test_being_online_is_remembered() -> None:
    journal = connected()
    journal.gone(5.0)
    assert journal.was_online(4.0, 9.0)
    assert not journal.was_online(5.5, 9.0)
    journal.ready({"epoch": "e", "seq": 12, "recovered": True}, 10.0)
    assert journal.was_online(11.0, 12.0)
    assert journal.connected_for(12.0) == 2.0


def test_the_digest_knows_content_and_not_order() -> None:
    assert digest_of("a", {"x": 1, "y": 2}) == digest_of("a", {"y": 2, "x": 1})
    assert digest_of("a", {"x": 1}) != digest_of("b", {"x": 1})
    assert digest_of("a", {"x": 1}) != digest_of("a", {"x": 2})


def test_percentiles_are_measured_values() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, rank) for rank in (50, 95, 99, 100)] == [50.0, 95.0, 99.0, 100.0]
    assert percentile([7.0], 99) == 7.0
    assert summary([]) == {"p50": None, "p95": None, "p99": None, "count": 0}
