"""Tokens on living sockets: announced before they end, refreshed in place, looked at again where that is needed.

A token that ends closes its socket. A share link has none: it is looked at every now and then. A session that was
revoked in the very moment it connected is caught by a second look, since the gate caches its yes for a second.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hub import auth
from hub.closing import Closer
from hub.expiry import Expiries
from hub.members import Member
from hub.ports import Ports
from storage.base.clock import Clock
from storage.base.errors import Denied, NotFound, Unauthorized
from storage.base.log import log


class Tokens:
    """The tokens of the sockets of one hub."""

    def __init__(
        self, ports: Ports, clock: Clock, close: Closer, warn: Callable[[Member], None], *, recheck_s: float
    ) -> None:
        self._ports = ports
        self._clock = clock
        self._close = close
        self._recheck_after = timedelta(seconds=recheck_s)
        self._expiries = Expiries(warn, self._ended)
        self._rechecks: deque[tuple[datetime, Member, str]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, member: Member) -> None:
        """See to it that the member's socket ends with its token."""
        self._expiries.watch(member)

    def recheck_soon(self, member: Member, token: str) -> None:
        self._rechecks.append((self._clock.now() + self._recheck_after, member, token))

    def sweep(self, now: datetime) -> None:
        """Warn, end and look again at whoever is due."""
        self._expiries.sweep(now)
        while self._rechecks and self._rechecks[0][0] <= now:
            _, member, token = self._rechecks.popleft()
            self._beside(self._recheck(member, token))

    async def refresh(self, member: Member, token: str) -> None:
        """Go on with a fresh token of the same account and session. Raises Unauthorized, Denied."""
        principal = member.principal
        if principal.order_id is not None:
            raise Denied
        given = auth.ConnectAuth(token=token, crs=principal.crs)
        renewed = await auth.identify(self._ports, member.namespace, given, self._clock.now())
        if (renewed.account_id, renewed.session_id) != (principal.account_id, principal.session_id):
            raise auth.OtherSession
        if renewed.worker_id != principal.worker_id:
            raise auth.NoWorker
        member.principal = renewed
        self.watch(member)

    def _ended(self, member: Member) -> None:
        if member.share is None:
            self._close(member, "token_expired")
        else:
            self._beside(self._look_at_share(member, member.share))

    async def _look_at_share(self, member: Member, token: str) -> None:
        """Go on while the link lives; when it cannot be read, look again later."""
        member.principal = replace(member.principal, expires_at=self._clock.now() + auth.SHARE_CHECK)
        self.watch(member)
        try:
            order_id = await self._ports.open_share(token)
        except NotFound:
            order_id = None
        if order_id != member.principal.order_id:
            self._close(member, "share_ended")

    async def _recheck(self, member: Member, token: str) -> None:
        """A session revoked in the moment it connected: its fact came too early, the gate's cache said yes."""
        if member.is_closing:
            return
        try:
            await self._ports.gate.admit(token)
        except Unauthorized as refusal:
            if refusal.code != "token_expired":  # expiry has its own place
                self._close(member, "session_revoked")

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside the tick, so that one slow read does not delay everybody's timers."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._settle)

    def _settle(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log("hub.side_task_failed", level="error", error=task.exception())
