"""What all routes of one process share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aiohttp import hdrs, web
from multidict import MultiMapping

from rest.edge.actors import Actor, Gate
from rest.edge.errors import Forbidden, LoginRequired, RateLimited
from rest.edge.idempotency import Twins
from rest.edge.limits import Limiter, Quota
from rest.edge.metrics import Meter
from rest.edge.paging import Cursors
from rest.edge.registry import Route
from storage.base.errors import Unauthorized
from storage.base.settings import Settings
from storage.postgres import Database

MINUTE_S = 60


class Asked(Protocol):
    """As much of a request as says where it comes from; a socket's handshake has it too."""

    @property
    def remote(self) -> str | None: ...

    @property
    def headers(self) -> MultiMapping[str]: ...


@dataclass(slots=True)
class Trace:
    """What the outermost layer writes down about a request, filled in by the layers below."""

    operation: Meter | None = None
    codes: frozenset[str] = frozenset()
    quota: str | None = None
    account_id: str | None = None


TRACE = web.RequestKey("trace", Trace)


class Machine:
    """The database, the gate, the limits and the keys of one process."""

    def __init__(self, db: Database, settings: Settings, gate: Gate) -> None:
        self.db = db
        self.settings = settings
        self.gate = gate
        self.limiter = Limiter(db.clock)
        self.cursors = Cursors(settings.secret)
        self.twins = Twins()
        self.quota = Quota("default", settings.requests_per_minute_max, MINUTE_S)
        self._proxies = frozenset(_listed(settings.trusted_proxies))
        self.origins = frozenset(_listed(settings.allowed_origins))

    def address(self, request: Asked) -> str:
        """Where the request comes from: the last address that is not one of our proxies."""
        hops = [request.remote or ""]
        if self._proxies and hops[0] in self._proxies:
            told = ",".join(request.headers.getall("X-Forwarded-For", []))
            hops = [hop.strip() for hop in told.split(",")] + hops
        return next((hop for hop in reversed(hops) if hop and hop not in self._proxies), hops[-1])

    async def admit(self, request: web.Request, route: Route) -> Actor | None:
        """Let the caller in, counting the request against its quota; None on public routes.

        Notes the caller and the rest of its quota in the trace. Raises Unauthorized, Forbidden, RateLimited.
        """
        if route.is_public:
            self._count(request, self.address(request))
            return None
        try:
            actor = await self.gate.admit(_bearer(request.headers.get(hdrs.AUTHORIZATION)))
        except Unauthorized:
            # Guessing tokens costs the address its quota.
            self._count(request, self.address(request))
            raise
        self._count(request, actor.account_id)
        request[TRACE].account_id = actor.account_id
        if not actor.has_any(route.roles):
            raise Forbidden
        return actor

    def _count(self, request: web.Request, caller: str) -> None:
        try:
            request[TRACE].quota = self.limiter.take(self.quota, caller)
        except RateLimited as refusal:
            request[TRACE].quota = f'"{self.quota.name}";r=0;t={refusal.fields["retry_after_s"]}'
            raise


def _bearer(header: str | None) -> str:
    """The token of `Authorization: Bearer …`. Raises LoginRequired."""
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise LoginRequired
    return token


def _listed(text: str) -> list[str]:
    return [part.strip().rstrip("/") for part in text.split(",") if part.strip()]
