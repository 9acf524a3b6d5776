"""Orders that were paid, an issuer of one's own, and invoices over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from rest.money.invoices import INVOICING, Invoice, Invoicing, IssuerRefused, Paper
from rest.money.invoices.issuers import InvoiceIssuer, PaperIssuer
from rest.money.invoices.jobs import outside_jobs
from rest.money.invoices.routes import ROUTES
from rest.money.invoices.rules import InvoiceRules
from rest.papers.press import Press
from rest.people.files.routes import ROUTES as FILES
from rest.trade.billing import SUBSCRIBERS, OrderBills
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.homeservice.conftest import new_town, town
from tests.money.serving import serve
from tests.papers.conftest import font, settings

__all__ = ["font", "new_town", "settings", "town"]

PEOPLE = {"ann": [], "ben": [], "fay": ["finance"], "sue": ["support"], **{f"cust{n}": [] for n in range(9)}}
TAX_NO = "91350100M000100Y43"
RULES = InvoiceRules(seller_name="某某科技有限公司", seller_tax_no="91110000802100433B")


class Stamp:
    """An issuer that draws its own numbers, as a provider does, and refuses what it is told to."""

    numbers_come_from_finance = False

    def __init__(self) -> None:
        self.refuses, self.asked = False, 0

    async def issue(self, invoice: Invoice) -> Paper:
        return self._stamped(f"blue-{invoice.id[-8:]}")

    async def void(self, invoice: Invoice) -> Paper:
        return self._stamped(f"red-{invoice.id[-8:]}")

    def _stamped(self, number: str) -> Paper:
        self.asked += 1
        if self.refuses:
            raise IssuerRefused("the tax office is closed")
        return Paper(number, "application/pdf", b"%PDF-" + number.encode())


@dataclass
class Counter:
    """Where invoices are asked for and issued."""

    db: Database
    client: Client
    runner: JobRunner
    issuer: Any
    made: int = 0
    keys: int = 0
    orders: list[str] = field(default_factory=list)

    async def order(self, kept: int, *, who: str = "ann", line: str = "homeservice", closed: bool = True) -> str:
        """An order that has ended, with this much paid."""
        self.made += 1
        async with self.db.begin() as tx:
            order_id = tx.new_id("ord")
            await tx.execute(
                """
                INSERT INTO orders (id, no, line, kind, mode, customer_id, status, version, total_fen, paid_fen,
                                    snapshot, created_at, updated_at, closed_at)
                VALUES ($1, $2, $3, 'visit', 'pool', $4, 'completed', 1, $5, $5, '{}', $6, $6, $7)
                """,
                order_id, f"26010{self.made:06}", line, f"acc_{who}", kept, tx.now, tx.now if closed else None,
            )  # fmt: skip
        self.orders.append(order_id)
        return order_id

    async def give_back(self, order_id: str, fen: int) -> None:
        """Money of the order goes back; what hears of it is called by the test."""
        async with self.db.begin() as tx:
            await tx.execute("UPDATE orders SET refunded_fen = refunded_fen + $2 WHERE id = $1", order_id, fen)

    async def post(self, path: str, body: Any = None, *, who: str = "ann") -> Any:
        self.keys += 1
        key = {"Idempotency-Key": f"invoice-key-{self.keys:06}"}
        return await self.client.as_(who).send("POST", path, json=body, headers=key)

    async def get(self, path: str, *, who: str = "ann") -> Any:
        return await self.client.as_(who).send("GET", path)

    async def title(self, *, who: str = "ann", **changed: Any) -> str:
        body = {"kind": "company", "name": "安氏商贸", "tax_no": TAX_NO} | changed
        status, _, title = await self.post("/v1/invoice_titles", body, who=who)
        assert status == 201, title
        return str(title["id"])

    async def ask(self, *order_ids: str, title: str | None = None, who: str = "ann") -> Any:
        body = {"title_id": title or await self.title(who=who), "order_ids": list(order_ids)}
        return await self.post("/v1/invoices", body, who=who)

    async def step(self, invoice: Any, verb: str, *, who: str = "fay", **body: Any) -> Any:
        return await self.post(f"/v1/admin/invoices/{invoice['id']}/{verb}", body, who=who)

    async def work(self) -> None:
        await self.runner.drain()

    async def now(self, invoice: Any) -> Any:
        status, _, found = await self.get(f"/v1/admin/invoices/{invoice['id']}", who="fay")
        assert status == 200
        return found


async def open_counter(db: Database, settings: Settings, issuer: InvoiceIssuer) -> AsyncIterator[Counter]:
    invoicing = Invoicing(OrderBills(), issuer, RULES)

    def wire(app: web.Application) -> None:
        app[INVOICING] = invoicing

    runner = JobRunner(db, settings, {}, outside=outside_jobs(db, invoicing), subscribers=SUBSCRIBERS)
    async with serve(db, settings, [*ROUTES, *FILES], PEOPLE, wire) as client:
        yield Counter(db, client, runner, issuer)


@pytest.fixture
async def counter(db: Database, settings: Settings) -> AsyncIterator[Counter]:
    """With an issuer that draws its own numbers."""
    async for one in open_counter(db, settings, Stamp()):
        yield one


@pytest.fixture
async def paper_counter(db: Database, settings: Settings) -> AsyncIterator[Counter]:
    """With the issuer that prints here."""
    async for one in open_counter(db, settings, PaperIssuer(Press(settings), RULES)):
        yield one
