"""SQL of people: one statement per function."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from rest.people.model import Account, Session
from storage.tx import Tx

WINDOW = timedelta(hours=1)
"""Codes are counted by the hour."""


ACCOUNT = "id, phone, nickname, roles, status, created_at, version, tenant_id"
"""The columns that `Account.of` reads."""

async def put_code(
    tx: Tx, phone: str, code_hash: bytes, *, ttl_s: int, resend_s: int, per_hour_max: int
) -> tuple[datetime, datetime] | None:
    """Make this the phone's one code; (expires_at, sent_at), or None when it is too early or one too many.

    One guarded statement, so that of racing requests for one phone just one gets through.
    """
    row = await tx.fetchrow(
        """
        INSERT INTO sign_in_codes AS known (phone, code_hash, sent_at, expires_at, window_start)
        VALUES ($1, $2, $3, $4, $3)
        ON CONFLICT (phone) DO UPDATE
           SET code_hash = EXCLUDED.code_hash, sent_at = EXCLUDED.sent_at, expires_at = EXCLUDED.expires_at, tries = 0,
               window_start = CASE WHEN known.window_start <= $6 THEN EXCLUDED.sent_at ELSE known.window_start END,
               sent_in_window = CASE WHEN known.window_start <= $6 THEN 1 ELSE known.sent_in_window + 1 END
         WHERE known.sent_at <= $5 AND (known.window_start <= $6 OR known.sent_in_window < $7)
        RETURNING expires_at, sent_at
        """,
        phone,
        code_hash,
        tx.now,
        tx.now + timedelta(seconds=ttl_s),
        tx.now - timedelta(seconds=resend_s),
        tx.now - WINDOW,
        per_hour_max,
    )
    return None if row is None else (row["expires_at"], row["sent_at"])


async def code_limits(tx: Tx, phone: str) -> tuple[datetime, datetime, int] | None:
    """(sent_at, window_start, sent_in_window) of the phone's last code."""
    row = await tx.fetchrow("SELECT sent_at, window_start, sent_in_window FROM sign_in_codes WHERE phone = $1", phone)
    return None if row is None else (row["sent_at"], row["window_start"], row["sent_in_window"])


async def take_try(tx: Tx, phone: str, *, tries_max: int) -> tuple[bytes, int] | None:
    """Spend one try on the live code; (its hash, tries left), or None when there is none to try."""
    row = await tx.fetchrow(
        """
        UPDATE sign_in_codes SET tries = tries + 1
         WHERE phone = $1 AND expires_at > $2 AND tries < $3
        RETURNING code_hash, $3 - tries AS left
        """,
        phone,
        tx.now,
        tries_max,
    )
    return None if row is None else (row["code_hash"], row["left"])


async def is_tried_out(tx: Tx, phone: str, *, tries_max: int) -> bool:
    """Whether the phone's code would still live, but for too many tries."""
    found: bool | None = await tx.fetchval(
        "SELECT tries >= $3 FROM sign_in_codes WHERE phone = $1 AND expires_at > $2", phone, tx.now, tries_max
    )
    return bool(found)


async def spend_code(tx: Tx, phone: str) -> None:
    """A code opens once. The row stays, so that signing in does not reset the hourly count."""
    await tx.execute("UPDATE sign_in_codes SET expires_at = $2 WHERE phone = $1", phone, tx.now)


async def purge_codes(tx: Tx, before: datetime, *, limit: int) -> int:
    return await tx.execute(
        """
        DELETE FROM sign_in_codes WHERE phone IN
               (SELECT phone FROM sign_in_codes WHERE window_start < $1 ORDER BY window_start LIMIT $2)
        """,
        before,
        limit,
    )


async def find_or_add_account(tx: Tx, account_id: str, phone: str) -> Account:
    """The account of this phone; a new one under `account_id` when there was none."""
    row = await tx.fetchrow(
        f"""
        WITH added AS (
            INSERT INTO accounts (id, phone, roles, created_at, updated_at) VALUES ($1, $2, ARRAY['user'], $3, $3)
            ON CONFLICT (phone) DO NOTHING
            RETURNING {ACCOUNT})
        SELECT {ACCOUNT} FROM added
        UNION ALL
        SELECT {ACCOUNT} FROM accounts WHERE phone = $2
        """,
        account_id,
        phone,
        tx.now,
    )
    if row is None:
        # Added by a transaction that committed after this statement began: now it can be seen.
        return await find_or_add_account(tx, account_id, phone)
    return Account.of(row)


