"""`serve --hubs 2`: two processes on one port, kept alive by a third, replaced one after the other without loss."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import aiohttp
import pytest
import socketio

from storage.base.facts import Fact
from storage.engines import embedded_postgres_url
from storage.postgres import Database
from tests.live import ROOT, START_TIMEOUT_S, Live

HUBS = 2
CLIENTS = 12
EXIT_S = 10


class Bell(Fact):
    """A fact for these tests."""

    topic: ClassVar[str] = "order.bell"
    n: int


class Several(Live):
    """`run.py serve --hubs N`, ready when every hub is."""

    def start(self) -> Self:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "run.py"), "serve", "--hubs", str(HUBS)],
                cwd=ROOT, env=self.env, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT_S
        while "fieldhub is ready" not in self.log or not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"not ready:\n{self.log[-3000:]}")
            time.sleep(0.05)
        return self

    @property
    def hubs(self) -> set[int]:
        """Process ids of the hubs that are ready, or leave."""
        assert self.process is not None
        ready = {int(pid) for pid in re.findall(r'"event":"hub.started","pid":(\d+)', self.log)}
        return {pid for pid in ready if parent_of(pid) == self.process.pid}

    def lines(self, event: str) -> int:
        return self.log.count(f'"event":"{event}"')


def parent_of(pid: int) -> int | None:
    """Asked of the process itself: the list of somebody's children misses some while another of them ends (proc(5))."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[1])


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    with Several(tmp_path_factory.mktemp("several"), drain_s="6") as live:  # type: ignore[attr-defined]
        yield live


class Client:
    """A customer's app: reconnects by itself and says where it stopped, as docs/realtime.md advises."""

    def __init__(self, url: str, account: dict[str, Any], http: aiohttp.ClientSession) -> None:
        self._url, self._account = url, account
        self.audience = f"customer:{account['account_id']}"
        self.heard: list[int] = []
        self.place: dict[str, Any] = {}
        self.resyncs: list[Any] = []
        self.readies = 0
        self.socket = socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=0.5, http_session=http)
        for event, handler in {"ready": self._ready, "resync": self._resync, "order.bell": self._bell}.items():
            self.socket.on(event, handler, namespace="/customer")

    async def _ready(self, body: dict[str, Any]) -> None:
        self.readies += 1
        self.place = self.place or {"since": body["seq"], "epoch": body["epoch"]}

    async def _resync(self, body: dict[str, Any]) -> None:
        self.resyncs.append(body)

    async def _bell(self, body: dict[str, Any]) -> None:
        if body["seq"] > self.place["since"]:
            self.place["since"] = body["seq"]
            self.heard.append(body["n"])

    async def connect(self) -> None:
        await self.socket.connect(
            self._url, namespaces=["/customer"], transports=["websocket"], wait_timeout=5,
            auth=lambda: {"token": self._account["access_token"], **self.place},
        )  # fmt: skip
        await until(lambda: self.readies > 0)

    @property
    def node(self) -> str:
        return str(self.socket.eio.sid).partition(".")[0]

    @property
    def is_there(self) -> bool:
        return bool(self.socket.connected and "/customer" in self.socket.namespaces)


async def until(done: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def clients(live: Several, count: int = CLIENTS) -> AsyncIterator[list[Client]]:
    async with aiohttp.ClientSession() as http:
        made = [Client(live.url, account, http) for account in live.tokens("user", count)]
        try:
            await asyncio.gather(*(client.connect() for client in made))
            yield made
        finally:
            await asyncio.gather(*(client.socket.shutdown() for client in made), return_exceptions=True)


class Ringer:
    """Commits facts for all clients until told to stop."""

    def __init__(self, live: Several, to: list[Client]) -> None:
        self._url = embedded_postgres_url(live.data_dir)
        self._to = [client.audience for client in to]
        self._stop = asyncio.Event()
        self.count = 0

    async def ring(self) -> None:
        db = await Database.connect(self._url, pool_size=1)
        while not self._stop.is_set():
            async with db.begin() as tx:
                tx.tell(Bell(n=self.count), to=self._to)
            self.count += 1
            await asyncio.sleep(0.01)
        await db.close()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.ring())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._task


async def nothing_was_lost(ringer: Ringer, everybody: list[Client]) -> None:
    await until(lambda: all(len(client.heard) >= ringer.count for client in everybody), 15)
    for client in everybody:
        assert client.heard == list(range(ringer.count))
        assert client.resyncs == []


async def test_two_processes_serve_one_port(several: Several) -> None:
    async with clients(several) as everybody:
        nodes = {client.node for client in everybody}
        assert len(nodes) == HUBS
        async with Ringer(several, everybody) as ringer:
            await until(lambda: ringer.count >= 50)
        await nothing_was_lost(ringer, everybody)
    answers = {urllib.request.urlopen(f"{several.url}/metrics").read().decode() for _ in range(30)}
    told = {found for text in answers for found in re.findall(r'fieldhub_process_info\{node="(\w+)"', text)}
    assert told == nodes


async def test_polling_is_refused_where_two_share_a_port(several: Several) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{several.url}/socket.io/?EIO=4&transport=polling") as answer,
    ):
        assert answer.status == 400


async def test_a_hub_that_is_killed_is_started_again_and_nothing_is_lost(several: Several) -> None:
    async with clients(several) as everybody, Ringer(several, everybody) as ringer:
        await until(lambda: ringer.count >= 20)
        before = several.hubs
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        await until(lambda: len(several.hubs) == HUBS and victim not in several.hubs, 20)
        assert before - several.hubs == {victim}
        await until(lambda: all(client.is_there for client in everybody))
        await ringer.__aexit__()
        await nothing_was_lost(ringer, everybody)
    assert several.lines("hub.died") == 1


async def test_a_rolling_restart_loses_nothing(several: Several) -> None:
    async with clients(several) as everybody, Ringer(several, everybody) as ringer:
        await until(lambda: ringer.count >= 20)
        old, left_at = several.hubs, dict[int, float]()
        rolled = several.lines("hub.rolled")
        assert several.process is not None
        several.process.send_signal(signal.SIGHUP)

        def has_rolled() -> bool:
            # One at a time: while one leaves and one has come there are never fewer than two.
            assert len(several.hubs) >= HUBS
            left_at.update({pid: time.monotonic() for pid in old - several.hubs - left_at.keys()})
            return several.lines("hub.rolled") > rolled

        await until(has_rolled, 2 * (START_TIMEOUT_S / 4 + EXIT_S))
        assert not old & several.hubs
        await until(lambda: all(client.is_there for client in everybody))
        await ringer.__aexit__()
        await nothing_was_lost(ringer, everybody)
        assert all(client.readies in {2, 3} for client in everybody), "each moved once or twice"
    assert several.lines("hub.killed") == 0


async def test_all_leave_in_time_and_none_outlives_a_killed_parent(tmp_path: Path) -> None:
    live = Several(tmp_path).start()
    async with clients(live):
        began = time.monotonic()
        assert await asyncio.to_thread(live.stop) == 0
        assert time.monotonic() - began <= EXIT_S
    assert live.lines("hub.drained") == HUBS
    live.start()
    orphans = live.hubs
    live.kill()
    await until(lambda: not any(is_alive(pid) for pid in orphans), EXIT_S)


def is_alive(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return "node" in Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return False
