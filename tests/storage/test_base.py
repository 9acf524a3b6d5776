"""Clock, ids, money, errors, codec, settings, log."""

from __future__ import annotations

import io
from collections import Counter
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.base import codec, errors
from storage.base import log as logs
from storage.base.clock import ManualClock
from storage.base.ids import is_id, new_id
from storage.base.money import allocate, share_bps
from storage.base.settings import Settings

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_ids_are_ordered_by_time_unique_and_recognised() -> None:
    ids = [new_id("ord", NOON + timedelta(milliseconds=n)) for n in range(1000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000
    assert all(is_id(text, "ord") and not is_id(text, "acc") for text in ids)
    assert not is_id("ord_" + "l" * 26, "ord")
    assert not is_id("ord_short", "ord")


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=12).filter(any))
def test_allocation_is_exact_and_each_part_within_one_fen(total: int, weights: list[int]) -> None:
    parts = allocate(total, weights)
    assert sum(parts) == total
    assert all(
        abs(part * sum(weights) - total * weight) < sum(weights) for part, weight in zip(parts, weights, strict=True)
    )


@pytest.mark.parametrize("weights", [[], [0, 0], [3, -1]])
def test_allocation_refuses_nothing_to_divide_by(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        allocate(1, weights)


@pytest.mark.parametrize(("amount", "bps", "share"), [(33333, 100, 333), (33333, 300, 1000), (1, 5000, 1), (0, 9, 0)])
def test_shares_round_half_up(amount: int, bps: int, share: int) -> None:
    assert share_bps(amount, bps) == share


def test_the_manual_clock_moves_forward_only() -> None:
    clock = ManualClock(NOON)
    clock.advance(minutes=3, seconds=1)
    assert clock.now() == NOON + timedelta(seconds=181)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(seconds=-1)


def test_instants_travel_as_rfc3339_with_milliseconds() -> None:
    assert codec.dumps({"at": NOON}) == b'{"at":"2026-01-05T12:00:00.000Z"}'


def test_settings_come_from_the_environment_and_name_what_is_wrong() -> None:
    assert Settings.from_env({"FIELDHUB_PORT": "9000"}).port == 9000
    for env, named in (
        ({"FIELDHUB_PORT": "x"}, "FIELDHUB_PORT"),
        ({"FIELDHUB_DEV": "maybe"}, "FIELDHUB_DEV"),
        ({"FIELDHUB_DEV": "0"}, "FIELDHUB_SECRET"),
        ({"FIELDHUB_PRESENCE_LEASE_S": "10"}, "FIELDHUB_PRESENCE_LEASE_S"),
    ):
        with pytest.raises(ValueError, match=named):
            Settings.from_env(env)


def test_logs_are_json_lines_without_secrets_and_phones() -> None:
    out = io.StringIO()
    logs.direct_to(out)
    logs.log("session.opened", phone="13800138000", token="abc", odd=object())
    logs.direct_to(None)
    line = orjson.loads(out.getvalue())
    assert (line["event"], line["phone"], line["token"]) == ("session.opened", "138****00", "[redacted]")
    assert "13800138000" not in out.getvalue()


def test_error_codes_of_one_name_mean_one_status() -> None:
    by_code: dict[str, set[int]] = {}
    for kind in errors.all_errors():
        by_code.setdefault(kind.code, set()).add(kind.status)
    assert {code: found for code, found in by_code.items() if len(found) > 1} == {}
    assert Counter(code for code in by_code).most_common(1)[0][1] == 1
