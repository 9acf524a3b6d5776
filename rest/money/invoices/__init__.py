"""Invoices: a paper for what was paid and kept, made out to a title (RV-287).

Tables    invoice_titles (never changed), invoices, invoice_lines, invoice_events, invoice_numbers
States    requested → issuing → issued → voiding → voided; requested → rejected (model.TRANSITIONS)
Calls     whoever has what is paid for, through `Billing`; the issuer, in a job; storage.files
Tells     invoice.changed, to the customer
Jobs      invoice.print asks the issuer for the paper, or for the red one that takes it back
Promises  one order is invoiced once, until its invoice is rejected or voided; the amount is what was paid less what was
          given back at the moment it is accepted; money given back later marks it for a red invoice; tax is split over
          the lines to the fen; a number is given once; every step has its author and reason
Source    RV-287, FR-171 to FR-173
"""

from rest.money.invoices.actions import add_title, forget_title, read_for_owner, refunded, request
from rest.money.invoices.issuers import InvoiceIssuer, IssuerRefused, Paper, PaperIssuer
from rest.money.invoices.issuing import accept, read, reject, void
from rest.money.invoices.model import (
    AlreadyInvoiced,
    Bill,
    Billing,
    Invoice,
    InvoiceNumberUsed,
    InvoiceState,
    NotInvoiceable,
    TaxNumber,
    Title,
    TitleLimit,
    WrongInvoiceState,
)
from rest.money.invoices.wiring import INVOICING, Invoicing

__all__ = [
    "INVOICING",
    "AlreadyInvoiced",
    "Bill",
    "Billing",
    "Invoice",
    "InvoiceIssuer",
    "InvoiceNumberUsed",
    "InvoiceState",
    "Invoicing",
    "IssuerRefused",
    "NotInvoiceable",
    "Paper",
    "PaperIssuer",
    "TaxNumber",
    "Title",
    "TitleLimit",
    "WrongInvoiceState",
    "accept",
    "add_title",
    "forget_title",
    "read",
    "read_for_owner",
    "refunded",
    "reject",
    "request",
    "void",
]
