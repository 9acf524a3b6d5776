"""A small day against the real program: everything the oracle checks must hold, and something must have happened."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import orjson
import pytest

from tests.live import ROOT


@pytest.mark.timeout(240)
def test_a_small_day_has_no_findings() -> None:
    options = ["--workers", "24", "--orders", "8", "--for", "45", "--json"]
    command = [sys.executable, str(ROOT / "run.py"), "replay", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=230)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    figures: dict[str, Any] = orjson.loads(done.stdout.splitlines()[-1])
    assert figures["ok"]
    assert figures["findings"] == []
    assert (figures["workers"], figures["lost"]) == (24, 0)
    assert min(figures[name] for name in ("fixes", "orders", "offers", "grabs", "drops", "audited")) > 0
    assert figures["order_to_offer_ms"]["count"] > 0
