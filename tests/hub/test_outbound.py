"""The send buffer: order of facts, conflation of live messages, who leaves when room is short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.transport.outbound import Frame, Outbound, OutboundLimits, Put

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
    assert buffer.put_live("a", frame("a1")) is Put.QUEUED
    buffer.put(frame("fact"))
    assert buffer.put_live("a", frame("a two")) is Put.REPLACED
    assert buffer.bytes == len("a two") + len("fact")
    assert [taken.text for taken in buffer.take(1_000)] == ["a two", "fact"]
    assert buffer.put_live("a", frame("a3")) is Put.QUEUED  # the taken one is gone, so this one queues again


def test_live_messages_leave_when_a_fact_needs_their_room() -> None:
    buffer = Outbound(SMALL)
    buffer.put(frame("x" * 70))
    assert buffer.put_live("a", frame("y" * 20)) is Put.QUEUED
    assert buffer.put(frame("z" * 25)) is Put.QUEUED
    assert [taken.text[0] for taken in buffer.take(1_000)] == ["x", "z"]
    assert buffer.live_bytes == 0


def test_live_messages_get_only_their_share() -> None:
    buffer = Outbound(SMALL)
    assert buffer.put_live("a", frame("y" * 20)) is Put.QUEUED
    assert buffer.put_live("b", frame("y" * 20)) is Put.DROPPED


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


def test_one_key_can_be_dropped_alone() -> None:
    buffer = Outbound(SMALL)
    buffer.put_live("a", frame("aa"))
    buffer.put_live("b", frame("bb"))
    assert buffer.drop_live("a") == 1
    assert buffer.drop_live("a") == 0
    assert [taken.text for taken in buffer.take(1_000)] == ["bb"]


def test_a_closed_buffer_takes_nothing() -> None:
    buffer = Outbound(SMALL)
    buffer.closed = True
    assert buffer.put(frame("f")) is Put.CLOSED
    assert buffer.put_live("a", frame("f")) is Put.CLOSED


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("fact"), st.integers(1, 60)),
        st.tuples(st.just("live"), st.integers(1, 40)),
        st.tuples(st.just("take"), st.integers(1, 60)),
    ),
    max_size=60,
)


@given(STEPS)
def test_accepted_facts_all_leave_in_order_and_the_bounds_hold(steps: list[tuple[str, int]]) -> None:
    buffer = Outbound(SMALL)
    accepted: list[str] = []
    left: list[str] = []
    for n, (what, size) in enumerate(steps):
        if what == "fact":
            text = f"F{n} ".ljust(size, ".")
            if buffer.put(frame(text)) is Put.QUEUED:
                accepted.append(text)
        elif what == "live":
            buffer.put_live(f"key {size % 3}", frame("L".ljust(size, ".")))
        else:
            left += [taken.text for taken in buffer.take(size)]
        assert buffer.bytes <= SMALL.bytes_max or len(buffer) == 1
        assert len(buffer) <= SMALL.count_max
    left += [taken.text for taken in buffer.take(10_000)]
    assert [text for text in left if text.startswith("F")] == accepted
    assert (buffer.bytes, buffer.live_bytes) == (0, 0)
