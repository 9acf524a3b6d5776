"""Asking the issuer, between two transactions."""

from __future__ import annotations

from typing import Any

from rest.money.invoices import issuing
from rest.money.invoices.issuers import IssuerRefused
from rest.money.invoices.model import InvoiceNumberUsed, InvoiceState
from rest.money.invoices.wiring import Invoicing
from rest.papers.press import NoFont, PaperFailed, PaperTooLarge
from storage.jobs import OutsideHandler
from storage.postgres import Database


def outside_jobs(db: Database, invoicing: Invoicing) -> dict[str, OutsideHandler]:
    """Kind to job, for the runner's `outside`."""

    async def print_paper(payload: dict[str, Any]) -> None:
        """Where the issuer cannot be reached this raises, and the runner comes back."""
        invoice_id = payload["invoice_id"]
        invoice = await db.run(issuing.read, invoice_id)
        try:
            if invoice.state is InvoiceState.ISSUING:
                await db.run(issuing.issued, invoice_id, await invoicing.issuer.issue(invoice))
            elif invoice.state is InvoiceState.VOIDING:
                paper = await invoicing.issuer.void(invoice)
                await db.run(issuing.voided, invoicing.billing, invoice_id, paper)
        except (IssuerRefused, InvoiceNumberUsed, NoFont, PaperFailed, PaperTooLarge) as refusal:
            await db.run(issuing.refused, invoice_id, str(refusal))

    return {issuing.PRINT: print_paper}
