"""Invoices over HTTP, on real tables: once per order, for what is kept, and taken back by red ones (RV-287)."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from pypdf import PdfReader

from rest.lines.homeservice import actions as homeservice
from rest.money import invoices
from rest.money.invoices import issuing
from rest.trade.billing import OrderBills
from tests.homeservice.conftest import Town
from tests.invoices.conftest import TAX_NO, Counter

ADMIN = "/v1/admin/invoices"


async def verify(counter: Counter) -> list[str]:
    """What must be true of invoices at every moment."""
    async with counter.db.begin() as tx:
        return [row[0] for row in await tx.fetch(CHECKS)]


# ruff: noqa: E501 - SQL reads better unbroken
CHECKS = """
    SELECT 'sum: ' || i.id FROM invoices i JOIN invoice_lines l ON l.invoice_id = i.id
     GROUP BY i.id HAVING sum(l.amount_fen) <> i.amount_fen OR sum(l.tax_fen) <> i.tax_fen
    UNION ALL SELECT 'events: ' || i.id FROM invoices i WHERE i.version <> (SELECT count(*) FROM invoice_events e WHERE e.invoice_id = i.id)
    UNION ALL SELECT 'live after its end: ' || l.invoice_id FROM invoice_lines l JOIN invoices i ON i.id = l.invoice_id
     WHERE l.is_live AND i.state IN ('rejected', 'voided')
    UNION ALL SELECT 'says too much: ' || i.id FROM invoices i JOIN invoice_lines l ON l.invoice_id = i.id AND l.is_live JOIN orders o ON o.id = l.subject_id
     WHERE l.amount_fen > o.paid_fen - o.refunded_fen AND NOT i.needs_red AND i.state <> 'requested'
    UNION ALL SELECT 'number: ' || i.id FROM invoices i WHERE i.number IS NOT NULL AND NOT EXISTS (SELECT FROM invoice_numbers n WHERE n.number = i.number AND n.invoice_id = i.id)
    UNION ALL SELECT 'paper: ' || i.id FROM invoices i WHERE i.file_id IS NOT NULL AND NOT EXISTS (SELECT FROM files f WHERE f.id = i.file_id AND f.subject_id = i.id)
