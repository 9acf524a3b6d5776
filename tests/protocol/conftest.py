"""The servers that the protocol checks talk to.

They are started as child processes, once under each event loop. The checks can be pointed at any other server with
the same handlers and times (see `server.py`): name the address in an environment variable, and nothing is started.

    FIELDHUB_PROTOCOL_URL_ENGINE=http://127.0.0.1:3000 pytest tests/protocol/test_engine.py
    FIELDHUB_PROTOCOL_URL_SOCKET=http://127.0.0.1:3001 pytest tests/protocol/test_socket.py
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live import ROOT, free_port

pytest.register_assert_rewrite("tests.protocol.transport")

START_TIMEOUT_S = 30
ELSEWHERE = {
    name: os.environ.get(f"FIELDHUB_PROTOCOL_URL_{name.upper()}", "").rstrip("/") for name in ("engine", "socket")
}


def loops(name: str) -> list[str]:
    """The event loops to serve under, or one word for a server that somebody else runs."""
    return ["elsewhere"] if ELSEWHERE[name] else ["asyncio", "uvloop"]


@dataclass(frozen=True)
class Server:
    """A running server, and whether it is this project's own."""

    url: str
    is_ours: bool


@pytest.fixture(scope="module", params=loops("engine"))
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A bare Engine.IO server that echoes."""
    with _served("engine", request.param, tmp_path_factory.mktemp("engine")) as server:
        yield server


@pytest.fixture(scope="module", params=loops("socket"))
def namespaces(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Socket.IO server with the namespaces `/` and `/custom`."""
    with _served("socket", request.param, tmp_path_factory.mktemp("socket")) as server:
        yield server


@contextlib.contextmanager
def _served(name: str, loop: str, folder: Path) -> Iterator[Server]:
    if ELSEWHERE[name]:
        yield Server(ELSEWHERE[name], is_ours=False)
        return
    arguments = ["--engine"] * (name == "engine") + ["--uvloop"] * (loop == "uvloop")
    with child("tests.protocol.server", *arguments, folder=folder) as url:
        yield Server(url, is_ours=True)


@contextlib.contextmanager
def child(module: str, *arguments: str, folder: Path) -> Iterator[str]:
    """Run a module that serves as a child process; its base URL. What it writes goes to `server.log`."""
    port = free_port()
    command = [sys.executable, "-m", module, "--port", str(port), *arguments]
    log = folder / "server.log"
    with log.open("wb") as out, subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out) as process:
        try:
            _wait_until_it_listens(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"the server does not listen:\n{log.read_text(errors='replace')[-3000:]}")
