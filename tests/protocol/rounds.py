"""Whether the protocol checks pass every time: all of them, under both event loops, round after round.

`python -m tests.protocol.rounds [N]` runs N rounds (20 unless told), says how each went, and fails when any check did.
As a pytest plugin (`-p tests.protocol.rounds`) it puts tests that serve in their own process under uvloop.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import uvloop

from tests.live import ROOT

RUNS = (
    ("tests/protocol/test_engine.py", "tests/protocol/test_socket.py", "tests/protocol/test_websocket.py"),
    ("-p", "tests.protocol.rounds", "tests/protocol/test_websocket.py"),  # the others choose loops for themselves
)
RUN_TIMEOUT_S = 300


def pytest_configure() -> None:
    """Called by pytest."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def play(folder: Path) -> tuple[int, list[str]]:
    """One round: how many checks there were, and those that did not pass."""
    checks: list[ET.Element] = []
    for number, arguments in enumerate(RUNS):
        report = folder / f"{number}.xml"
        report.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", f"--basetemp={folder / 'tmp'}"]
        subprocess.run([*command, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=False, timeout=RUN_TIMEOUT_S)
        if not report.exists():
            raise SystemExit(f"pytest did not run; try it by hand: pytest {' '.join(arguments)}")
        checks += ET.parse(report).iter("testcase")
    return len(checks), [f"{check.get('classname')}.{check.get('name')}" for check in checks if len(check)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=20)
    count = parser.parse_args().rounds
    checked, failures = 0, Counter[str]()
    with tempfile.TemporaryDirectory(prefix="fieldhub-rounds-") as folder:
        for number in range(1, count + 1):
            start = time.monotonic()
            checks, failed = play(Path(folder))
            checked += checks
            failures.update(failed)
            took_s = time.monotonic() - start
            print(f"round {number}: {checks - len(failed)} of {checks} passed in {took_s:.1f} s", flush=True)
    print(f"{checked - failures.total()} of {checked} passed in {count} rounds")
    for name, times in failures.most_common():
        print(f"  {times} × {name}")
    sys.exit(bool(failures) or checked == 0)


if __name__ == "__main__":
    main()
