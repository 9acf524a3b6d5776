"""Going down without losing anybody: tell clients to move, let running requests finish, close, leave.

Sockets are closed one after the other over `spread_s`, so that the hubs that stay get them back as a stream and not as
one wave. What a client has not received by then it gets from the feed when it resumes elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hub.server import Hub
from storage.base.log import log

FINISH_S = 2.0
"""Running requests get this long at the start, the last frames of closing sockets as long again at the end."""

STEP_S = 0.05
GLANCE_S = 0.01
AFTER_STEP_MS, AFTER_MAX_MS = 97, 1_000


async def drain(hub: Hub, spread_s: float) -> int:
    """Stop accepting and close every socket within `spread_s` + 2 × FINISH_S; how many there were."""
    hub.is_draining = True
    hub.emitter.stop_accepting()
    waiting = list(hub.members.values())
    total, began = len(waiting), asyncio.get_running_loop().time()
    await _until(lambda: hub.answerer.in_flight == 0)
    while waiting:
        left_s = began + spread_s - asyncio.get_running_loop().time()
        share = len(waiting) if left_s <= STEP_S else max(1, round(len(waiting) * STEP_S / left_s))
        for n, member in enumerate(waiting[:share]):
            # When all hubs restart at once even a spread-out stream of clients must not arrive in step.
            hub.close(member, "moving", after_ms=n * AFTER_STEP_MS % AFTER_MAX_MS)
        del waiting[:share]
        if waiting:
            await asyncio.sleep(STEP_S)
    hub.emitter.hang_up_all("moving")  # also those who have joined no app
    await _until(lambda: hub.emitter.sessions == 0)
    hub.emitter.cut_all()
    log("hub.drained", sockets=total, took_s=round(asyncio.get_running_loop().time() - began, 3))
    return total


async def _until(done: Callable[[], bool]) -> None:
    """Wait for it, but not for ever."""
    for _ in range(round(FINISH_S / GLANCE_S)):
        if done():
            return
        await asyncio.sleep(GLANCE_S)
