"""Verbs of wallets and escrows. Each is one ledger transfer under the caller's reference: repeating it is harmless."""

from __future__ import annotations

from collections.abc import Sequence

from rest.edge.values import Money
from rest.money import ledger
from rest.money.ledger import Statement, Transfer
from rest.money.wallet.facts import WalletChanged
from rest.money.wallet.model import AUDIENCES, RefundExceedsPaid, SplitMismatch
from storage.tx import Tx


async def balance(tx: Tx, account_id: str) -> int:
    """What the customer may spend now, in fen."""
    return await ledger.balance(tx, ledger.customer_wallet(account_id))


async def held(tx: Tx, order_id: str) -> int:
    """What is paid for the order and neither refunded nor shared out, in fen."""
    return await ledger.balance(tx, ledger.escrow(order_id))


async def entries(tx: Tx, account_id: str, *, before_version: int | None = None, limit: int = 20) -> list[Statement]:
    """What moved the customer's wallet, newest first, older than `before_version`."""
    code = ledger.customer_wallet(account_id)
    return await ledger.entries(tx, code, before_version=before_version, limit=limit)


async def credit(
    tx: Tx,
    account_id: str,
    amount_fen: int,
    ref: str,
    reason: str,
    *,
    source: str | None = None,
    by_id: str | None = None,
) -> Transfer:
    """Give the customer money, out of `source` (a ledger code; the platform's top-up account by default).

    Raises RefReused; InsufficientFunds when the source has a floor.
    """
    source = source or ledger.platform_topup()
    entries = _from_to(source, ledger.customer_wallet(account_id), amount_fen)
    return await move(tx, ref=ref, kind="credit", note=reason, by_id=by_id, entries=entries)


async def pay(tx: Tx, account_id: str, order_id: str, amount_fen: int, ref: str) -> Transfer:
    """Take money from the customer's wallet into the order's escrow. Raises InsufficientFunds, RefReused."""
    entries = _from_to(ledger.customer_wallet(account_id), ledger.escrow(order_id), amount_fen)
    return await move(tx, ref=ref, kind="pay", order_id=order_id, entries=entries)


async def refund(
    tx: Tx, account_id: str, order_id: str, amount_fen: int, ref: str, *, reason: str | None = None
) -> Transfer:
    """Give money back from the order's escrow, all or a part. Raises RefundExceedsPaid, RefReused."""
    entries = _from_to(ledger.escrow(order_id), ledger.customer_wallet(account_id), amount_fen)
    try:
        return await move(tx, ref=ref, kind="refund", order_id=order_id, note=reason, entries=entries)
    except ledger.InsufficientFunds as short:
        raise RefundExceedsPaid(short.balance_fen) from None


async def settle_order(
    tx: Tx, order_id: str, parts: Sequence[tuple[str, int]], *, overdraw: bool = False
) -> Transfer | None:
    """Share the order's escrow out at its end: `parts` are (ledger code, fen), and their sum is what it holds.

    A part may be negative (HS-155: the platform's, when its coupon exceeds its share); zero parts are left out. An
    order that holds nothing may still be shared out: then the parts pay each other. None when there is nothing to do.
    Once per order: the same parts again move nothing.

    Raises SplitMismatch unless the escrow ends at zero; RefReused for other parts.
    """
    shared = [(code, amount) for code, amount in parts if amount != 0]
    source = ledger.escrow(order_id)
    total = sum(amount for _, amount in shared)
    if total < 0 or (total == 0 and await held(tx, order_id) != 0):
        raise SplitMismatch
    if not shared:
        return None
    try:
        transfer = await move(
            tx,
            ref=f"{order_id}:settled",
            kind="settlement",
            order_id=order_id,
            entries=[*([(source, -total)] if total else []), *shared],
            overdraw=overdraw,
        )
    except ledger.InsufficientFunds:
        raise SplitMismatch from None
    if total and transfer.balance_after(source) != 0:
        raise SplitMismatch
    return transfer


async def move(
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
    """Post a transfer and tell the owners of the wallets it touched. Raises as `ledger.post` does."""
    transfer = await ledger.post(
        tx, ref=ref, kind=kind, order_id=order_id, note=note, by_id=by_id, entries=entries, overdraw=overdraw
    )
    if not transfer.repeated:
        _tell_owners(tx, transfer)
    return transfer


def _from_to(source: str, target: str, amount_fen: int) -> list[tuple[str, int]]:
    if amount_fen <= 0:
        # Backwards would be a different verb with different rules.
        raise ledger.BadTransfer(f"{amount_fen} fen cannot go from {source} to {target}")
    return [(source, -amount_fen), (target, amount_fen)]


def _tell_owners(tx: Tx, transfer: Transfer) -> None:
    for entry in transfer.entries:
        account = ledger.account_of(entry.code)
        audience = AUDIENCES.get(account.kind)
        if audience is None or entry.balance_after_fen is None:
            continue
        fact = WalletChanged(
            owner_id=account.owner_id,
            transfer_id=transfer.id,
            kind=transfer.kind,
            order_id=transfer.order_id,
            amount=Money(entry.amount_fen),
            balance=Money(entry.balance_after_fen),
        )
        tx.tell(fact, to=[audience.format(account.owner_id)])
