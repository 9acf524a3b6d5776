"""Verbs of customers, and what a refund does. Lock order: orders (by `Billing`) → the invoice → files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rest.edge.values import Money
from rest.money.invoices import store
from rest.money.invoices.facts import InvoiceChanged
from rest.money.invoices.model import (
    AlreadyInvoiced,
    Bill,
    Billing,
    Event,
    Invoice,
    InvoiceLine,
    InvoiceState,
    KnownTitle,
    NotInvoiceable,
    TaxNumber,
    Title,
    TitleLimit,
)
from rest.money.invoices.tax import is_tax_no
from storage.base.errors import NotFound
from storage.tx import Tx

TITLES_MAX = 20


async def add_title(tx: Tx, account_id: str, title: Title) -> KnownTitle:
    """Raises TaxNumber, TitleLimit."""
    is_company = title.kind == "company"
    if is_company != (title.tax_no is not None) or (title.tax_no is not None and not is_tax_no(title.tax_no)):
        raise TaxNumber(field="tax_no")
    if await store.lock_titles(tx, account_id) >= TITLES_MAX:
        raise TitleLimit(titles_max=TITLES_MAX)
    known = KnownTitle(tx.new_id("ttl"), account_id, title, tx.now)
    await store.insert_title(tx, known)
    return known


async def forget_title(tx: Tx, title_id: str, account_id: str) -> None:
    """Invoices made out to it keep it. Raises NotFound."""
    if not await store.delete_title(tx, title_id, account_id):
        raise NotFound


async def request(
    tx: Tx, billing: Billing, *, account_id: str, title_id: str, order_ids: Sequence[str], tax_bps: int
) -> Invoice:
    """Ask for one invoice over these orders of one's own, for what they keep (RV-287).

    Raises NotFound, NotInvoiceable, AlreadyInvoiced (nothing else may be done in the transaction then).
    """
    known = await store.title(tx, title_id, account_id)
    if known is None:
        raise NotFound
    found = await billing.bills(tx, sorted(set(order_ids)))
    own = {bill.subject_id: bill for bill in found if bill.customer_id == account_id}
    if own.keys() != set(order_ids):
        raise NotFound
    bills = [own[order_id] for order_id in dict.fromkeys(order_ids)]
    for bill in bills:
        if await store.of_subject(tx, bill.subject_id) is not None:
            raise AlreadyInvoiced(order_id=bill.subject_id)
        if bill.kept_fen <= 0 or not bill.is_final:
            raise NotInvoiceable(order_id=bill.subject_id)
    return await ask(tx, account_id, known.title, bills, tax_bps=tax_bps)


async def ask(
    tx: Tx, account_id: str, title: Title, bills: Sequence[Bill], *, tax_bps: int, replaces_id: str | None = None
) -> Invoice:
    """A new invoice over these bills. Raises AlreadyInvoiced."""
    lines = tuple(
        InvoiceLine(n=n, subject_id=bill.subject_id, name=bill.name, amount_fen=0, tax_fen=0)
        for n, bill in enumerate(bills, start=1)
    )
    empty = Invoice(
        id=tx.new_id("inv"),
        account_id=account_id,
        title=title,
        state=InvoiceState.REQUESTED,
        tax_bps=tax_bps,
        amount_fen=0,
        tax_fen=0,
        needs_red=False,
        number=None,
        red_number=None,
        file_id=None,
        red_file_id=None,
        reason=None,
        reissue=False,
        replaces_id=replaces_id,
        version=1,
        requested_at=tx.now,
        changed_at=tx.now,
        lines=lines,
    )
    new = empty.amounting_to({bill.subject_id: bill.kept_fen for bill in bills})
    await store.insert(tx, new)
    await _note(tx, new, None, verb="request", actor=account_id)
    return new


async def refunded(tx: Tx, billing: Billing, subject_id: str) -> Invoice | None:
    """Money of this went back: the invoice over it shrinks, ends, or is marked for a red one. Again, nothing changes.

    None when nothing stands for it, or nothing changed.
    """
    bills = {bill.subject_id: bill.kept_fen for bill in await billing.bills(tx, [subject_id])}
    invoice_id = await store.of_subject(tx, subject_id)
    invoice = None if invoice_id is None else await store.lock(tx, invoice_id)
    if invoice is None:
        return None
    stands = {line.subject_id: line.amount_fen for line in invoice.lines if line.is_live}
    if subject_id not in stands or bills.get(subject_id, 0) >= stands[subject_id]:
        return None
    if invoice.state is InvoiceState.REQUESTED:
        return await reduced(tx, invoice, stands | bills)
    if invoice.needs_red:
        return None
    marked = replace(invoice.after("flag", tx.now), needs_red=True)
    return await moved(tx, invoice, marked, verb="flag", actor="system", detail=subject_id)


async def reduced(tx: Tx, invoice: Invoice, kept: dict[str, int]) -> Invoice:
    """A request for what is kept now; for nothing, it ends. Needs the locks of the orders and of the invoice."""
    smaller = invoice.amounting_to(kept)
    if smaller.amount_fen == 0:
        ended = replace(invoice.after("drop", tx.now), reason="refunded")
        return await moved(tx, invoice, ended, verb="drop", actor="system")
    detail = f"{invoice.amount_fen} → {smaller.amount_fen}"
    return await moved(tx, invoice, smaller.after("reduce", tx.now), verb="reduce", actor="system", detail=detail)


async def read_for_owner(tx: Tx, invoice_id: str, account_id: str) -> Invoice:
    """Raises NotFound."""
    found = await store.read(tx, invoice_id)
    if found is None or found.account_id != account_id:
        raise NotFound
    return found


async def moved(
    tx: Tx, before: Invoice, after: Invoice, *, verb: str, actor: str, detail: str | None = None
) -> Invoice:
    """Write a step and tell the customer. Needs the lock."""
    await store.save(tx, after)
    await _note(tx, after, before.state, verb=verb, actor=actor, detail=detail)
    return after


async def _note(
    tx: Tx, after: Invoice, was: InvoiceState | None, *, verb: str, actor: str, detail: str | None = None
) -> None:
    from_state = None if was is None else was.value
    event = Event(after.id, after.version, tx.now, actor, verb, from_state, after.state.value, detail)
    await store.insert_event(tx, event)
    fact = InvoiceChanged(
        invoice_id=after.id,
        state=after.state.value,
        version=after.version,
        amount=Money(after.amount_fen),
        needs_correction=after.needs_red,
        reason=after.reason,
    )
    tx.tell(fact, to=[f"customer:{after.account_id}"])
