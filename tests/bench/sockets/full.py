"""The real hub for the socket benchmark: `run.py serve` with its engines, accounts, tokens and watched trips."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.sockets.servers import SERVER_CORE, Server, pin
from tests.bench.sockets.trips import Watchers, watched
from tests.live import Live
from tests.replay.api import Person


@dataclass(frozen=True, slots=True)
class Full:
    """A running hub; `tokens` holds an access token a line, those of the watched technicians first."""

    server: Server
    live: Live
    tokens: Path
    watchers: Watchers


@contextmanager
def full_hub(technicians: int, trips: int) -> Iterator[Full]:
    """A fresh hub on its core, its engines where the scheduler likes."""
    with (
        tempfile.TemporaryDirectory(prefix="fieldhub-bench-") as name,
        Live(Path(name) / "data", requests_per_minute_max="100000") as live,
    ):
        assert live.process is not None
        workers = live.tokens("technician", technicians)
        customers = [Person.of(row) for row in live.tokens("user", trips)]
        tokens = Path(name) / "tokens"
        tokens.write_text("".join(f"{row['access_token']}\n" for row in workers))
        with watched(live.url, [Person.of(row) for row in workers[:trips]], customers) as watchers:
            pin(live.process.pid, SERVER_CORE)
            yield Full(Server("ours full", live.port, live.process.pid), live, tokens, watchers)
