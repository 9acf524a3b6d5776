"""Accounts, sessions and sign-in codes as values; every rule that needs no database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from storage.base.errors import Conflict, Denied, Invalid, TooMany, Unauthorized


class Role(StrEnum):
    """What an account may do; every account is a user (HS-003)."""

    USER = "user"
    TECHNICIAN = "technician"
    SUPPORT = "support"
    FINANCE = "finance"
    OPS = "ops"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"
    TENANT_AGENT = "tenant_agent"
    TENANT_SUPERVISOR = "tenant_supervisor"
    TENANT_ADMIN = "tenant_admin"


TENANT_ROLES = frozenset({Role.TENANT_AGENT, Role.TENANT_SUPERVISOR, Role.TENANT_ADMIN})
PLATFORM_ROLES = frozenset({Role.SUPPORT, Role.FINANCE, Role.OPS, Role.SUPERVISOR, Role.ADMIN})
"""Nobody has roles of both sides."""


class AccountStatus(StrEnum):
    """Closed accounts cannot sign in; their ledgers stay (HS-006)."""

    ACTIVE = "active"
    CLOSED = "closed"


PHONE_PATTERN = r"(?:\+86)?1[3-9][0-9]{9}|\+(?!86)[1-9][0-9]{6,14}"
"""E.164, or a Chinese mobile number without its country."""

_PHONE = re.compile(PHONE_PATTERN)


class CodeWrong(Invalid):
    """The code is wrong."""

    code = "code_wrong"


class CodeExpired(Invalid):
    """There is no valid code for this phone; ask for a new one."""

    code = "code_expired"


class TooManyTries(TooMany):
    """Too many wrong codes; ask for a new one."""

    code = "too_many_tries"
    retry = False


class TooManyCodes(TooMany):
    """Too many codes were sent to this phone; wait."""

    code = "too_many_codes"


class RefreshInvalid(Unauthorized):
    """This refresh token is not one of ours or has run out; sign in again."""

    code = "refresh_invalid"


class RefreshReused(Unauthorized):
    """This refresh token was used before; the session has been ended."""

    code = "refresh_reused"


class AccountClosed(Denied):
    """This account is closed."""

    code = "account_closed"


class WorksForTenant(Conflict):
    """Whose staff somebody is, is set at the tenant; nobody works for two sides."""

    code = "works_for_tenant"


class OwnAdminRole(Conflict):
    """Nobody takes the administrator's role from themselves."""

    code = "own_admin_role"


@dataclass(frozen=True, slots=True)
class Account:
    """One person. `phone` is E.164 and leaves this domain only masked."""

    id: str
    phone: str
    nickname: str
    roles: frozenset[str]
    status: AccountStatus
    created_at: datetime
    version: int
    tenant_id: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Account:
        return cls(
            row["id"],
            row["phone"],
            row["nickname"],
            frozenset(row["roles"]),
            AccountStatus(row["status"]),
            row["created_at"],
            row["version"],
            row["tenant_id"],
        )

    def check_open(self) -> None:
        """Raises AccountClosed."""
        if self.status is AccountStatus.CLOSED:
            raise AccountClosed


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in device."""

    id: str
    account_id: str
    refresh_hash: bytes
    refresh_generation: int
    user_agent: str
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Session:
        return cls(**dict(row.items()))


def normal_phone(text: str) -> str:
    """E.164 of a number that matches PHONE_PATTERN. Raises ValueError on any other text."""
    if not _PHONE.fullmatch(text):
        raise ValueError("not a phone number")
    return text if text.startswith("+") else "+86" + text


def mask_phone(phone: str) -> str:
    """All but the ends of an E.164 number: `138****78` in China, `+44****89` elsewhere (HS-219)."""
    national = phone.removeprefix("+86")
    return f"{national[:3]}****{national[-2:]}"
