"""Verbs of the ledger: post a transfer, read balances, prove the book."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rest.money.ledger import store
from rest.money.ledger.model import (
    Account,
    BadTransfer,
    Entry,
    InsufficientFunds,
    RefReused,
    Statement,
    Transfer,
    account_of,
    merge,
)
from storage.base.log import log
from storage.tx import Tx


async def post(
    tx: Tx,
    *,
    ref: str,
    kind: str,
    entries: Sequence[tuple[str, int]],
    order_id: str | None = None,
    note: str | None = None,
    by_id: str | None = None,
    overdraw: bool = False,
) -> Transfer:
    """Move value: `entries` are (account code, fen), positive into the account; they sum to zero per unit.

    An account named twice gets one entry with the sum. The same `ref` with the same kind, order and entries
    moves nothing and returns the first transfer. `overdraw` lets accounts that may fall below their floor do
    so (HS-182). A refusal has written nothing, so the caller may go on in the same transaction.

    Locks   the accounts with a floor, by id. One round trip.
    Raises  InsufficientFunds, RefReused; BadTransfer for our own mistakes.
    """
    moves = merge(entries)
    row = await store.post(
        tx, ref=ref, kind=kind, order_id=order_id, note=note, by_id=by_id, overdraw=overdraw, moves=moves
    )
    outcome: str = row["outcome"]
    if outcome == "short":
        raise InsufficientFunds(account_of(row["posted_codes"][0]), row["posted_balances"][0])
    if outcome == "ref_reused":
        log("ledger.ref_reused", level="error", ref=ref, kind=kind, transfer_id=row["posted_id"])
        raise RefReused
    lines = zip(row["posted_codes"], row["posted_amounts"], row["posted_balances"], strict=True)
    return Transfer(
        id=row["posted_id"],
        ref=ref,
        kind=kind,
        order_id=order_id,
        at=row["posted_at"],
        entries=tuple(Entry(*line) for line in lines),
        repeated=outcome == "repeated",
    )


async def is_posted(tx: Tx, ref: str) -> bool:
    """Whether a transfer with this reference exists; for verbs that decide before they post."""
    return await store.is_posted(tx, ref)


async def balance(tx: Tx, code: str) -> int:
    """What the account holds, in its unit; 0 when it was never used."""
    return await store.balance(tx, code)


async def balances(tx: Tx, codes: Sequence[str]) -> dict[str, int]:
    """What several accounts with a floor hold; those never used are left out. One round trip."""
    return await store.balances(tx, codes)


async def credits_of(tx: Tx, account_id: str, *, limit: int = 100) -> dict[str, int]:
    """What a customer may spend on orders of single workers, by worker, the largest first (HS-176)."""
    found = await store.credits_of(tx, account_id, limit)
    return {code.rpartition(":")[2]: fen for code, fen in found}


async def balance_at(tx: Tx, code: str, at: datetime) -> int:
    """What the account held at an instant: all transfers dated then or before, 0 before its first.

    A transfer is dated by the clock of the process that posted it (`Transfer.at`), at the start of its transaction:
    a transfer that commits after this question may still be dated before it. So the answer is final for instants
    further back than the longest open transaction, which is what statements and audits ask for; money is decided on
    `balance` under a lock, never on this.
    """
    return await store.balance_at(tx, code, at)


async def entries(tx: Tx, code: str, *, before_version: int | None = None, limit: int = 20) -> list[Statement]:
    """The entries of an account with a floor, newest first, older than `before_version`."""
    return await store.entries(tx, code, before_version=before_version, limit=limit)


async def size(tx: Tx) -> dict[str, int]:
    """How many accounts, transfers, entries and checkpoints the book has."""
    return await store.size(tx)


async def verify(tx: Tx) -> list[str]:
    """Everything wrong with the whole book; empty when it is right.

    Checks that every transfer sums to zero in each unit and has two entries or more, that all balances together are
    zero in each unit, that balances are the sums of their entries, that version chains have no gaps and running
    balances agree, that floors hold, that checkpoints say what their entries sum to, and that every stored account is
    what its code says. Reads everything: for audits and tests, not for requests.
    """
    faults = await store.faults(tx)
    for row in await store.accounts(tx):
        try:
            expected: Account | None = account_of(row["code"])
        except BadTransfer:
            expected = None
        if expected != Account(*row):
            faults.append(f"account {row['code']}: stored as {tuple(row)[1:]}, its code says otherwise")
    return faults
