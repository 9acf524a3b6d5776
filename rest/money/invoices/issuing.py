"""Verbs of finance and of the job. Lock order: orders (by `Billing`) → the invoice → files."""

from __future__ import annotations

from dataclasses import replace

from rest.money.invoices import store
from rest.money.invoices.actions import ask, moved, reduced
from rest.money.invoices.issuers import Paper
from rest.money.invoices.model import Bill, Billing, Invoice, InvoiceState, WrongInvoiceState
from storage import files
from storage.base.errors import NotFound
from storage.tx import Tx

PRINT = "invoice.print"
PURPOSE = "invoice"
"""Of the files: nobody can attach them to anything else."""


async def accept(tx: Tx, billing: Billing, invoice_id: str, *, number: str | None, by: str) -> Invoice:
    """Have it issued, for what its orders keep at this moment; a job asks the issuer.

    Where that is nothing any more it ends instead (state `rejected`). Raises WrongInvoiceState, InvoiceNumberUsed,
    NotFound.
    """
    invoice, bills = await _lock_all(tx, billing, invoice_id)
    kept = {bill.subject_id: bill.kept_fen for bill in bills}
    if invoice.state is InvoiceState.REQUESTED and invoice.amounting_to(kept) != invoice:
        invoice = await reduced(tx, invoice, kept)
        if invoice.state is not InvoiceState.REQUESTED:
            return invoice
    after = replace(invoice.after("accept", tx.now), number=number, reason=None)
    if number is not None:
        await store.take_number(tx, number, invoice.id)
    _ask_issuer(tx, invoice.id)
    return await moved(tx, invoice, after, verb="accept", actor=by, detail=number)


async def reject(tx: Tx, invoice_id: str, *, reason: str, by: str) -> Invoice:
    """It is not issued; its orders may be asked for again. Raises WrongInvoiceState, NotFound."""
    invoice = await _lock(tx, invoice_id)
    after = replace(invoice.after("reject", tx.now), reason=reason)
    return await moved(tx, invoice, after, verb="reject", actor=by, detail=reason)


async def void(tx: Tx, invoice_id: str, *, number: str | None, reason: str, reissue: bool, by: str) -> Invoice:
    """Take it back by a red invoice with this number; a job asks the issuer.

    `reissue`: for what its orders keep then, a new one is asked for at once. Raises as `accept`.
    """
    invoice = await _lock(tx, invoice_id)
    after = replace(invoice.after("void", tx.now), red_number=number, reason=reason, reissue=reissue)
    if number is not None:
        await store.take_number(tx, number, invoice.id)
    _ask_issuer(tx, invoice.id)
    return await moved(tx, invoice, after, verb="void", actor=by, detail=reason)


async def issued(tx: Tx, invoice_id: str, paper: Paper) -> Invoice:
    """The issuer gave the paper. Once: again, nothing happens. Raises InvoiceNumberUsed."""
    invoice = await _lock(tx, invoice_id)
    if invoice.state is not InvoiceState.ISSUING:
        return invoice
    await store.take_number(tx, paper.number, invoice.id)
    file_id = await _keep(tx, invoice, paper)
    after = replace(invoice.after("issue", tx.now), number=paper.number, file_id=file_id)
    return await moved(tx, invoice, after, verb="issue", actor="system", detail=paper.number)


async def voided(tx: Tx, billing: Billing, invoice_id: str, paper: Paper) -> Invoice:
    """The issuer gave the red paper: the orders are free, or asked for anew. Once. Raises InvoiceNumberUsed."""
    invoice, bills = await _lock_all(tx, billing, invoice_id)
    if invoice.state is not InvoiceState.VOIDING:
        return invoice
    await store.take_number(tx, paper.number, invoice.id)
    file_id = await _keep(tx, invoice, paper)
    after = invoice.after("finish_void", tx.now)
    after = replace(after, red_number=paper.number, red_file_id=file_id, needs_red=False)
    await moved(tx, invoice, after, verb="finish_void", actor="system", detail=paper.number)
    kept = [bill for bill in bills if bill.kept_fen > 0]
    if invoice.reissue and kept:
        await ask(tx, invoice.account_id, invoice.title, kept, tax_bps=invoice.tax_bps, replaces_id=invoice.id)
    return after


async def refused(tx: Tx, invoice_id: str, reason: str) -> Invoice:
    """The issuer will not: finance decides again. Raises WrongInvoiceState, NotFound."""
    invoice = await _lock(tx, invoice_id)
    after = replace(invoice.after("refuse", tx.now), reason=reason[:200], reissue=False)
    if after.state is InvoiceState.REQUESTED:
        after = replace(after, number=None, needs_red=False)  # what it stands for is read again when it is accepted
    else:
        after = replace(after, red_number=None)
    return await moved(tx, invoice, after, verb="refuse", actor="system", detail=reason[:200])


async def read(tx: Tx, invoice_id: str) -> Invoice:
    """For finance. Raises NotFound."""
    found = await store.read(tx, invoice_id)
    if found is None:
        raise NotFound
    return found


def _ask_issuer(tx: Tx, invoice_id: str) -> None:
    tx.schedule(PRINT, f"invoice:{invoice_id}", tx.now, {"invoice_id": invoice_id})


async def _keep(tx: Tx, invoice: Invoice, paper: Paper) -> str:
    file = await files.keep(
        tx,
        paper.content,
        owner_id=invoice.account_id,
        purpose=PURPOSE,
        media_type=paper.media_type,
        name=f"invoice-{paper.number}.pdf",
        subject_id=invoice.id,
    )
    return file.id


async def _lock(tx: Tx, invoice_id: str) -> Invoice:
    found = await store.lock(tx, invoice_id)
    if found is None:
        raise NotFound
    return found


async def _lock_all(tx: Tx, billing: Billing, invoice_id: str) -> tuple[Invoice, list[Bill]]:
    """The orders first; an invoice only ever loses some, so these are all it has."""
    bills = await billing.bills(tx, (await read(tx, invoice_id)).subjects)
    return await _lock(tx, invoice_id), bills


__all__ = ["PRINT", "WrongInvoiceState", "accept", "issued", "read", "refused", "reject", "void", "voided"]
