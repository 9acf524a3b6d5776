"""Whether this process lives, and whether it can serve: what balancers and operators ask.

GET /health/live   200 while the loop turns.
GET /health/ready  200 when every check passes, else 503 with the checks that failed; 503 while draining.
GET /metrics       Prometheus text of this process: `fieldhub_process_info` says which, as several may share a port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

from storage.base import codec

CHECK_TIMEOUT_S = 2.0

INFO = Gauge("fieldhub_process_info", "Which process answers; 1.", ["node", "roles"])

Check = Callable[[], Awaitable[None]]
"""Returns when all is well, raises when not."""


class Health:
    """The checks of one process; `is_leaving` turns it away from balancers before it drains."""

    def __init__(self, checks: Mapping[str, Check], *, node: str, roles: Collection[str]) -> None:
        self._checks = dict(checks)
        self.is_leaving = False
        INFO.labels(node, "+".join(sorted(roles))).set(1)

    def attach_to(self, app: web.Application) -> None:
        app.router.add_get("/health/live", self._live)
        app.router.add_get("/health/ready", self._ready)
        app.router.add_get("/metrics", self._metrics)

    async def _live(self, _request: web.Request) -> web.Response:
        return _json({"status": "live"}, 200)

    async def _ready(self, _request: web.Request) -> web.Response:
        if self.is_leaving:
            return _json({"status": "leaving"}, 503)
        failed = {name: problem for name in self._checks if (problem := await self._problem(name))}
        return _json({"status": "failing", "checks": failed} if failed else {"status": "ready"}, 503 if failed else 200)

    async def _problem(self, name: str) -> str:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await self._checks[name]()
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is the answer
            return type(problem).__name__
        return ""

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _json(body: object, status: int) -> web.Response:
    return web.Response(
        body=codec.dumps(body), status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )
