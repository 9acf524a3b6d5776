"""The pure parts: every state with every verb, routing, choosing, promises, ratings, quick replies."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.calendars import Calendar, Interval, always, business_between
from chat.desk import replies, sla
from chat.desk.errors import AgentStateInvalid, ReplyTemplateInvalid, RulesInvalid, ThreadState
from chat.desk.model import (
    AGENT_TRANSITIONS,
    SERVED,
    TRANSITIONS,
    VERBS,
    AgentState,
    Kind,
    Severity,
    State,
    Thread,
    agent_after,
    expected_wait,
    priority_of,
)
from chat.desk.ratings import WHOLE, rating_of_token, shares_of, token_of
from chat.desk.routing import Request, Rule, When, check_rules, route
from chat.desk.sla import Promise, Timer, TimerState
from tests.conftest import MONDAY

MINUTE = timedelta(minutes=1)


def thread(state: State) -> Thread:
    values: dict[str, Any] = dict.fromkeys(Thread.__dataclass_fields__)
    values |= {
        "state": state, "version": 1, "assignee_id": "acc_sue" if state in SERVED else None, "state_at": MONDAY,
        "closed_at": MONDAY if state is State.CLOSED else None,
    }  # fmt: skip
    return Thread(**values)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_in_every_state(state: State, verb: str) -> None:
    wanted = TRANSITIONS.get((state, verb))
    if wanted is None:
        with pytest.raises(ThreadState):
            thread(state).after(verb, MONDAY)
        return
    after = thread(state).after(verb, MONDAY + MINUTE)
    assert (after.state, after.version) == (wanted, 2)
    assert wanted in SERVED or after.assignee_id is None
    assert (after.closed_at is not None) == (wanted is State.CLOSED)
    aside = replace(thread(state), snoozed_until=MONDAY + MINUTE).after(verb, MONDAY)
    assert (aside.snoozed_until is not None) == (verb in ("snooze", "reply", "convert"))


def test_from_every_state_there_is_a_way_back_to_the_line() -> None:
    reached = {State.QUEUED}
    while more := {a for (a, _), b in TRANSITIONS.items() if b in reached} - reached:
        reached |= more
    assert reached == set(State)


@pytest.mark.parametrize("state", AgentState)
@pytest.mark.parametrize("verb", ["online", "busy", "away", "offline", "miss", "dance"])
def test_every_state_of_an_agent(state: AgentState, verb: str) -> None:
    wanted = AGENT_TRANSITIONS.get((state, verb))
    if wanted is None:
        with pytest.raises(AgentStateInvalid):
            agent_after(state, verb)
    else:
        assert agent_after(state, verb) is wanted
        assert not (state is AgentState.OFFLINE and verb == "miss" and wanted is not AgentState.OFFLINE)


@given(st.sampled_from(Severity), st.sampled_from(Severity), st.integers(0, 99), st.integers(0, 99))
def test_severity_goes_before_rank(one: Severity, other: Severity, rank: int, other_rank: int) -> None:
    order = list(Severity)
    if order.index(one) > order.index(other):
        assert priority_of(one, rank) > priority_of(other, other_rank)
    assert priority_of(one, max(rank, other_rank)) >= priority_of(one, min(rank, other_rank))


# Routing


def test_the_first_rule_that_fits_and_why_not_the_others() -> None:
    """EB-071: three regions and two kinds of service, each a queue of its own."""
    rules = [
        Rule(name="sos", queue_id="safety", when=When(severity_min=Severity.EMERGENCY)),
        Rule(name="repair_a", queue_id="repair_a", when=When(lines=("ebike",), regions=("A",), categories=("repair",))),
        Rule(name="consult_a", queue_id="consult_a", when=When(lines=("ebike",), regions=("A",))),
        Rule(name="tenant", queue_id="t1", when=When(tenant_ids=("ten_1",))),
        Rule(name="members", queue_id="gold", when=When(is_member=True)),
        Rule(name="rest", queue_id="help"),
    ]
    check_rules(rules)

    def goes(**asked: Any) -> str:
        return route(rules, Request(**{"kind": Kind.CHAT, "category": "order", **asked}))[-1].rule.queue_id

    assert goes() == "help"
    assert goes(line="ebike", region="A01", category="repair") == "repair_a"
    assert goes(line="ebike", region="A01") == "consult_a"
    assert goes(line="ebike", region="B01") == "help"
    assert goes(line="ebike", region="A01", severity=Severity.EMERGENCY) == "safety"
    assert goes(tenant_id="ten_1", is_member=True) == "t1"
    assert goes(is_member=True) == "gold"
    tried = route(rules, Request(kind=Kind.CHAT, category="x", line="ebike", region="A1"))
    assert [(one.rule.name, one.unmet) for one in tried] == [
        ("sos", ("severity_min",)), ("repair_a", ("categories",)), ("consult_a", ()),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [Rule(name="a", queue_id="q", when=When(is_member=True))],
        [Rule(name="a", queue_id="q"), Rule(name="b", queue_id="q")],
        [Rule(name="a", queue_id="q")] * 201,
    ],
)
def test_rules_that_leave_somebody_out_are_refused(rules: list[Rule]) -> None:
    """FR-147: without a rule for everything there is no list."""
    with pytest.raises(RulesInvalid):
        check_rules(rules)


# Waiting times


def test_the_wait_that_is_left_is_read_from_those_who_waited_as_long() -> None:
    waits = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0]
    assert (expected_wait(waits, 0).p50_s, expected_wait(waits, 0).p90_s) == (50, 90)
    late = expected_wait(waits, 45)
    assert (late.p50_s, late.p90_s, late.samples) == (25, 55, 6)
    assert (expected_wait(waits, 61).p50_s, expected_wait(waits, 61).samples) == (None, 4)


# Promises

OFFICE = Calendar("Asia/Shanghai", ((Interval(540, 720), Interval(780, 1080)),) * 5 + ((), ()))


@given(
    st.sampled_from([OFFICE, always()]), st.integers(5, 2000),
    st.lists(st.tuples(st.sampled_from(["pause", "resume", "look"]), st.integers(1, 900)), max_size=12),
)  # fmt: skip
def test_a_promise_is_due_when_the_minutes_say_and_passes_each_mark_once(
    calendar: Calendar, target_min: int, steps: list[tuple[str, int]]
) -> None:
    """S1: the sum of open time while it ran, against a timer that is paused, resumed and looked at."""
    now = MONDAY
    timer = sla.resume(sla.begin("con_1", Promise.RESOLVE, 1, target_min * 60, now), now, calendar)
    is_running, passed = True, timedelta(0)
    seen: list[int] = []
    for verb, minutes in steps:
        later = now + minutes * MINUTE
        if is_running:
            passed += business_between(calendar, now, later)
        now = later
        before = timer
        timer = {"pause": sla.pause, "resume": sla.resume, "look": sla.passed}[verb](timer, now, calendar)
        is_running = is_running if verb == "look" else verb == "resume"
        assert sla.used(timer, now, calendar) == passed
        seen += [timer.warned] if timer.warned != before.warned else []
        assert timer.version - before.version in (0, 1)
        assert (timer.due_at != before.due_at) <= (timer.version > before.version), "a new due time is a new version"
        if timer.state is TimerState.RUNNING and passed < timer.target:
            assert timer.due_at is not None
            assert passed + business_between(calendar, now, timer.due_at) == timer.target
    assert seen == sorted(set(seen)), "each mark once, upwards"
    done = sla.end(timer, now, calendar, TimerState.MET)
    assert (done.warned == 100) == (passed >= done.target)
    assert done == sla.end(done, now + MINUTE, calendar, TimerState.MET)


def test_other_hours_count_from_the_change_on() -> None:
    timer = sla.resume(sla.begin("con_1", Promise.FIRST_REPLY, 1, 3600, MONDAY), MONDAY, always())
    at = MONDAY + 30 * MINUTE
    closed = Calendar("UTC", ((),) * 7)
    rebased = sla.rebase(timer, at, always(), closed)
    assert (rebased.due_at, rebased.version, rebased.consumed) == (None, timer.version + 2, 30 * MINUTE)
    reopened = sla.rebase(rebased, at + 99 * MINUTE, closed, always())
    assert reopened.due_at == at + 129 * MINUTE


def test_a_breach_is_dated_when_it_was_due() -> None:
    timer = sla.resume(sla.begin("con_1", Promise.FIRST_REPLY, 1, 3600, MONDAY), MONDAY, always())
    late = sla.end(timer, MONDAY + 600 * MINUTE, always(), TimerState.MET)
    assert (late.breached_at, late.warned, late.state) == (MONDAY + 60 * MINUTE, 100, TimerState.MET)
    in_time: Timer = sla.end(timer, MONDAY + 59 * MINUTE, always(), TimerState.MET)
    assert (in_time.breached_at, in_time.warned) == (None, 80)
    assert replace(in_time) == in_time


# Ratings


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 60), max_size=9))
def test_shares_are_whole_and_follow_the_replies(replied: dict[str, int]) -> None:
    shares = shares_of(list(replied.items()))
    assert sum(shares.values()) == (WHOLE if replied else 0)
    total = sum(replied.values())
    assert all(abs(shares[name] - WHOLE * count / total) < 1 for name, count in replied.items())


def test_a_link_opens_one_rating_and_cannot_be_made_up() -> None:
    token = token_of("secret", "rtg_1")
    assert rating_of_token("secret", token) == "rtg_1"
    assert rating_of_token("other", token) is None
    assert rating_of_token("secret", token.replace("rtg_1", "rtg_2")) is None
    assert [rating_of_token("secret", bad) for bad in ("", ".", "rtg_1", token + "x", "ü" + token)] == [None] * 5


# Quick replies


def test_a_quick_reply_is_a_text_with_names() -> None:
    body = "您好 {{customer_name}}，订单 {{ order_no }} 已由 {{agent_name}} 处理。"
    replies.check_body(body)
    values = {"customer_name": "{{order_no}}", "order_no": "42"}
    assert replies.render(body, values) == "您好 {{order_no}}，订单 42 已由 {{agent_name}} 处理。"
    assert replies.missing(body, values) == ["agent_name"]


@pytest.mark.parametrize("body", ["", "  ", "x" * 1001, "{{password}}", "{{customer_name", "a }} b", "{{__class__}}"])
def test_a_quick_reply_that_cannot_be_rendered_is_refused(body: str) -> None:
    with pytest.raises(ReplyTemplateInvalid):
        replies.check_body(body)


@given(st.text(alphabet="{}ab _", max_size=40), st.text(alphabet="{}x", max_size=9))
def test_what_a_variable_holds_is_never_read_again(text: str, value: str) -> None:
    """Rendering a rendered text of checked bodies changes nothing but what the values themselves spell out."""
    body = f"{text}{{{{order_no}}}}"
    try:
        replies.check_body(body)
    except ReplyTemplateInvalid:
        return
    assert replies.render(body, {"order_no": value}) == text + value
