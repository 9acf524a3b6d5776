"""Every refusal this line and its pool declare is reached by some test beside this one."""

from __future__ import annotations

from pathlib import Path

from storage.base.errors import all_errors

HERE = Path(__file__).parent
OURS = ("rest.lines.homeservice", "rest.trade", "dispatch.")
ELSEWHERE = {"worker_not_found", "call_not_found", "coupon_stacking", "voucher_state"}
"""Reached by tests of the package itself: no request of this line can name two coupons, or ask a voucher for a step
that its state does not have."""


def test_every_refusal_is_reached() -> None:
    told = "".join(path.read_text() for path in HERE.glob("test_*.py") if path != Path(__file__))
    codes = {error.code for error in all_errors() if error.__module__.startswith(OURS)} - ELSEWHERE
    assert len(codes) > 25
    assert [code for code in sorted(codes) if f'"{code}"' not in told] == []