"""


async def issue(counter: Counter, *order_ids: str) -> Any:
    """An issued invoice over these."""
    _, _, asked = await counter.ask(*order_ids)
    assert (await counter.step(asked, "accept"))[0] == 200
    await counter.work()
    found = await counter.now(asked)
    assert found["state"] == "issued", found
    return found


async def test_from_the_orders_to_the_paper(paper_counter: Counter, font: str) -> None:
    counter = paper_counter
    first, second = await counter.order(10_600), await counter.order(33)
    await counter.give_back(first, 600)
    status, headers, asked = await counter.ask(first, second)
    assert (status, asked["state"], asked["amount"]["amount"], asked["tax"]["amount"]) == (
        201,
        "requested",
        10_033,
        568,
    )
    assert [(line["amount"]["amount"], line["tax"]["amount"]) for line in asked["lines"]] == [(10_000, 566), (33, 2)]
    assert (await counter.get(f"/v1/invoices/{asked['id']}/file"))[0] == 404
    assert (await counter.step(asked, "accept"))[0] == 400, "finance draws the numbers here"
    status, _, accepted = await counter.step(asked, "accept", number="26512000000012345678")
    assert (status, accepted["state"]) == (200, "issuing")
    await counter.work()
    status, _, mine = await counter.get(headers["Location"])
    assert (mine["state"], mine["number"], mine["has_file"]) == ("issued", "26512000000012345678", True)
    status, headers, raw = await counter.get(f"/v1/invoices/{asked['id']}/file")
    assert (status, headers["Content-Type"]) == (200, "application/pdf")
    text = PdfReader(io.BytesIO(raw)).pages[0].extract_text()
    for word in (
        "26512000000012345678",
        "安氏商贸",
        TAX_NO,
        "某某科技有限公司",
        "6.00%",
        "100.33",
        "5.68",
        "94.65",
        first,
    ):
        assert word in text
    told = [event["verb"] for event in (await counter.now(asked))["events"]]
    assert told == ["request", "accept", "issue"]
    assert await verify(counter) == []


async def test_a_red_invoice_takes_it_back_and_a_new_one_is_asked_for(paper_counter: Counter, font: str) -> None:
    counter = paper_counter
    order = await counter.order(20_000)
    _, _, asked = await counter.ask(order)
    await counter.step(asked, "accept", number="blue-0001")
    await counter.work()
    await counter.give_back(order, 5_000)
    await counter.db.run(invoices.refunded, OrderBills(), order)
    (marked,) = (await counter.get(f"{ADMIN}?needs_correction=true", who="fay"))[2]["data"]
    assert (marked["id"], marked["state"]) == (asked["id"], "issued")
    status, _, voiding = await counter.step(asked, "void", number="red-0001", reason="部分退款", reissue=True)
    assert (status, voiding["state"]) == (200, "voiding")
    again = await counter.step(asked, "void", number="red-0002", reason="部分退款")
    assert (again[0], again[2]["code"]) == (409, "invoice_state")
    await counter.work()
    voided = await counter.now(asked)
    assert (voided["state"], voided["needs_correction"], voided["red_number"]) == ("voided", False, "red-0001")
    text = PdfReader(io.BytesIO((await counter.get(f"/v1/invoices/{asked['id']}/file"))[2])).pages[0].extract_text()
    assert "红字发票" in text
    assert "-200.00" in text
    new = (await counter.get("/v1/invoices?state=requested"))[2]["data"]
    assert [(one["replaces_id"], one["amount"]["amount"]) for one in new] == [(asked["id"], 15_000)]
    assert await verify(counter) == []


async def test_one_order_is_invoiced_once_even_in_a_race(counter: Counter) -> None:
    orders = [await counter.order(1_000 + n) for n in range(4)]
    title = await counter.title()
    pairs = [(orders[n % 4], orders[(n + 1) % 4]) for n in range(12)]
    answers = await asyncio.gather(*(counter.ask(*pair, title=title) for pair in pairs))
    assert {status for status, _, _ in answers} <= {201, 409}
    assert {body["code"] for status, _, body in answers if status == 409} == {"already_invoiced"}
    async with counter.db.begin() as tx:
        rows = await tx.fetch("SELECT subject_id FROM invoice_lines WHERE is_live")
        assert len(rows) == len(set(rows)) == 2 * sum(status == 201 for status, _, _ in answers)
    assert await verify(counter) == []


async def test_a_rejected_invoice_frees_its_orders(counter: Counter) -> None:
    order = await counter.order(1_000)
    _, _, asked = await counter.ask(order)
    assert (await counter.ask(order))[2]["code"] == "already_invoiced"
    assert (await counter.step(asked, "reject", reason="抬头有误"))[2]["reason"] == "抬头有误"
    assert (await counter.ask(order))[0] == 201
    assert await verify(counter) == []


async def test_what_cannot_be_invoiced_is_refused(counter: Counter) -> None:
    free, others, running = (
        await counter.order(0),
        await counter.order(500, who="ben"),
        await counter.order(9, closed=False),
    )
    good, refunded = await counter.order(700), await counter.order(800)
    await counter.give_back(refunded, 800)
    for order, status, code in (
        (free, 422, "not_invoiceable"),
        (running, 422, "not_invoiceable"),
        (refunded, 422, "not_invoiceable"),
        (others, 404, "not_found"),
        ("ord_00000000000000000000000000", 404, "not_found"),
    ):
        found, _, problem = await counter.ask(good, order)
        assert (found, problem["code"]) == (status, code)
    assert (await counter.ask(good, title=await counter.title(who="ben")))[0] == 404
    assert (await counter.ask(good, good))[0] == 201


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "company", "name": "安"}, "tax_number"),
        ({"kind": "company", "name": "安", "tax_no": "91350100M000100Y44"}, "tax_number"),
        ({"kind": "personal", "name": "安", "tax_no": TAX_NO}, "tax_number"),
        ({"kind": "company", "name": "安", "tax_no": "123"}, "invalid_input"),
        ({"kind": "company", "name": "", "tax_no": TAX_NO}, "invalid_input"),
    ],
)
async def test_a_title_that_is_none_is_refused(counter: Counter, body: dict[str, str], code: str) -> None:
    status, _, problem = await counter.post("/v1/invoice_titles", body)
    assert (status, problem["code"]) == (400, code)


async def test_titles_are_one_s_own_and_few(counter: Counter) -> None:
    mine = await counter.title(kind="personal", tax_no=None)
    assert (await counter.client.as_("ben").send("DELETE", f"/v1/invoice_titles/{mine}"))[0] == 404
    answers = await asyncio.gather(
        *(counter.post("/v1/invoice_titles", {"kind": "personal", "name": f"n{n}"}) for n in range(24))
    )
    assert [status for status, _, _ in answers].count(201) == 19
    assert {body["code"] for status, _, body in answers if status == 409} == {"title_limit"}
    assert (await counter.client.as_("ann").send("DELETE", f"/v1/invoice_titles/{mine}"))[0] == 204


async def test_nobody_sees_or_decides_what_is_not_his(counter: Counter) -> None:
    one = await issue(counter, await counter.order(1_000))
    for path in ("", "/file"):
        assert (await counter.get(f"/v1/invoices/{one['id']}{path}", who="ben"))[0] == 404
        assert (await counter.get(f"{ADMIN}/{one['id']}{path}", who="sue"))[0] == 403
        assert (await counter.get(f"{ADMIN}/{one['id']}{path}", who="fay"))[0] == 200
    assert (await counter.get("/v1/invoices", who="ben"))[2]["data"] == []
    assert (await counter.step(one, "void", reason="x", who="ann"))[0] == 403


# Refunds


async def test_a_request_follows_what_is_given_back_to_its_end(counter: Counter) -> None:
    first, second = await counter.order(10_000), await counter.order(5_000)
    _, _, asked = await counter.ask(first, second)
    for fen, amount, state in ((4_000, 11_000, "requested"), (6_000, 5_000, "requested")):
        await counter.give_back(first, fen)
        await counter.db.run(invoices.refunded, OrderBills(), first)
        await counter.db.run(invoices.refunded, OrderBills(), first)  # the news may come twice
        found = await counter.now(asked)
        assert (found["amount"]["amount"], found["state"]) == (amount, state)
    await counter.give_back(second, 5_000)
    await counter.db.run(invoices.refunded, OrderBills(), second)
    found = await counter.now(asked)
    assert (found["state"], found["reason"], found["amount"]["amount"]) == ("rejected", "refunded", 5_000)
    assert [event["verb"] for event in found["events"]] == ["request", "reduce", "reduce", "drop"]
    assert await verify(counter) == []


async def test_what_is_accepted_is_what_is_kept_at_that_moment(counter: Counter) -> None:
    """Although nobody has told the invoice yet."""
    part, whole = await counter.order(10_000), await counter.order(3_000)
    _, _, first = await counter.ask(part)
    _, _, second = await counter.ask(whole)
    await counter.give_back(part, 1_000)
    await counter.give_back(whole, 3_000)
    assert (await counter.step(first, "accept"))[2]["amount"]["amount"] == 9_000
    assert (await counter.step(second, "accept"))[2]["state"] == "rejected"
    await counter.work()
    assert (await counter.now(first))["state"] == "issued"
    assert counter.issuer.asked == 1
    assert await verify(counter) == []


async def test_a_refund_of_the_line_marks_the_invoice(counter: Counter, town: Town) -> None:
    """Through the order's own fact."""
    tech = await town.technician()
    customer = await town.customer(fen=1_000_000)
    job, _ = await town.in_status("completed", tech, customer_id=customer)
    who = customer.removeprefix("acc_")
    status, _, asked = await counter.ask(job.order.id, who=who)
    assert (status, asked["amount"]["amount"]) == (201, job.order.kept_fen)
    await counter.step(asked, "accept")
    await counter.work()
    assert (await counter.now(asked))["needs_correction"] is False
    await town.db.run(homeservice.refund, job.order.id, "acc_fay", 1_000, "complaint")
    await counter.work()
    assert (await counter.now(asked))["needs_correction"] is True
    told = await town.heard(f"customer:{customer}", "invoice.changed")
    assert [(one["state"], one["needs_correction"]) for one in told] == [
        ("requested", False), ("issuing", False), ("issued", False), ("issued", True),
    ]  # fmt: skip
    assert await verify(counter) == []
    assert await town.faults() == []


