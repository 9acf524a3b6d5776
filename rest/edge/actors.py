"""Who is calling, as the edge sees it. What a token means is decided by `rest.people`, which is above."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in caller. `issued_at` and `expires_at` are those of the access token.

    `tenant_id`: whose staff it is; None for the house's own and for people who act for themselves.
    """

    account_id: str
    session_id: str
    roles: frozenset[str]
    issued_at: datetime
    expires_at: datetime
    tenant_id: str | None = None

    def has_any(self, roles: tuple[str, ...]) -> bool:
        return not self.roles.isdisjoint(roles)


class Gate(Protocol):
    """Turns an access token into an actor, or refuses it."""

    async def admit(self, token: str) -> Actor:
        """Raises a subclass of Unauthorized: unreadable, expired, session revoked."""
        ...
