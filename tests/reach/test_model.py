"""States, quiet hours, wishes: rules that need no database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rest.reach.model import (
    TRANSITIONS,
    VERBS,
    WHOLE_MAX,
    Channel,
    Delivery,
    State,
    Wishes,
    WrongDeliveryState,
    collapse,
    quiet_until,
    retry_s,
)
from storage.base.clock import BUSINESS_ZONE
from tests.conftest import MONDAY

ENDS = {State.FAILED, State.GIVEN_UP, State.DROPPED}
ALLOWED = {
    State.HELD: {"release": State.QUEUED, "drop": State.DROPPED},
    State.QUEUED: {
        "take": State.SENT, "put_off": State.QUEUED, "refuse": State.FAILED, "give_up": State.GIVEN_UP,
        "drop": State.DROPPED,
    },
    State.SENT: {"confirm": State.DELIVERED},
    State.DELIVERED: {"confirm": State.DELIVERED},
}  # fmt: skip


def delivery(state: State) -> Delivery:
    return Delivery(
        id="dlv_1", notice_id="ntc_1", account_id="acc_1", channel=Channel.PUSH, device_id="dev_1", state=state,
        attempts=0, stands_for=1, ticket=None, provider_ref=None, problem=None, created_at=MONDAY, due_at=MONDAY,
        ends_at=MONDAY, changed_at=MONDAY,
    )  # fmt: skip


@pytest.mark.parametrize(("state", "verb"), list(product(State, VERBS)))
def test_every_verb_in_every_state(state: State, verb: str) -> None:
    wanted = ALLOWED.get(state, {}).get(verb)
    if wanted is None:
        with pytest.raises(WrongDeliveryState) as refused:
            delivery(state).after(verb, MONDAY)
        assert refused.value.code == "delivery_state"
    else:
        assert delivery(state).after(verb, MONDAY).state is wanted


def test_what_has_ended_stays_ended() -> None:
    assert {state for state, _ in TRANSITIONS} & ENDS == set()


def oracle(now: datetime, from_min: int, to_min: int) -> datetime | None:
    """Minute by minute: is this minute of the wall quiet? Until the first that is not."""

    def is_quiet(at: datetime) -> bool:
        local = at.astimezone(BUSINESS_ZONE)
        minute = local.hour * 60 + local.minute
        if from_min <= to_min:
            return from_min <= minute < to_min
        return minute >= from_min or minute < to_min

    if not is_quiet(now):
        return None
    at = now.replace(second=0, microsecond=0)
    while is_quiet(at):
        at += timedelta(minutes=1)
    return at


MINUTES = st.integers(0, 1439)
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


@given(INSTANTS, MINUTES, MINUTES)
@example(datetime(2026, 1, 5, 15, 59, 59, tzinfo=UTC), 22 * 60, 7 * 60)  # just before midnight on the wall
@example(datetime(2026, 1, 4, 23, 0, tzinfo=UTC), 22 * 60, 7 * 60)  # the first minute after them
@example(datetime(2026, 1, 5, 14, 0, tzinfo=UTC), 22 * 60, 7 * 60)  # the first of them
@example(datetime(2026, 1, 5, 14, 0, tzinfo=UTC), 600, 600)
def test_quiet_hours_are_what_the_clock_on_the_wall_says(now: datetime, from_min: int, to_min: int) -> None:
    assert quiet_until(now, from_min, to_min) == oracle(now, from_min, to_min)


@given(INSTANTS, MINUTES, MINUTES)
def test_quiet_hours_end_once_and_within_a_day(now: datetime, from_min: int, to_min: int) -> None:
    until = quiet_until(now, from_min, to_min)
    if until is not None:
        assert now < until <= now + timedelta(days=1)
        assert quiet_until(until, from_min, to_min) is None


def test_a_person_mutes_a_kind_or_a_family_over_one_channel() -> None:
    wishes = Wishes(account_id="acc_1", muted=frozenset({"order.departed/push", "coupon/sms"}))
    wants = {(kind, channel): wishes.wants(kind, channel)
             for kind in ("order.departed", "order.arrived", "coupon.given") for channel in Channel}  # fmt: skip
    assert [key for key, wanted in wants.items() if not wanted] == [
        ("order.departed", Channel.PUSH), ("coupon.given", Channel.SMS),
    ]  # fmt: skip


@given(st.integers(1, 500))
def test_a_few_are_told_each_and_many_as_one(held: int) -> None:
    assert collapse(held) == (held if held <= WHOLE_MAX else 1)


def test_waits_grow_to_ten_minutes() -> None:
    assert [retry_s(n) for n in (1, 2, 3, 8, 9, 10, 500)] == [2, 4, 8, 256, 512, 600, 600]
