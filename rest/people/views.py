"""What people's routes take and give."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rest.edge.values import Body, Instant, Note, PageQuery, exactly
from rest.people.actions import CodeSent, SignedIn
from rest.people.auth import CODE_DIGITS
from rest.people.model import PHONE_PATTERN, Account, Role, Session, mask_phone

Phone = Annotated[str, Meta(pattern=exactly(PHONE_PATTERN), max_length=16, examples=["13800138000"])]


class CodeBody(Body, frozen=True, kw_only=True):
    phone: Phone


class SignInBody(Body, frozen=True, kw_only=True):
    phone: Phone
    code: Annotated[str, Meta(pattern=exactly(f"[0-9]{{{CODE_DIGITS}}}"), examples=["123456"])]


class RefreshBody(Body, frozen=True, kw_only=True):
    refresh_token: Annotated[str, Meta(min_length=1, max_length=200)]


class ProfileBody(Body, frozen=True, kw_only=True):
    nickname: Annotated[str, Meta(pattern=exactly(r"[^\x00-\x1f\x7f]{1,40}"), max_length=40)]


class RolesBody(Body, frozen=True, kw_only=True):
    roles: Annotated[list[Role], Meta(max_length=10)]
    reason: Note


class AccountQuery(PageQuery, frozen=True, kw_only=True):
    phone: Phone | None = None
    role: Role | None = None


class CodeView(msgspec.Struct, frozen=True):
    """`dev_code` appears in development mode only, where nothing is sent."""

    expires_at: Instant
    resend_at: Instant
    dev_code: str | UnsetType = UNSET


class AccountView(msgspec.Struct, frozen=True):
    id: str
    phone_masked: str
    nickname: str
    roles: list[Role]
    status: str
    created_at: Instant
    version: int
    worker_id: str | UnsetType = UNSET
    tenant_id: str | UnsetType = UNSET


class SignedInView(msgspec.Struct, frozen=True):
    session_id: str
    access_token: str
    access_expires_at: Instant
    refresh_token: str
    refresh_expires_at: Instant
    account: AccountView


class SessionView(msgspec.Struct, frozen=True):
    id: str
    is_current: bool
    user_agent: str
    created_at: Instant
    refreshed_at: Instant
    expires_at: Instant


def code_view(sent: CodeSent, *, dev: bool) -> CodeView:
    return CodeView(sent.expires_at, sent.resend_at, sent.code if dev else UNSET)


def account_view(account: Account, worker_id: str | None = None) -> AccountView:
    return AccountView(
        account.id,
        mask_phone(account.phone),
        account.nickname,
        sorted(Role(name) for name in account.roles),
        account.status.value,
        account.created_at,
        account.version,
        worker_id if worker_id is not None else UNSET,
        account.tenant_id if account.tenant_id is not None else UNSET,
    )


def signed_in_view(signed_in: SignedIn, worker_id: str | None) -> SignedInView:
    return SignedInView(
        signed_in.session_id,
        signed_in.access.text,
        signed_in.access.expires_at,
        signed_in.refresh.text,
        signed_in.refresh_expires_at,
        account_view(signed_in.account, worker_id),
    )


def session_view(session: Session, current: str) -> SessionView:
    return SessionView(
        session.id,
        session.id == current,
        session.user_agent,
        session.created_at,
        session.refreshed_at,
        session.expires_at,
    )
