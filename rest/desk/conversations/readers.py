"""For whom somebody speaks, and how often he may."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Protocol

from chat.conversations import Reader, Staff
from rest.edge.limits import Quota
from storage.base.errors import Denied

PLATFORM = ("support", "supervisor", "admin")
"""Who works at the platform's desk."""

TENANT = ("tenant_agent", "tenant_supervisor", "tenant_admin")
"""Who works at the desk of his tenant."""

STAFF = (*PLATFORM, *TENANT)

SUPERVISORS = frozenset({"supervisor", "admin"})
TENANT_SUPERVISORS = frozenset({"tenant_supervisor", "tenant_admin"})

PEOPLE_SAY = (5, 10)
"""Messages and seconds: faster than anybody types, slower than a script."""

STAFF_SAY = (20, 10)
"""They answer several people at once, with replies that are ready."""


class Caller(Protocol):
    """Who asks, over HTTP or a socket."""

    @property
    def account_id(self) -> str: ...

    @property
    def roles(self) -> frozenset[str]: ...

    @property
    def tenant_id(self) -> str | None: ...


def side_of(who: Caller) -> str | None:
    """The desk the caller works for: a tenant's, or (None) the platform's. Raises Denied where his roles are another's.

    Nobody has such roles by our own doing; what goes by the side asks here, so that a fault elsewhere opens nothing.
    """
    at_tenant = not who.roles.isdisjoint(TENANT)
    if at_tenant is not (who.tenant_id is not None):
        raise Denied
    return who.tenant_id


def check_platform(who: Caller) -> None:
    """For what is the platform's alone. Raises Denied for who works elsewhere, whatever roles he has."""
    if side_of(who) is not None:
        raise Denied


def is_supervisor(who: Caller) -> bool:
    """Whether the caller watches over the desk he works for."""
    if side_of(who) is not None:
        return not who.roles.isdisjoint(TENANT_SUPERVISORS)
    return not who.roles.isdisjoint(SUPERVISORS | {"ops"})


def seen_by(who: Caller) -> str | None:
    """For lists of threads: the account, of whose desk some queues may be kept to others; None: who sees all of it."""
    return None if is_supervisor(who) else who.account_id


def reader_of(account_id: str, roles: AbstractSet[str], tenant_id: str | None = None) -> Reader:
    """The account with what its roles let it see; where it is served itself, it is that (`may_read`).

    Whoever works for a tenant works for no other desk: a role of the platform's opens nothing to him.
    """
    if tenant_id is not None:
        if roles.isdisjoint(TENANT):
            return Reader(account_id)
        return Reader(account_id, Staff(tenant_id, is_supervisor=not roles.isdisjoint(TENANT_SUPERVISORS)))
    if roles.isdisjoint(PLATFORM):
        return Reader(account_id)
    return Reader(account_id, Staff(is_supervisor=not roles.isdisjoint(SUPERVISORS)))


def quota_of(reader: Reader) -> Quota:
    """How often this reader may say something over HTTP."""
    amount, window_s = PEOPLE_SAY if reader.staff is None else STAFF_SAY
    return Quota("messages", amount, window_s)
