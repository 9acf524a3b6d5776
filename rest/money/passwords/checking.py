"""Asking for the password at an edge, before the transaction it protects: a wrong try is counted in one of its own."""

from __future__ import annotations

from rest.money.passwords import actions, store
from rest.money.passwords.hashing import slow_hash
from rest.money.passwords.model import Password, PasswordRequired
from storage.postgres import Database


async def require(db: Database, account_id: str, given: str | None, *, secret: str) -> Password | None:
    """The password that was proved; None where none is set. Raises PasswordRequired, PasswordWrong, PayLocked."""
    async with db.look() as tx:
        known = await store.read(tx, account_id)
    if known is None:
        return None
    known.tries.check_open(db.clock.now())
    if given is None:
        raise PasswordRequired
    hashed = await slow_hash(given, known.salt, secret)
    refusal = await db.run(actions.attempt, account_id, known.salt, hashed)
    if refusal is not None:
        raise refusal
    return known