async def account(tx: Tx, account_id: str) -> Account | None:
    row = await tx.fetchrow(
        f"SELECT {ACCOUNT} FROM accounts WHERE id = $1",
        account_id,
    )
    return None if row is None else Account.of(row)


async def accounts_named(tx: Tx, account_ids: Sequence[str]) -> list[Account]:
    rows = await tx.fetch(
        f"""
        SELECT {ACCOUNT} FROM accounts
         WHERE id = ANY ($1::text[])
        """,
        list(account_ids),
    )
    return [Account.of(row) for row in rows]


async def lock_account(tx: Tx, account_id: str) -> Account | None:
    row = await tx.fetchrow(
        f"""
        SELECT {ACCOUNT} FROM accounts
         WHERE id = $1 FOR NO KEY UPDATE
        """,
        account_id,
    )
    return None if row is None else Account.of(row)


async def accounts(
    tx: Tx, *, phone: str | None, role: str | None, after: tuple[datetime, str] | None, limit: int
) -> list[Account]:
    """Newest first, after a (created_at, id)."""
    rows = await tx.fetch(
        f"""
        SELECT {ACCOUNT} FROM accounts
         WHERE ($1::text IS NULL OR phone = $1) AND ($2::text IS NULL OR roles @> ARRAY[$2::text])
           AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4))
         ORDER BY created_at DESC, id DESC LIMIT $5
        """,
        phone,
        role,
        *(after or (None, None)),
        limit,
    )
    return [Account.of(row) for row in rows]


async def save_nickname(tx: Tx, account_id: str, nickname: str) -> Account:
    """The account is locked by the caller."""
    row = await tx.fetchrow(
        f"""
        UPDATE accounts SET nickname = $2, updated_at = $3, version = version + 1 WHERE id = $1
        RETURNING {ACCOUNT}
        """,
        account_id,
        nickname,
        tx.now,
    )
    return Account.of(row)


async def save_roles(tx: Tx, account_id: str, roles: Sequence[str], tenant_id: str | None) -> Account:
    """The account is locked by the caller."""
    row = await tx.fetchrow(
        f"""
        UPDATE accounts
           SET roles = $2, tenant_id = $4, updated_at = $3, roles_changed_at = $3, version = version + 1
         WHERE id = $1
        RETURNING {ACCOUNT}
        """,
        account_id,
        list(roles),
        tx.now,
        tenant_id,
    )
    return Account.of(row)


async def add_session(
    tx: Tx, session_id: str, account_id: str, *, refresh_hash: bytes, user_agent: str, expires_at: datetime
) -> None:
    await tx.execute(
        """
        INSERT INTO sessions (id, account_id, refresh_hash, user_agent, created_at, refreshed_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $5, $6)
        """,
        session_id,
        account_id,
        refresh_hash,
        user_agent,
        tx.now,
        expires_at,
    )


async def lock_session(tx: Tx, session_id: str) -> Session | None:
    row = await tx.fetchrow(
        """
        SELECT id, account_id, refresh_hash, refresh_generation, user_agent, created_at, refreshed_at, expires_at,
               revoked_at
          FROM sessions WHERE id = $1 FOR UPDATE
        """,
        session_id,
    )
    return None if row is None else Session.of(row)


async def rotate(tx: Tx, session_id: str, generation: int, refresh_hash: bytes, expires_at: datetime) -> None:
    """The session is locked by the caller."""
    await tx.execute(
        """
        UPDATE sessions SET refresh_generation = $2, refresh_hash = $3, refreshed_at = $4, expires_at = $5
         WHERE id = $1
        """,
        session_id,
        generation,
        refresh_hash,
        tx.now,
        expires_at,
    )


