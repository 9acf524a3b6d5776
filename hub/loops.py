"""How everything that never ends runs here: step after step, failures logged and waited out, gone when cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from storage.base.log import log

RETRY_S = 1.0


async def forever(event: str, step: Callable[[], Awaitable[object]], *, retry_s: float = RETRY_S) -> None:
    """Repeat `step` until cancelled. A step that raises is logged as `event` and repeated after `retry_s`."""
    while True:
        leave_if_cancelled()
        try:
            await step()
        except asyncio.CancelledError:
            raise
        except Exception as problem:  # noqa: BLE001 - the loop: whatever it was, the next step starts from stored truth
            log(event, level="warning", error=problem)
            await asyncio.sleep(retry_s)


def leave_if_cancelled() -> None:
    """A cancellation that arrives while redis-py connects can be swallowed there (`asyncio.wait_for` before 3.12)."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
