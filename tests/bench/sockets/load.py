"""Runs `load.c` against a server and reads what it measured."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests.bench.sockets.servers import LOAD_CORE, Server

TIMEOUT_S = 150


@dataclass(frozen=True, slots=True)
class Phase:
    """One line of load.c. `cpu_us` is the server's; `rss` in bytes, as the phase ended."""

    phase: str
    count: int
    seconds: float
    cpu_us: float
    p50_us: int
    p99_us: int
    max_us: int
    errors: int
    skipped: int
    closings: int
    hung_up: int
    rss: int

    @property
    def each_us(self) -> float:
        """The server's CPU for one message, delivery or connect."""
        return self.cpu_us / max(self.count, 1)


@dataclass(frozen=True, slots=True)
class Load:
    """The compiled generator."""

    program: Path

    def run(self, server: Server, clients: int, *phases: str, **options: object) -> list[Phase]:
        """All phases: `before`, `connect`, then those asked for (`drop` gives two). Raises RuntimeError."""
        return list(self.stream(server, clients, *phases, **options))

    def stream(self, server: Server, clients: int, *phases: str, **options: object) -> Iterator[Phase]:
        """Phase by phase, as each ends. Raises RuntimeError when the server fails a client."""
        named = [f"{name}={value}" for name, value in options.items()]
        process = subprocess.Popen(
            ["timeout", str(TIMEOUT_S), str(self.program), str(server.port), str(server.pid), str(clients), *named,
             *phases],
            stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}),
        )  # fmt: skip
        assert process.stdout is not None
        try:
            for line in process.stdout:
                phase = Phase(**orjson.loads(line))
                if phase.errors or (phase.hung_up and not phase.phase.startswith("wait")):
                    raise RuntimeError(f"{server.name}: {phase}")
                yield phase
        finally:
            process.stdout.close()
            if process.wait(TIMEOUT_S) != 0:
                raise RuntimeError(f"{server.name}: the load ended with {process.returncode}")
