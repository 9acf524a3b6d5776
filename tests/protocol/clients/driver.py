"""The JavaScript side of the checks, as a child process: tests name a check and hear how it went."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

import pytest

from tests.live import ROOT

NODE = shutil.which("node")
TRANSPORTS = {"websocket": "websocket", "polling": "polling", "upgrade": "polling,websocket"}
CLIENTS = {"latest": "socket.io-client", "oldest": "socket.io-client-oldest"}
"""The newest client this project ships to browsers, and the first that speaks the protocol."""

needs_node = pytest.mark.skipif(
    NODE is None or not all((ROOT / "node_modules" / package).exists() for package in CLIENTS.values()),
    reason="needs node and the npm packages of package.json (make test installs them)",
)


class Driver:
    """One client over one transport; checks run one after the other."""

    def __init__(self, url: str, client: str, transport: str) -> None:
        self._process = subprocess.Popen(
            [str(NODE), str(Path(__file__).with_name("driver.mjs")), url, CLIENTS[client], TRANSPORTS[transport]],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def check(self, name: str, **given: str) -> None:
        """Run one check; what went wrong there fails here."""
        (problem,) = self._answer(name, given)
        if problem is not None:
            pytest.fail(problem, pytrace=False)

    def names(self) -> list[str]:
        """Every check there is."""
        return list(self._answer("names", {}))

    def _answer(self, name: str, given: dict[str, str]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, given]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the driver ended in the middle of {name}"
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
