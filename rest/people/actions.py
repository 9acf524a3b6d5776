"""Signing in and out.

Verbs that must leave a trace although they refuse (a wrong code costs a try, a reused token ends its session)
*return* the refusal, so that their transaction commits; the edge raises it afterwards.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rest.edge.errors import NotFound, SessionRevoked
from rest.people import store
from rest.people.auth import AccessToken, Keys, RefreshToken, new_code
from rest.people.facts import RolesChanged, SessionEnded, session_audience
from rest.people.model import (
    PLATFORM_ROLES,
    TENANT_ROLES,
    Account,
    AccountClosed,
    CodeExpired,
    CodeWrong,
    OwnAdminRole,
    RefreshInvalid,
    RefreshReused,
    Role,
    Session,
    TooManyCodes,
    TooManyTries,
    WorksForTenant,
)
from storage.base.settings import Settings
from storage.tx import Tx

SEND_CODE = "people.send_code"
"""The job that carries a code to a phone."""


@dataclass(frozen=True, slots=True)
class CodeSent:
    """`code` is for development answers and tests only; it is nowhere in clear in the database."""

    code: str
    expires_at: datetime
    resend_at: datetime


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session with fresh tokens."""

    account: Account
    session_id: str
    access: AccessToken
    refresh: RefreshToken
    refresh_expires_at: datetime


async def send_code(tx: Tx, phone: str, *, keys: Keys, settings: Settings, purpose: str = "") -> CodeSent:
    """Make the phone's code and, outside development, schedule its sending. It opens only what `purpose` says.

    The answer is the same whether the phone has an account or not. Raises TooManyCodes with `retry_after_s`.
    """
    code = new_code()
    made = await store.put_code(
        tx,
        phone,
        keys.code_hash(purpose + phone, code),
        ttl_s=settings.code_ttl_s,
        resend_s=settings.code_resend_s,
        per_hour_max=settings.code_per_hour_max,
    )
    if made is None:
        raise await _too_early(tx, phone, settings)
    expires_at, sent_at = made
    if not settings.dev:
        payload = {"phone": phone, "sealed": keys.seal_code(phone, code), "expires_at": expires_at.timestamp()}
        # One job a phone, under a name that may be logged.
        tx.schedule(SEND_CODE, f"{SEND_CODE}:{keys.pseudonym(phone)}", tx.now, payload)
    return CodeSent(code, expires_at, sent_at + timedelta(seconds=settings.code_resend_s))


async def _too_early(tx: Tx, phone: str, settings: Settings) -> TooManyCodes:
    limits = await store.code_limits(tx, phone)
    if limits is None:
        return TooManyCodes(retry_after_s=1)
    sent_at, window_start, sent = limits
    opens_at = sent_at + timedelta(seconds=settings.code_resend_s)
    if sent >= settings.code_per_hour_max:
        opens_at = max(opens_at, window_start + store.WINDOW)
    return TooManyCodes(retry_after_s=max((opens_at - tx.now).total_seconds(), 1))


async def sign_in(
    tx: Tx, phone: str, code: str, *, keys: Keys, settings: Settings, user_agent: str = ""
) -> SignedIn | CodeWrong | CodeExpired | TooManyTries | AccountClosed:
    """Find or make the account of this phone and open a session (HS-001).

    Locks the code's row, so that of racing senders of one code just one signs in.
    """
    refusal = await use_code(tx, phone, code, keys=keys, settings=settings)
    if refusal is not None:
        return refusal
    account = await store.find_or_add_account(tx, tx.new_id("acc"), phone)
    try:
        account.check_open()
    except AccountClosed as closed:
        return closed
    return await open_session(tx, account, keys=keys, settings=settings, user_agent=user_agent)


async def use_code(
    tx: Tx, phone: str, code: str, *, keys: Keys, settings: Settings, purpose: str = ""
) -> CodeWrong | CodeExpired | TooManyTries | None:
    """Spend the phone's code; None when it was the right one. A wrong one costs a try. Locks the code's row."""
    tried = await store.take_try(tx, phone, tries_max=settings.code_tries_max)
    if tried is None:
        tried_out = await store.is_tried_out(tx, phone, tries_max=settings.code_tries_max)
        return TooManyTries() if tried_out else CodeExpired()
    code_hash, tries_left = tried
    if not hmac.compare_digest(code_hash, keys.code_hash(purpose + phone, code)):
        return CodeWrong(tries_left=tries_left)
    await store.spend_code(tx, phone)
    return None


async def open_session(tx: Tx, account: Account, *, keys: Keys, settings: Settings, user_agent: str) -> SignedIn:
    """A new session of an account that has proved who it is."""
    session_id = tx.new_id("ses")
    refresh = keys.refresh_token(session_id, 1)
    refresh_expires_at = tx.now + timedelta(seconds=settings.refresh_ttl_s)
    await store.add_session(
        tx,
        session_id,
        account.id,
        refresh_hash=refresh.hash,
        user_agent=user_agent[:200],
        expires_at=refresh_expires_at,
    )
    access = _access(tx, account, session_id, keys, settings)
    return SignedIn(account, session_id, access, refresh, refresh_expires_at)


