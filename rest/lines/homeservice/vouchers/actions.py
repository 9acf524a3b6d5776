"""Verbs of vouchers: a technician makes and switches them, an order holds one and lets it go.

Lock order: the order's own rows and its call (held by the caller) → vouchers, by id → ledger accounts.
"""

from __future__ import annotations

import dispatch
from rest.lines.homeservice import catalogue, technicians
from rest.lines.homeservice.vouchers import store
from rest.lines.homeservice.vouchers.facts import VoucherUsedUp
from rest.lines.homeservice.vouchers.model import Terms, Voucher, VoucherGone, VoucherOverShare, VoucherState, most
from storage.base.errors import NotFound
from storage.base.money import as_money
from storage.postgres import RetryTx
from storage.tx import Tx

__all__ = ["VoucherGone", "current", "gone", "hold", "lock", "release", "set_voucher", "switch"]

gone = store.gone


async def set_voucher(tx: Tx, account_id: str, item_id: str, terms: Terms, *, stock: int | None) -> Voucher:
    """Make a voucher for one of his items, on at once; the one he had there is off and keeps what it has promised.

    Raises NotActive, ItemNotFound, VoucherOverShare (with the most it may be).
    """
    await technicians.my_item(tx, account_id, item_id)
    worker_id = await technicians.worker_id_of(tx, account_id)
    worker = await dispatch.lock_worker(tx, worker_id)
    regions = await catalogue.prices_around(tx, worker.area_code, item_id)
    if terms.amount_fen > (limit_fen := most(regions, terms.min_item_fen)):
        raise VoucherOverShare(maximum=as_money(limit_fen))
    former = await store.current(tx, worker_id, item_id, lock=True)
    if former is not None:
        await _save(tx, former, former.replaced(tx.now))
    voucher = Voucher(
        id=tx.new_id("tvo"),
        worker_id=worker_id,
        item_id=item_id,
        terms=terms,
        stock=stock,
        taken=0,
        state=VoucherState.ON,
        replaced_at=None,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
    )
    await store.add(tx, voucher)
    return voucher


async def current(tx: Tx, account_id: str, item_id: str) -> Voucher:
    """His voucher for this item. Raises NotActive, NotFound."""
    return _found(await store.current(tx, await technicians.worker_id_of(tx, account_id), item_id))


async def switch(tx: Tx, account_id: str, item_id: str, *, on: bool) -> Voucher:
    """Whether new quotes have it; what was quoted before stays. Raises NotActive, NotFound."""
    worker_id = await technicians.worker_id_of(tx, account_id)
    voucher = _found(await store.current(tx, worker_id, item_id, lock=True))
    after = voucher.switched(tx.now, on=on)
    if after is not voucher:
        await _save(tx, voucher, after)
    return after


def _found(voucher: Voucher | None) -> Voucher:
    if voucher is None:
        raise NotFound
    return voucher


async def hold(tx: Tx, order_id: str, voucher_id: str, amount_fen: int) -> bool:
    """Take one for an order instead of the one it holds, if any; False when nothing is left, and it holds none then.

    Needs the order's lock.
    """
    former_id = await store.held(tx, order_id)
    locked = await store.lock(tx, {voucher_id, former_id or voucher_id})
    if former_id is not None:
        locked[former_id] = await _return(tx, order_id, locked[former_id])
    voucher = locked[voucher_id]
    if voucher.is_gone:
        return False
    after = voucher.with_one_taken(tx.now)
    await _save(tx, voucher, after)
    await store.add_hold(tx, voucher_id, order_id, amount_fen)
    if after.state is VoucherState.USED_UP:
        fact = VoucherUsedUp(voucher_id=voucher_id, item_id=voucher.item_id, order_id=order_id)
        tx.tell(fact, to=[f"worker:{voucher.worker_id}"])
    return True


async def lock(tx: Tx, voucher_id: str) -> None:
    """Before accounts are: who may take one later in his transaction."""
    await store.lock(tx, {voucher_id})


async def release(tx: Tx, order_id: str) -> None:
    """The order lets go of what it holds, if anything. Needs the order's lock."""
    voucher_id = await store.held(tx, order_id)
    if voucher_id is not None:
        await _return(tx, order_id, (await store.lock(tx, {voucher_id}))[voucher_id])


async def _return(tx: Tx, order_id: str, voucher: Voucher) -> Voucher:
    after = voucher.with_one_returned(tx.now)
    await _save(tx, voucher, after)
    await store.end_hold(tx, order_id)
    return after


async def _save(tx: Tx, before: Voucher, after: Voucher) -> None:
    if not await store.save(tx, before, after):
        raise RetryTx
