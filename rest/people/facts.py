"""What people tell."""

from __future__ import annotations

from typing import ClassVar

from storage.base.facts import Fact


class SessionEnded(Fact, frozen=True, kw_only=True):
    """A session was revoked; its sockets close within a second. To `session:<id>`, which only hubs hear."""

    topic: ClassVar[str] = "session.revoked"
    session_id: str
    reason: str


class RolesChanged(Fact, frozen=True, kw_only=True):
    """An account's roles changed; also the audit record of it. To each live session of the account."""

    topic: ClassVar[str] = "account.roles_changed"
    account_id: str
    roles: list[str]
    tenant_id: str | None = None
    version: int
    by: str
    reason: str


def session_audience(session_id: str) -> str:
    return f"session:{session_id}"