def _access(tx: Tx, account: Account, session_id: str, keys: Keys, settings: Settings) -> AccessToken:
    return keys.issue(session_id, account.id, account.roles, tx.now, settings.access_ttl_s, tenant_id=account.tenant_id)


async def refresh_session(
    tx: Tx, text: str, *, keys: Keys, settings: Settings
) -> SignedIn | RefreshInvalid | RefreshReused | SessionRevoked | AccountClosed:
    """Exchange a refresh token for new tokens; each is good once.

    A token of an older generation was copied or sent twice: nobody can tell which holder is the thief, so the
    session ends for both. Locks the session. Tells session.revoked. Raises RefreshInvalid for a text not ours.
    """
    token = keys.read_refresh(text)
    session = await store.lock_session(tx, token.session_id)
    if session is None or session.expires_at <= tx.now:
        return RefreshInvalid()
    if session.revoked_at is not None:
        return SessionRevoked()
    if token.generation != session.refresh_generation or token.hash != session.refresh_hash:
        await end_sessions(tx, session.account_id, [session.id], "refresh_reused")
        return RefreshReused()
    account = await store.account(tx, session.account_id)
    if account is None:
        return RefreshInvalid()
    try:
        account.check_open()
    except AccountClosed as refusal:
        return refusal
    fresh = keys.refresh_token(session.id, session.refresh_generation + 1)
    expires_at = tx.now + timedelta(seconds=settings.refresh_ttl_s)
    await store.rotate(tx, session.id, fresh.generation, fresh.hash, expires_at)
    access = _access(tx, account, session.id, keys, settings)
    return SignedIn(account, session.id, access, fresh, expires_at)


async def end_sessions(tx: Tx, account_id: str, session_ids: Sequence[str] | None, reason: str) -> list[str]:
    """Revoke sessions of an account, all of them for None; the ids that were live. Tells session.revoked for each."""
    ended = await store.end_sessions(tx, account_id, session_ids, reason)
    for session_id in ended:
        tx.tell(SessionEnded(session_id=session_id, reason=reason), to=[session_audience(session_id)])
    return ended


async def end_session(tx: Tx, account_id: str, session_id: str, reason: str) -> None:
    """Revoke one live session of the account. Raises NotFound."""
    if not await end_sessions(tx, account_id, [session_id], reason):
        raise NotFound


async def sessions(
    tx: Tx, account_id: str, *, after: tuple[datetime, str] | None = None, limit: int = 20
) -> list[Session]:
    """The account's live sessions, newest first; one more than `limit` when there are more."""
    return await store.live_sessions(tx, account_id, after=after, limit=limit + 1)


async def account_of(tx: Tx, account_id: str) -> Account:
    """Raises NotFound."""
    account = await store.account(tx, account_id)
    if account is None:
        raise NotFound
    return account


async def accounts_of(tx: Tx, account_ids: Sequence[str]) -> list[Account]:
    """Those of them that exist, each once, in the order given."""
    found = {account.id: account for account in await store.accounts_named(tx, account_ids)}
    return [found[one] for one in dict.fromkeys(account_ids) if one in found]


async def lock_account(tx: Tx, account_id: str) -> Account:
    """Raises NotFound."""
    account = await store.lock_account(tx, account_id)
    if account is None:
        raise NotFound
    return account


async def rename(tx: Tx, account: Account, nickname: str) -> Account:
    """Change the name shown to others; needs the lock."""
    return await store.save_nickname(tx, account.id, nickname)


async def set_roles(tx: Tx, account: Account, roles: Iterable[Role], *, by: str, reason: str) -> Account:
    """Give the account just these roles, `user` always among them; needs the lock.

    Older access tokens are refused from now on (HS-215). Tells account.roles_changed to its live sessions.
    Raises OwnAdminRole, WorksForTenant.
    """
    wanted = frozenset({Role.USER, *roles})
    if wanted & TENANT_ROLES != account.roles & TENANT_ROLES or (account.tenant_id and wanted & PLATFORM_ROLES):
        raise WorksForTenant
    if by == account.id and Role.ADMIN in account.roles and Role.ADMIN not in wanted:
        raise OwnAdminRole
    return await save_roles(tx, account, wanted, account.tenant_id, by=by, reason=reason)


async def save_roles(
    tx: Tx, account: Account, roles: Iterable[Role], tenant_id: str | None, *, by: str, reason: str
) -> Account:
    """Write roles and whose staff it is, and tell; the caller has judged it. Needs the lock."""
    wanted = sorted(role.value for role in roles)
    if frozenset(wanted) == account.roles and tenant_id == account.tenant_id:
        return account
    changed = await store.save_roles(tx, account.id, wanted, tenant_id)
    live = await store.live_sessions(tx, account.id, after=None, limit=100)
    fact = RolesChanged(
        account_id=account.id, roles=wanted, tenant_id=tenant_id, version=changed.version, by=by, reason=reason
    )
    tx.tell(fact, to=[session_audience(session.id) for session in live])
    return changed


async def grant_role(tx: Tx, account_id: str, role: Role, *, by: str, reason: str) -> Account:
    """Add one role; what a domain does when it makes an account its technician or agent. Raises NotFound."""
    account = await lock_account(tx, account_id)
    return await set_roles(tx, account, [*(Role(name) for name in account.roles), role], by=by, reason=reason)