async def test_a_refund_waits_for_a_request_that_is_being_written(counter: Counter) -> None:
    """Else its news would find no invoice, and the invoice would not know of it."""
    order, title = await counter.order(10_000), await counter.title()

    async def back() -> None:
        await counter.give_back(order, 2_500)
        await counter.db.run(invoices.refunded, OrderBills(), order)

    async with counter.db.begin() as tx:
        asked = await invoices.request(
            tx, OrderBills(), account_id="acc_ann", title_id=title, order_ids=[order], tax_bps=600
        )
        going = asyncio.create_task(back())
        await asyncio.wait([going], timeout=0.2)
    await going
    assert (await counter.now({"id": asked.id}))["amount"]["amount"] == 7_500
    assert await verify(counter) == []


@pytest.mark.parametrize("n", range(4))
async def test_refunds_and_acceptance_race_and_the_invoice_never_says_too_much(counter: Counter, n: int) -> None:
    order = await counter.order(10_000)
    _, _, asked = await counter.ask(order)

    async def back() -> None:
        await asyncio.sleep(0.002 * n)
        await counter.give_back(order, 2_500)
        await counter.db.run(invoices.refunded, OrderBills(), order)

    await asyncio.gather(back(), counter.step(asked, "accept"), back(), counter.work())
    await counter.work()
    found = await counter.now(asked)
    assert found["state"] == "issued"
    assert found["needs_correction"] is (found["amount"]["amount"] > 5_000)
    assert await verify(counter) == []


