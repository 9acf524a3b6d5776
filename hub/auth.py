"""Who may open a socket in which app, and what it then hears.

The token comes in Socket.IO's `auth` only: never in a query (it would be logged) and never in a cookie (any page could
send it). Everything that is not a clear yes is a no.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from chat.conversations import agent_audience, circle_audience, desk_audience, lead_audience, leads_audience
from hub.members import CUSTOMER, DESK, SHARE_ROLE, WORKER, Principal
from hub.ports import Ports
from rest.desk.conversations.readers import PLATFORM, SUPERVISORS, TENANT, TENANT_SUPERVISORS
from rest.edge.actors import Actor
from rest.people.facts import session_audience
from storage.base.errors import Denied, Malformed, Unauthorized

ROLES: Mapping[str, tuple[str, ...]] = {
    WORKER: ("technician",),
    CUSTOMER: ("user",),
    DESK: ("support", "supervisor", "ops", "admin", "finance", *TENANT),
}
"""Any one of these roles opens the app. `/worker` needs a worker row besides."""

TOKEN_LENGTH_MAX = 4_096

SHARE_CHECK = timedelta(seconds=30)
"""A share link is looked at again this often: it may have been taken back, or its order closed."""


class ConnectAuth(msgspec.Struct, frozen=True):
    """Socket.IO `auth`. `since` is the highest `seq` you have, `epoch` the one it belongs to. `share` opens one order
    in /customer without signing in. `recover` asks for connection state recovery; `pid` and `offset` are then the
    client library's own. Fields we do not know are left alone: client libraries add theirs."""

    token: str | None = None
    share: str | None = None
    since: int | None = None
    epoch: str | None = None
    crs: Literal["wgs84", "gcj02"] = "wgs84"
    recover: bool = False
    pid: Annotated[str, Meta(max_length=64)] | None = None
    offset: Annotated[str, Meta(max_length=20)] | None = None


class NoWorker(Denied):
    """This account is not a worker."""

    code = "not_a_worker"


class OtherSession(Denied):
    """A socket is refreshed by the session that opened it."""

    code = "other_session"


async def identify(ports: Ports, namespace: str, auth: ConnectAuth, now: datetime) -> Principal:
    """The principal behind `auth` in this namespace. Raises Unauthorized, Denied, NotFound."""
    if auth.share is not None and auth.token is None:
        return await _visitor(ports, namespace, auth, now)
    actor = await ports.gate.admit(_token_of(auth))
    _check_role(namespace, actor)
    worker_id = None
    if namespace == WORKER:
        worker_id = await ports.worker_id_of(actor.account_id)
        if worker_id is None:
            raise NoWorker
    return _principal(actor, auth, worker_id)


def identify_at_once(ports: Ports, namespace: str, auth: ConnectAuth) -> Principal | None:
    """As `identify`, when nobody has to be asked, as with most of a crowd that comes back; else None."""
    if auth.share is not None and auth.token is None:
        return None
    actor = ports.gate.admit_at_once(_token_of(auth))
    if actor is None:
        return None
    _check_role(namespace, actor)
    worker_id = ports.known_worker_id(actor.account_id) if namespace == WORKER else None
    return None if namespace == WORKER and worker_id is None else _principal(actor, auth, worker_id)


def _token_of(auth: ConnectAuth) -> str:
    if not auth.token or len(auth.token) > TOKEN_LENGTH_MAX:
        raise Unauthorized
    return auth.token


def _check_role(namespace: str, actor: Actor) -> None:
    if not actor.has_any(ROLES[namespace]):
        raise Denied


def _principal(actor: Actor, auth: ConnectAuth, worker_id: str | None) -> Principal:
    return Principal(
        account_id=actor.account_id,
        session_id=actor.session_id,
        roles=actor.roles,
        expires_at=actor.expires_at,
        crs=auth.crs,
        worker_id=worker_id,
        tenant_id=actor.tenant_id,
    )


async def _visitor(ports: Ports, namespace: str, auth: ConnectAuth, now: datetime) -> Principal:
    if namespace != CUSTOMER or not auth.share or len(auth.share) > TOKEN_LENGTH_MAX:
        raise Denied
    order_id = await ports.open_share(auth.share)
    return Principal(
        account_id="",
        session_id="",
        roles=frozenset({SHARE_ROLE}),
        expires_at=now + SHARE_CHECK,
        crs=auth.crs,
        order_id=order_id,
    )


def read_auth(value: object) -> ConnectAuth:
    """Raises Malformed."""
    try:
        auth = msgspec.convert({} if value is None else value, ConnectAuth)
    except msgspec.ValidationError as fault:
        raise Malformed(str(fault)) from None
    if auth.since is not None and auth.since < 0:
        raise Malformed("`since` counts from 0.")
    return auth


def audiences_of(namespace: str, principal: Principal) -> set[str]:
    """What a member hears from the first moment. More is joined by asking (`watch`)."""
    if principal.order_id is not None:
        return {f"order:{principal.order_id}"}
    own = {
        WORKER: {f"worker:{principal.worker_id}"},
        CUSTOMER: {f"customer:{principal.account_id}"},
        DESK: _desk_audiences(principal),
    }[namespace]
    return own | {session_audience(principal.session_id)}


def _desk_audiences(principal: Principal) -> set[str]:
    """Conversations are heard by who serves them, not by everybody who may open the desk's app.

    A tenant's staff hears its own desk and nothing of the platform's.
    """
    if principal.tenant_id is not None:
        return _at_desk(principal, TENANT_SUPERVISORS) if principal.has_any(TENANT) else set()
    if principal.has_any(TENANT):
        return set()
    return {"desk", *_at_desk(principal, SUPERVISORS)} if principal.has_any(PLATFORM) else {"desk"}


def _at_desk(principal: Principal, leads: AbstractSet[str]) -> set[str]:
    """Who leads hears also what queues keep to their members; of members each is told by himself."""
    tenant_id, account_id = principal.tenant_id, principal.account_id
    heard = {desk_audience(tenant_id), agent_audience(account_id), circle_audience(account_id)}
    if principal.roles.isdisjoint(leads):
        return heard
    return heard | {leads_audience(tenant_id), lead_audience(account_id)}
