"""Several hub processes on one port, kept by one parent.

Each child listens on the port by itself (SO_REUSEPORT) and the kernel spreads new connections over them. A child says
it is ready by its first line on standard output. One that dies is started again, ever later while it keeps dying. A
rolling restart starts the new child before it asks the old one to leave, so also a single hub is replaced without a
gap. When the parent is killed the children hear of it from the kernel and leave.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence

from storage.base.log import log

START_S = 30.0
CALM_S = 60.0
"""A child that lived this long was sound: when it dies, the next one is not held back."""

BACKOFF_S, BACKOFF_MAX_S = 0.5, 30.0
PR_SET_PDEATHSIG = 1


class ChildFailed(ChildProcessError):
    """A child ended, or was silent for too long, before it was ready."""


class Supervisor:
    """`start` until all are ready, `run` until cancelled, `stop`."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], *, count: int, leave_s: float) -> None:
        """A child that is asked to leave and has not after `leave_s` is killed."""
        self._command = command
        self._env = env
        self._count = count
        self._leave_s = leave_s
        self._children: list[Process] = []
        self._starting: set[Process] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._replacing = asyncio.Lock()
        self._is_stopping = False
        self._wants_new = asyncio.Event()

    async def start(self) -> None:
        """Start all. Raises ChildFailed when one does not come up: what cannot start once needs a person."""
        started = await asyncio.gather(*(self._begin() for _ in range(self._count)), return_exceptions=True)
        self._children = [child for child in started if isinstance(child, Process)]
        for failed in started:
            if isinstance(failed, BaseException):
                await self.stop()
                raise failed

    async def run(self) -> None:
        """Keep them alive, and replace them one after the other when asked."""
        async with asyncio.TaskGroup() as tasks:
            for place in range(self._count):
                tasks.create_task(self._keep(place))
            tasks.create_task(self._roll())

    def replace_all(self) -> None:
        """Begin a rolling restart; asked for during one, another follows."""
        self._wants_new.set()

    async def stop(self) -> None:
        """Ask all to leave at once and wait until they have."""
        self._is_stopping = True
        for child in self._starting:
            _signal(child, signal.SIGKILL)
        await asyncio.gather(*(self._end(child) for child in self._children), *self._leaving)

    async def _keep(self, place: int) -> None:
        loop = asyncio.get_running_loop()
        backoff_s = BACKOFF_S
        while True:
            child, began = self._children[place], loop.time()
            status = await child.wait()
            if self._is_stopping:
                return
            if self._children[place] is not child:
                continue
            log("hub.died", level="error", pid=child.pid, status=status)
            backoff_s = BACKOFF_S if loop.time() - began > CALM_S else min(backoff_s * 2, BACKOFF_MAX_S)
            await asyncio.sleep(backoff_s)
            with contextlib.suppress(ChildFailed):  # logged; the dead child is found dead again
                await self._replace(place, child)

    async def _roll(self) -> None:
        while True:
            await self._wants_new.wait()
            self._wants_new.clear()
            log("hub.rolling", count=self._count)
            for place, child in enumerate(list(self._children)):
                try:
                    await self._replace(place, child)
                except ChildFailed:
                    log("hub.roll_stopped", level="error", replaced=place)
                    break
            else:
                log("hub.rolled", count=self._count)

    async def _replace(self, place: int, child: Process) -> None:
        """Start a new child in the place of this one, unless somebody has; one at a time."""
        async with self._replacing:
            if self._children[place] is not child or self._is_stopping:
                return
            self._children[place] = await self._begin()
            if child.returncode is None:
                leaving = asyncio.create_task(self._end(child))
                self._leaving.add(leaving)
                await leaving
                self._leaving.discard(leaving)

    async def _begin(self) -> Process:
        child = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._env,
            stdin=DEVNULL,
            stdout=PIPE,
            start_new_session=True,  # Ctrl-C is for the parent, which asks its children to leave
        )
        self._starting.add(child)
        try:
            if await _is_ready(child):
                log("hub.started", pid=child.pid)
                return child
        except BaseException:
            _signal(child, signal.SIGKILL)
            raise
        finally:
            self._starting.discard(child)
        _signal(child, signal.SIGKILL)
        log("hub.not_started", level="error", pid=child.pid, status=await child.wait())
        raise ChildFailed("a hub process did not start; its log says why")

    async def _end(self, child: Process) -> None:
        _signal(child, signal.SIGTERM)
        try:
            async with asyncio.timeout(self._leave_s):
                await child.wait()
        except TimeoutError:
            log("hub.killed", level="error", pid=child.pid)
            _signal(child, signal.SIGKILL)
            await child.wait()


async def _is_ready(child: Process) -> bool:
    """Wait for its first line; False when it ends or is silent for too long."""
    assert child.stdout is not None  # noqa: S101 - piped
    try:
        async with asyncio.timeout(START_S):
            return await child.stdout.readline() != b""
    except TimeoutError:
        return False


def _signal(child: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(number)


def leave_with(parent: int) -> None:
    """In a child: be asked to leave when this parent dies. Raises ChildFailed when it has died already."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise ChildFailed("the parent has gone")
