"""How everything that never ends runs here: step after step, failures logged and waited out, gone when cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from storage.base.log import log

RETRY_S = 0.5
RETRY_MAX_S = 4.0
"""An outage is looked at again at least this often."""


async def forever(event: str, step: Callable[[], Awaitable[object]], *, every_s: float = 0) -> None:
    """Repeat `step` until cancelled, `every_s` apart. One that raises is logged as `event` and repeated, ever later."""
    loop = asyncio.get_running_loop()
    retry_s = RETRY_S
    while True:
        leave_if_cancelled()
        began = loop.time()
        try:
            if every_s:
                await asyncio.sleep(every_s)
            await step()
        except asyncio.CancelledError:
            raise
        except Exception as problem:  # noqa: BLE001 - the loop: whatever it was, the next step starts from stored truth
            leave_if_cancelled()  # what fails because it is being taken down is no failure
            log(event, level="warning", error=problem)
            retry_s = RETRY_S if loop.time() - began > RETRY_MAX_S else min(retry_s * 2, RETRY_MAX_S)
            await asyncio.sleep(retry_s)
        else:
            retry_s = RETRY_S


def leave_if_cancelled() -> None:
    """A cancellation that arrives while redis-py connects can be swallowed there (`asyncio.wait_for` before 3.12)."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
