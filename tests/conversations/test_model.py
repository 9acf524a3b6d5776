"""Conversations as values: every verb in every status, every content, what a text is found by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.conversations.model import (
    TRANSITIONS,
    VERBS,
    Content,
    ConversationState,
    Kind,
    MessageEmpty,
    MessageTooLong,
    Status,
)
from chat.conversations.words import WORDS_MAX, needles, words_of
from tests.conversations.test_access import a_conversation


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_in_every_status(status: Status, verb: str) -> None:
    expected = TRANSITIONS.get((status, verb))
    conversation = a_conversation(status=status)
    if expected is None:
        with pytest.raises(ConversationState):
            conversation.after(verb)
    else:
        assert conversation.after(verb) is expected


PLACE = {"lon": 121.4, "lat": 37.5, "title": "gate"}
GOOD = {
    Kind.TEXT: Content(text="hi"),
    Kind.NOTE: Content(kind=Kind.NOTE, text="hm", is_internal=True),
    Kind.SYSTEM: Content(kind=Kind.SYSTEM, text="closed"),
    Kind.IMAGE: Content(kind=Kind.IMAGE, file_id="fil_1"),
    Kind.FILE: Content(kind=Kind.FILE, file_id="fil_1", text="the bill"),
    Kind.LOCATION: Content(kind=Kind.LOCATION, data=PLACE),
    Kind.ORDER_CARD: Content(kind=Kind.ORDER_CARD, data={"kind": "order", "id": "ord_1"}),
}
BAD = {
    "blank": Content(text=" \n"),
    "text with a file": Content(text="hi", file_id="fil_1"),
    "a note for all": Content(kind=Kind.NOTE, text="hm"),
    "a picture without one": Content(kind=Kind.IMAGE, text="look"),
    "a place nowhere": Content(kind=Kind.LOCATION),
    "a card of nothing": Content(kind=Kind.ORDER_CARD, text="ord_1"),
    "an edit as a message": Content(kind=Kind.EDIT, text="hi"),
    "a recall as a message": Content(kind=Kind.RECALL),
}


@pytest.mark.parametrize("kind", GOOD)
def test_what_a_message_may_hold(kind: Kind) -> None:
    assert GOOD[kind].checked() is GOOD[kind]


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_message(name: str) -> None:
    with pytest.raises(MessageEmpty):
        BAD[name].checked()


def test_four_thousand_characters_and_no_more() -> None:
    assert Content(text="门" * 4_000).checked()
    with pytest.raises(MessageTooLong):
        Content(text="x" * 4_001).checked()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("请开门, Room 12", ["请开", "开门", "room", "12"]),
        ("ＯＫ ok Ok", ["ok"]),
        ("门", ["门"]),
        ("order_77!", ["order", "77"]),
        ("…😀 _", []),
        ("ord12单号", ["ord12", "单号"]),
    ],
)
def test_what_a_text_is_found_by(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(st.text(alphabet=st.sampled_from("请开门单号修 aB1_,。"), max_size=80), st.data())
def test_any_run_of_a_text_finds_it(text: str, data: st.DataObject) -> None:
    """What is asked for is in the index of every text that has it, and each needle is in that text."""
    runs = words_of(text)
    if not needles(text):
        return
    run = data.draw(st.sampled_from(needles(text)))
    start = data.draw(st.integers(0, max(0, len(run) - 2)))
    part = run[start : start + max(2, data.draw(st.integers(2, 6)))]
    if len(part) >= 2:
        assert set(words_of(part)) <= set(runs)
        assert all(needle in text.lower() for needle in needles(part))


@given(st.text(max_size=4_000))
def test_any_text_has_a_bounded_index(text: str) -> None:
    words = words_of(text)
    assert len(words) == len(set(words)) <= WORDS_MAX
    assert all(words)
