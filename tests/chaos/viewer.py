"""A client at a desk that hears everything told to all, and can sleep: stop reading with its connection open."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.chaos.wire import Wire

TOPIC = "order.broadcast"
WINDOW_BYTES = 4_096
BIN_MS = 0.1
"""Delays are counted in steps of this."""

PATIENCE_S = 15.0
"""How long a client may take to connect, and everybody to hear the last fact."""

END_S = 4.0
"""A sleeper that was closed notices within this time once it reads."""


class Viewer:
    """One client at a desk: hears facts 1, 2, 3, … without a hole, and positions."""

    def __init__(self, url: str, token: str, told_at: Mapping[int, float], *, narrow: bool = False) -> None:
        self._url, self._token, self._told_at = url, token, told_at
        self._window = WINDOW_BYTES if narrow else None
        self.wire: Wire | None = None
        self.delays: Counter[int] | None = None
        self.place: dict[str, Any] = {}
        self.n = 0
        self.tally: Counter[str] = Counter()
        self.broken: list[str] = []
        self._ready = asyncio.Event()

    async def connect(self) -> None:
        """Connect, resume, open the map."""
        self._ready.clear()
        self.wire = await Wire.open(
            self._url, "/desk", {"token": self._token, **self.place}, self._hear,
            timeout_s=PATIENCE_S, receive_buffer=self._window,
        )  # fmt: skip
        await asyncio.wait_for(self._ready.wait(), PATIENCE_S)
        self.wire.send("watch", {"what": "map"})

    def _hear(self, name: str, body: Any) -> None:
        if name == TOPIC:
            self._fact(body)
        elif name == "ready":
            if self.place and not body["recovered"]:
                self.broken.append(f"not recovered: {body}")
            self.place = self.place or {"since": body["seq"], "epoch": body["epoch"]}
            self._ready.set()
        elif name == "closing":
            self.tally[f"closed: {body['code']}"] += 1
        else:
            self.tally[name] += 1

    def _fact(self, body: Any) -> None:
        if body["seq"] <= self.place["since"]:
            return
        self.place["since"] = body["seq"]
        if body["n"] != self.n + 1 and self.n:
            self.broken.append(f"{body['n']} after {self.n}")
        self.n = body["n"]
        if self.delays is not None:
            self.delays[int((time.perf_counter() - self._told_at[self.n]) * 1000 / BIN_MS)] += 1

    async def nap(self, last: asyncio.Event, spread_s: float) -> None:
        """Read nothing until `last`, then until the server hangs up; resume, and read to the present."""
        assert self.wire is not None
        self.wire.stop_reading()
        await last.wait()
        await asyncio.sleep(spread_s)
        self.wire.go_on_reading()
        await asyncio.wait([self.wire.gone], timeout=END_S)
        self.tally["naps"] += 1
        if self.wire.gone.done():
            self.tally["naps that ended the connection"] += 1
            await self.connect()