# The issuer


async def test_an_issuer_that_refuses_gives_it_back_to_finance(counter: Counter) -> None:
    order = await counter.order(1_000)
    _, _, asked = await counter.ask(order)
    counter.issuer.refuses = True
    await counter.step(asked, "accept")
    await counter.work()
    found = await counter.now(asked)
    assert (found["state"], found["reason"]) == ("requested", "the tax office is closed")
    counter.issuer.refuses = False
    await counter.step(asked, "accept")
    await counter.work()
    counter.issuer.refuses = True
    assert (await counter.step(asked, "void", reason="wrong title"))[2]["state"] == "voiding"
    await counter.give_back(order, 100)
    await counter.db.run(invoices.refunded, OrderBills(), order)
    await counter.work()
    found = await counter.now(asked)
    assert (found["state"], found["needs_correction"]) == ("issued", True)
    assert await verify(counter) == []


async def test_the_paper_of_a_repeated_job_is_kept_once(counter: Counter) -> None:
    _, _, asked = await counter.ask(await counter.order(1_000))
    await counter.step(asked, "accept")
    invoice = await counter.db.run(issuing.read, asked["id"])
    paper = await counter.issuer.issue(invoice)
    await asyncio.gather(*(counter.db.run(issuing.issued, invoice.id, paper) for _ in range(5)))
    async with counter.db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM files") == 1
    assert (await counter.now(asked))["version"] == 3
    assert await verify(counter) == []


async def test_a_number_is_given_once_even_in_a_race(paper_counter: Counter) -> None:
    counter = paper_counter
    asked = [(await counter.ask(await counter.order(1_000)))[2] for _ in range(5)]
    answers = await asyncio.gather(*(counter.step(one, "accept", number="same-0001") for one in asked))
    assert sorted(status for status, _, _ in answers) == [200, 409, 409, 409, 409]
    assert {body["code"] for status, _, body in answers if status == 409} == {"invoice_number_used"}
