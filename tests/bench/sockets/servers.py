"""The servers the socket benchmark compares, and what they need: a compiler, npm packages, a core of their own."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.live import ROOT, free_port

HERE = Path(__file__).parent
BUILD = ROOT / "build" / "bench"
START_TIMEOUT_S = 20
SERVER_CORE, LOAD_CORE = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
"""A server and its load never share a core (on a machine that has two)."""


class Missing(Exception):
    """Why there is nothing to measure with."""


@dataclass(frozen=True, slots=True)
class Server:
    """One that listens."""

    name: str
    port: int
    pid: int


Command = list[str]
"""What starts a server; the port comes after it."""


def compiled() -> dict[str, Path]:
    """The C programs by name. Raises Missing."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Missing("no C compiler (cc or gcc)")
    BUILD.mkdir(parents=True, exist_ok=True)
    programs = {}
    for name in ("load", "floor"):
        programs[name] = BUILD / name
        subprocess.run([compiler, "-O2", "-o", str(programs[name]), str(HERE / f"{name}.c")], check=True)
    return programs


def files_max() -> int:
    """Raise the limit of open files as far as allowed, for servers and load, which inherit it; what it is now."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def commands(floor: Path, told: Callable[[str], None]) -> dict[str, Command]:
    """Name to command of every server this machine can run; those it cannot are told with the reason."""
    found = {"ours": [sys.executable, "-m", "tests.bench.sockets.ours"], "floor": [str(floor)]}
    found["stock"] = [sys.executable, "-m", "tests.bench.sockets.stock"]
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        told("Node and Bun are left out: no node or no npm")
        return found
    try:
        _install(npm)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as problem:
        told(f"Node and Bun are left out: npm ci failed ({problem})")
        return found
    found["node"] = [node, "node.mjs"]
    bun = BUILD / "node_modules" / "@oven" / "bun-linux-x64" / "bin" / "bun"
    if subprocess.run([str(bun), "--version"], capture_output=True, check=False).returncode == 0:
        found["bun"] = [str(bun), "bun.mjs"]
    else:
        told("Bun is left out: its binary does not run here")
    return found


def _install(npm: str) -> None:
    """The packages of package-lock.json, once, and the newest text of the servers beside them."""
    lock, installed = HERE / "package-lock.json", BUILD / "installed-lock.json"
    for path in (*HERE.glob("*.mjs"), *HERE.glob("package*.json")):
        shutil.copy(path, BUILD)
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=BUILD, check=True, timeout=120, stdout=subprocess.DEVNULL)
        shutil.copy(lock, installed)


@contextmanager
def serving(name: str, command: Command, *arguments: str) -> Iterator[Server]:
    """A fresh server on its core, until the block ends."""
    port = free_port()
    process = subprocess.Popen(
        [*command, str(port), *arguments],
        cwd=BUILD if command[-1].endswith(".mjs") else ROOT,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
    )
    try:
        _wait_for(port, process)
        yield Server(name, port, process.pid)
    finally:
        process.kill()
        process.wait()


@contextmanager
def serving_all(found: Mapping[str, Command]) -> Iterator[list[Server]]:
    """Every server at once; those that are not asked anything use nothing."""
    if not found:
        yield []
        return
    (name, command), *others = found.items()
    with serving(name, command) as server, serving_all(dict(others)) as rest:
        yield [server, *rest]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen on {port}")


def pin(pid: int, core: int) -> None:
    """Move all threads of a process to a core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})