async def end_sessions(tx: Tx, account_id: str, session_ids: Sequence[str] | None, reason: str) -> list[str]:
    """Revoke live sessions of the account, all of them for None; the ids revoked."""
    rows = await tx.fetch(
        """
        UPDATE sessions SET revoked_at = $3, revoke_reason = $4
         WHERE account_id = $1 AND ($2::text[] IS NULL OR id = ANY($2)) AND revoked_at IS NULL
        RETURNING id
        """,
        account_id,
        None if session_ids is None else list(session_ids),
        tx.now,
        reason,
    )
    return sorted(row["id"] for row in rows)


async def live_sessions(tx: Tx, account_id: str, *, after: tuple[datetime, str] | None, limit: int) -> list[Session]:
    """Newest first, after a (created_at, id)."""
    rows = await tx.fetch(
        """
        SELECT id, account_id, refresh_hash, refresh_generation, user_agent, created_at, refreshed_at, expires_at,
               revoked_at
          FROM sessions
         WHERE account_id = $1 AND revoked_at IS NULL AND expires_at > $2
           AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4))
         ORDER BY created_at DESC, id DESC LIMIT $5
        """,
        account_id,
        tx.now,
        *(after or (None, None)),
        limit,
    )
    return [Session.of(row) for row in rows]


async def live_session(tx: Tx, account_id: str, session_id: str) -> Session | None:
    row = await tx.fetchrow(
        """
        SELECT id, account_id, refresh_hash, refresh_generation, user_agent, created_at, refreshed_at, expires_at,
               revoked_at
          FROM sessions WHERE id = $1 AND account_id = $2 AND revoked_at IS NULL AND expires_at > $3
        """,
        session_id,
        account_id,
        tx.now,
    )
    return None if row is None else Session.of(row)


async def changed_since(tx: Tx, since: datetime) -> tuple[dict[str, datetime], dict[str, datetime]]:
    """Sessions revoked and accounts whose roles changed after `since`, each with the instant."""
    rows = await tx.fetch(
        """
        SELECT true AS is_session, id, revoked_at AS at FROM sessions WHERE revoked_at > $1
        UNION ALL
        SELECT false, id, roles_changed_at FROM accounts WHERE roles_changed_at > $1
        """,
        since,
    )
    sessions = {row["id"]: row["at"] for row in rows if row["is_session"]}
    return sessions, {row["id"]: row["at"] for row in rows if not row["is_session"]}


async def purge_sessions(tx: Tx, before: datetime, *, limit: int) -> int:
    """Forget sessions that ran out before this instant, revoked or not."""
    return await tx.execute(
        """
        DELETE FROM sessions WHERE id IN
               (SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)
        """,
        before,
        limit,
    )


async def last_phone(tx: Tx, prefix: str) -> str | None:
    """The highest phone that begins with these digits."""
    found: str | None = await tx.fetchval(
        "SELECT max(phone) FROM accounts WHERE phone >= $1 AND phone < $2", prefix, prefix + ":"
    )
    return found


async def add_accounts(tx: Tx, ids: Sequence[str], phones: Sequence[str], roles: Sequence[str]) -> None:
    """Many accounts of the same roles in one statement."""
    await tx.execute(
        """
        INSERT INTO accounts (id, phone, roles, created_at, updated_at)
        SELECT id, phone, $3, $4, $4 FROM unnest($1::text[], $2::text[]) AS wanted (id, phone)
        """,
        list(ids),
        list(phones),
        list(roles),
        tx.now,
    )


async def add_sessions(
    tx: Tx, ids: Sequence[str], account_ids: Sequence[str], refresh_hashes: Sequence[bytes], expires_at: datetime
) -> None:
    """Many sessions in one statement."""
    await tx.execute(
        """
        INSERT INTO sessions (id, account_id, refresh_hash, created_at, refreshed_at, expires_at)
        SELECT id, account_id, refresh_hash, $4, $4, $5
          FROM unnest($1::text[], $2::text[], $3::bytea[]) AS wanted (id, account_id, refresh_hash)
        """,
        list(ids),
        list(account_ids),
        list(refresh_hashes),
        tx.now,
        expires_at,
    )
