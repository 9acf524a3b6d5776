"""Token buckets: burst, refill, independence of principals and events."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.limits import Bucket, Limiter, Rate, take
from storage.base.clock import ManualClock
from storage.base.errors import TooMany
from tests.conftest import MONDAY

RATE = Rate(burst=3, per_s=2)


def test_a_burst_passes_then_the_wait_is_told(clock: ManualClock) -> None:
    limiter = Limiter()
    for _ in range(3):
        limiter.check("acc_1", "say", RATE, clock.now())
    with pytest.raises(TooMany) as refused:
        limiter.check("acc_1", "say", RATE, clock.now())
    assert refused.value.fields == {"retry_after_ms": 500, "event": "say"}
    clock.advance(seconds=0.5)
    limiter.check("acc_1", "say", RATE, clock.now())


def test_principals_and_events_do_not_share_a_bucket(clock: ManualClock) -> None:
    limiter = Limiter()
    one = Rate(burst=1, per_s=1)
    for who, event in [("acc_1", "say"), ("acc_2", "say"), ("acc_1", "read")]:
        limiter.check(who, event, one, clock.now())
        with pytest.raises(TooMany):
            limiter.check(who, event, one, clock.now())


@given(st.lists(st.integers(0, 3_000), max_size=60))
def test_no_window_lets_more_through_than_burst_plus_refill(pauses_ms: list[int]) -> None:
    bucket: Bucket | None = None
    now = MONDAY
    passed = 0
    for pause in pauses_ms:
        now += timedelta(milliseconds=pause)
        bucket, wait_ms = take(bucket, RATE, now)
        passed += not wait_ms
    assert passed <= RATE.burst + (now - MONDAY).total_seconds() * RATE.per_s + 1e-6


@given(st.floats(0, 0.999), st.integers(1, 20))
def test_waiting_as_long_as_told_is_enough(tokens: float, per_s: int) -> None:
    rate = Rate(burst=5, per_s=per_s)
    bucket, wait_ms = take(Bucket(tokens, MONDAY), rate, MONDAY)
    assert take(bucket, rate, MONDAY + timedelta(milliseconds=wait_ms))[1] == 0


def test_idle_buckets_are_forgotten(clock: ManualClock) -> None:
    limiter = Limiter(kept_max=10)
    for n in range(50):
        limiter.check(f"acc_{n}", "say", RATE, clock.now())
    assert len(limiter._buckets) <= 10


@pytest.mark.parametrize(("burst", "per_s"), [(0, 1), (1, 0), (1, -1)])
def test_a_rate_that_lets_nothing_through_is_refused(burst: int, per_s: float) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Rate(burst, per_s)
