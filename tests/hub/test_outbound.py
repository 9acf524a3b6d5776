"""The send buffer: order of facts, conflation of live messages, who leaves when room is short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.transport import classes
from hub.transport.classes import CLASSES, COMMAND, LIVE, NOTICE, DeliveryClass
from hub.transport.outbound import Outbound, OutboundLimits, Put
from hub.transport.packets import Frame

SMALL = OutboundLimits(bytes_max=100, count_max=10)


def frame(text: str) -> Frame:
    return Frame(text.encode())


def test_facts_leave_in_the_order_they_came() -> None:
    buffer = Outbound(SMALL)
    for n in range(5):
        assert buffer.put(frame(f"fact {n}")) is Put.QUEUED
    assert [taken.text for taken in buffer.take(1_000)] == [f"fact {n}" for n in range(5)]
    assert (len(buffer), buffer.bytes) == (0, 0)


def test_a_newer_live_message_replaces_the_waiting_one_with_its_key() -> None:
    buffer = Outbound(SMALL)
    assert buffer.put(frame("a1"), LIVE, "a") is Put.QUEUED
    buffer.put(frame("fact"))
    assert buffer.put(frame("a two"), LIVE, "a") is Put.REPLACED
    assert buffer.bytes == len("a two") + len("fact")
    assert [taken.text for taken in buffer.take(1_000)] == ["a two", "fact"]
    assert buffer.put(frame("a3"), LIVE, "a") is Put.QUEUED  # the taken one is gone, so this one queues again


def test_live_messages_leave_when_a_fact_needs_their_room() -> None:
    buffer = Outbound(SMALL)
    buffer.put(frame("x" * 70))
    assert buffer.put(frame("y" * 20), LIVE, "a") is Put.QUEUED
    assert buffer.put(frame("z" * 25)) is Put.QUEUED
    assert [taken.text[0] for taken in buffer.take(1_000)] == ["x", "z"]
    assert buffer.bytes_of(LIVE) == 0


def test_live_messages_get_only_their_share() -> None:
    buffer = Outbound(SMALL)
    assert buffer.put(frame("y" * 20), LIVE, "a") is Put.QUEUED
    assert buffer.put(frame("y" * 20), LIVE, "b") is Put.DROPPED


def test_a_full_buffer_refuses_facts_and_keeps_what_it_has() -> None:
    buffer = Outbound(SMALL)
    buffer.put(frame("x" * 90))
    assert buffer.put(frame("y" * 20)) is Put.FULL
    assert [taken.text[0] for taken in buffer.take(1)] == ["x"]


def test_an_empty_buffer_takes_one_frame_of_any_size() -> None:
    assert Outbound(SMALL).put(frame("x" * 5_000)) is Put.QUEUED


def test_the_number_of_frames_is_bounded_too() -> None:
    buffer = Outbound(SMALL)
    assert [buffer.put(frame("f")) for _ in range(11)] == [Put.QUEUED] * 10 + [Put.FULL]


def test_a_notice_is_lost_rather_than_take_more_than_its_share() -> None:
    buffer = Outbound(SMALL)
    assert buffer.put(frame("n" * 10), NOTICE) is Put.QUEUED
    assert buffer.put(frame("n" * 10), NOTICE) is Put.DROPPED
    assert buffer.live_lost == 0


def test_an_ack_makes_notices_and_live_values_leave_and_is_itself_never_lost() -> None:
    buffer = Outbound(SMALL)
    buffer.put(frame("n" * 10), NOTICE)
    buffer.put(frame("l" * 20), LIVE, "a")
    assert buffer.put(frame("c" * 90), COMMAND) is Put.QUEUED
    assert [taken.text[0] for taken in buffer.take(1_000)] == ["c"]
    assert buffer.live_lost == 1
    buffer.put(frame("f" * 90))
    assert buffer.put(frame("c" * 20), COMMAND) is Put.FULL


def test_the_page_of_the_classes_says_what_the_table_says() -> None:
    page = classes.__doc__ or ""
    lines = [line for line in page.splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rows = {cells[0]: cells for cells in table}
    words = {1: "all", 4: "a quarter", 8: "an eighth"}
    for kind in CLASSES:
        cells = rows[kind.name]
        assert cells[2].startswith(words[kind.share])
        assert ("lost" in cells[3]) is kind.yields


def test_one_key_can_be_dropped_alone() -> None:
    buffer = Outbound(SMALL)
    buffer.put(frame("aa"), LIVE, "a")
    buffer.put(frame("bb"), LIVE, "b")
    assert buffer.drop_live("a") == 1
    assert buffer.drop_live("a") == 0
    assert [taken.text for taken in buffer.take(1_000)] == ["bb"]


def test_a_closed_buffer_takes_nothing() -> None:
    buffer = Outbound(SMALL)
    buffer.closed = True
    assert buffer.put(frame("f")) is Put.CLOSED
    assert buffer.put(frame("f"), LIVE, "a") is Put.CLOSED


STEPS = st.lists(st.tuples(st.sampled_from([*CLASSES, None]), st.integers(1, 60)), max_size=60)


@given(STEPS)
def test_what_was_accepted_leaves_in_order_and_the_bounds_hold(steps: list[tuple[DeliveryClass | None, int]]) -> None:
    buffer = Outbound(SMALL)
    accepted: list[str] = []
    left: list[str] = []
    for n, (kind, size) in enumerate(steps):
        if kind is None:
            left += [taken.text for taken in buffer.take(size)]
            continue
        text = f"{kind.name[0].upper()}{n} ".ljust(size, ".")
        key = f"key {size % 3}" if kind is LIVE else None
        if buffer.put(frame(text), kind, key) is Put.QUEUED and not kind.yields:
            accepted.append(text)
        assert buffer.bytes <= SMALL.bytes_max or len(buffer) == 1
        assert len(buffer) <= SMALL.count_max
        assert buffer.bytes == sum(buffer.bytes_of(each) for each in CLASSES)
        assert all(buffer.bytes_of(each) <= SMALL.bytes_max // each.share for each in (LIVE, NOTICE))
    left += [taken.text for taken in buffer.take(10_000)]
    assert [text for text in left if text[0] in "CF"] == accepted
    assert (buffer.bytes, buffer.bytes_of(LIVE)) == (0, 0)
