"""SQL of payment passwords: one function per statement."""

from __future__ import annotations

from typing import Any

from rest.money.passwords.model import Password, Tries
from storage.tx import Tx

_READ = """
    SELECT account_id, salt, hash, wrong_tries, locked_until, changed_at FROM wallet_passwords WHERE account_id = $1
"""


def _password(row: Any) -> Password | None:  # noqa: ANN401 - a row
    if row is None:
        return None
    tries = Tries(row["wrong_tries"], row["locked_until"])
    return Password(row["account_id"], row["salt"], row["hash"], tries, row["changed_at"])


async def read(tx: Tx, account_id: str) -> Password | None:
    return _password(await tx.fetchrow(_READ, account_id))


async def lock(tx: Tx, account_id: str) -> Password | None:
    return _password(await tx.fetchrow(_READ + " FOR UPDATE", account_id))


async def put(tx: Tx, password: Password) -> None:
    """A new one, or over the old; tries are forgotten."""
    await tx.execute(
        """
        INSERT INTO wallet_passwords (account_id, salt, hash, changed_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (account_id) DO UPDATE
           SET salt = EXCLUDED.salt, hash = EXCLUDED.hash, changed_at = EXCLUDED.changed_at, wrong_tries = 0,
               locked_until = NULL
        """,
        password.account_id,
        password.salt,
        password.hash,
        password.changed_at,
    )


async def save_tries(tx: Tx, account_id: str, tries: Tries) -> None:
    """The row is locked by the caller."""
    await tx.execute(
        "UPDATE wallet_passwords SET wrong_tries = $2, locked_until = $3 WHERE account_id = $1",
        account_id,
        tries.wrong,
        tries.locked_until,
    )
