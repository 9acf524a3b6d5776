"""Verbs of the payment password. A refusal that must be counted is returned, so that its transaction commits."""

from __future__ import annotations

import hmac

from rest.money.passwords import store
from rest.money.passwords.model import Password, PasswordWrong, PayLocked, Tries
from storage.base.log import log
from storage.postgres import RetryTx
from storage.tx import Tx


async def put(tx: Tx, account_id: str, salt: bytes, hashed: bytes) -> Password:
    """Set the password, or set it anew; wrong tries and a lock are forgotten. The caller has proved who he is."""
    password = Password(account_id, salt, hashed, Tries(), tx.now)
    await store.put(tx, password)
    log("wallet.password_set", account_id=account_id)
    return password


async def attempt(tx: Tx, account_id: str, salt: bytes, hashed: bytes) -> PasswordWrong | PayLocked | None:
    """Compare and count; how it is refused, None for the right one and where none is set. Locks the password."""
    password = await store.lock(tx, account_id)
    if password is None:
        return None
    if password.salt != salt:
        raise RetryTx  # changed since it was hashed
    return await _count(tx, password, is_right=hmac.compare_digest(password.hash, hashed))


async def count_try(tx: Tx, account_id: str, *, is_right: bool) -> PasswordWrong | PayLocked | None:
    """Something that stands for the password was tried, such as a signature: counted like the password itself."""
    password = await store.lock(tx, account_id)
    return None if password is None else await _count(tx, password, is_right=is_right)


async def _count(tx: Tx, password: Password, *, is_right: bool) -> PasswordWrong | PayLocked | None:
    try:
        tries, refusal = password.tries.after(is_right=is_right, now=tx.now)
    except PayLocked as locked:
        return locked
    if tries != password.tries:
        await store.save_tries(tx, password.account_id, tries)
    if isinstance(refusal, PayLocked):
        log("wallet.password_locked", level="warning", account_id=password.account_id)
    return refusal
