"""What the application gives invoices: who has what is paid for, and who issues."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from rest.money.invoices.issuers import InvoiceIssuer
from rest.money.invoices.model import Billing
from rest.money.invoices.rules import InvoiceRules


@dataclass(frozen=True, slots=True)
class Invoicing:
    """The parts of one process."""

    billing: Billing
    issuer: InvoiceIssuer
    rules: InvoiceRules


INVOICING = web.AppKey("invoicing", Invoicing)
