"""Orders to offers and grabs to answers through the real program: sockets, HTTP, PostgreSQL, Redis, all durable.

2,000 connected technicians send 500 fixes a second while 50 orders a second are posted (and cancelled 3 s later);
every offer is grabbed with one chance in ten. `order → offer` counts from the planned instant of the post to each
first-wave `offer.made` read from a socket; `grab → answer` from before the request to its ack. Then a storm: every
technician offered one of many orders grabs it at the same instant. The load, the server, PostgreSQL and Redis share
all cores, as the scheduler likes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.dispatch_load import MIDDLE, SPREAD_DEGREES
from tests.live import ROOT, Live
from tests.replay.accounts import open_areas
from tests.replay.places import Region

CODE = "510199"
FULL = {"workers": 2_000, "fixes_per_s": 500, "orders_per_s": 50, "seconds": 20, "storm_orders": 100}
QUICK = {"workers": 200, "fixes_per_s": 50, "orders_per_s": 10, "seconds": 5, "storm_orders": 20}
CUSTOMERS = 200
"""So many that no account comes near its own rate limit."""


def run(quick: bool) -> dict[str, Any]:
    """Start a hub, load it from another process; the figures."""
    sizes = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="fieldhub-bench-") as name:
        folder = Path(name)
        with Live(folder / "data", requests_per_minute_max="100000") as live:
            _prepare(live, folder, sizes["workers"])
            figures = _load(live.url, folder, sizes)
            return {"technicians": sizes["workers"], **figures, **_cpu(live)}


def _prepare(live: Live, folder: Path, workers: int) -> None:
    from shapely.geometry import box

    reach = 2 * SPREAD_DEGREES
    square = box(MIDDLE.lon - reach, MIDDLE.lat - reach, MIDDLE.lon + reach, MIDDLE.lat + reach)
    open_areas(live.command, [Region(CODE, "Bench", square)], "wgs84", [CODE])
    for role, count in (("technician", workers), ("user", CUSTOMERS)):
        path = folder / f"{role}.jsonl"
        live.command("accounts", "create", "--role", role, "--count", str(count), "--tokens", str(path))


def _load(url: str, folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.dispatch_load", url, str(folder), json.dumps(sizes)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    out, _ = process.communicate(timeout=600)
    if process.returncode != 0:
        raise RuntimeError(f"the load ended with {process.returncode}")
    figures: dict[str, Any] = json.loads(out.splitlines()[-1])
    return figures


def _cpu(live: Live) -> dict[str, float]:
    """CPU seconds of the server process itself, engines not counted."""
    assert live.process is not None
    fields = Path(f"/proc/{live.process.pid}/stat").read_text().rpartition(")")[2].split()
    return {"server CPU s": (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")}


if __name__ == "__main__":
    print(json.dumps(run("--quick" in sys.argv), indent=2))
