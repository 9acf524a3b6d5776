"""For whom somebody speaks, and how often he may."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from chat.conversations import Reader, Staff
from rest.edge.limits import Quota

STAFF = ("support", "supervisor", "admin")
"""Who works at the platform's desk."""

SUPERVISORS = frozenset({"supervisor", "admin"})

PEOPLE_SAY = (5, 10)
"""Messages and seconds: faster than anybody types, slower than a script."""

STAFF_SAY = (20, 10)
"""They answer several people at once, with replies that are ready."""


def reader_of(account_id: str, roles: AbstractSet[str]) -> Reader:
    """The account with what its roles let it see; where it is served itself, it is that (`may_read`)."""
    if roles.isdisjoint(STAFF):
        return Reader(account_id)
    return Reader(account_id, Staff(is_supervisor=not roles.isdisjoint(SUPERVISORS)))


def quota_of(reader: Reader) -> Quota:
    """How often this reader may say something over HTTP."""
    amount, window_s = PEOPLE_SAY if reader.staff is None else STAFF_SAY
    return Quota("messages", amount, window_s)
