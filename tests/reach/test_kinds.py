"""The table of kinds against what it names: facts, fields, states, words."""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest

import rest.app  # noqa: F401 - declares every fact
from rest.edge.values import Money
from rest.lines.homeservice.model import MACHINE
from rest.reach import words
from rest.reach.kinds import BROADCAST, BY_TOPIC, CHAT, ENDINGS, HEARD, KINDS, RULES, Rule
from storage.base.facts import declared_facts

SAMPLES: dict[str, Any] = {
    "start_at": "2026-01-05T02:00:00.000Z", "distance_m": 1_530, "item_name": {"zh-CN": "保洁", "en": "Cleaning"},
    "name": {"zh-CN": "新人券", "en": "Welcome"}, "agent_name": "Sue", "title": "A payment failed",
}  # fmt: skip


MORE: dict[str, dict[str, Any]] = {
    CHAT.kind: {"count": 3},
    BROADCAST.kind: {"title": {"zh-CN": "停运", "en": "Closed"}, "body": {"en": "Today"}, "link": None},
}


def sample(topic: str) -> dict[str, Any]:
    """A fact as JSON has it."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(declared_facts()[topic]):
        kinds = get_args(field.type) or (field.type,)
        if field.name in SAMPLES:
            found[field.name] = SAMPLES[field.name]
        elif any(getattr(kind, "__name__", "") == "datetime" for kind in kinds):
            found[field.name] = "2026-01-05T02:03:04.000Z"
        elif Money in kinds:
            found[field.name] = {"amount": 12_345, "currency": "CNY"}
        else:
            found[field.name] = 7 if int in kinds else field.name
    return found


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("rule", [*RULES, CHAT, BROADCAST], ids=lambda rule: rule.kind)
def test_every_kind_has_all_it_says_in_both_languages(rule: Rule) -> None:
    fact = {**sample(rule.topic), **MORE.get(rule.kind, {})}
    about = rule.about(fact)
    for tongue in words.LANGUAGES:
        said = words.TABLE[rule.kind][tongue]
        assert placeholders(said.title + said.body) <= set(about)
        told = words.say(rule.kind, about, tongue)
        assert told.title
        assert told.body
        assert "{" not in told.title + told.body
        digest = words.say(rule.kind, about, tongue, stands_for=7)
        assert "7" in digest.title
        assert told.title in digest.body
    rule.collapse_key(fact)
    rule.ends_at(fact)
    assert isinstance(rule.when(fact), bool)
    assert rule.subject is None or fact[rule.subject[1]]


def test_no_kind_is_there_twice_and_no_words_are_left_over() -> None:
    assert len(KINDS) == len(RULES) + 2
    assert set(words.TABLE) == set(KINDS)


def test_what_is_listened_to_is_told_by_somebody() -> None:
    assert set(HEARD) <= set(declared_facts())
    for ending in ENDINGS.values():
        assert ending.field in sample(ending.topic)
    named = {rule.collapse[0] for rule in RULES if rule.collapse}
    assert {ending.word for ending in ENDINGS.values()} <= named


def steps() -> Iterator[tuple[str, str]]:
    for verb in MACHINE.verbs:
        for who in ("customer", "technician", "support", "system"):
            yield verb, who


def test_every_step_of_an_order_that_people_wait_for_is_told_once() -> None:
    """HS-113, HS-203: which verbs are told to whom; a verb not in this list is nobody's news."""
    told: dict[str, set[str]] = {}
    for verb, who in steps():
        fact = {**sample("order.changed"), "verb": verb, "who": who}
        rules = [rule for rule in BY_TOPIC["order.changed"] if rule.when(fact)]
        assert len(rules) <= 1, (verb, rules)
        if rules:
            told.setdefault(verb, set()).update(rules[0].to)
    customer, worker, both = {"customer"}, {"worker"}, {"customer", "worker"}
    assert told == {
        "accept": customer, "agree": customer, "depart": customer, "arrive": customer, "start": customer,
        "time_up": both, "end": worker, "confirm_left": worker, "leave": customer, "ask_choice": customer,
        "unbind": customer, "ask_cancel": worker, "ask_end": worker, "save": both, "go_on": both, "resume_trip": both,
        "change_technician": both, "drop": both, "insist": both, "terminate": both, "leave_unmet": both, "excuse": both,
    }  # fmt: skip
