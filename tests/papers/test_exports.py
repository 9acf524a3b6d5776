"""Exports over HTTP and through the job: whose rows, which sums, and what happens when things go wrong."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from aiohttp import web
from pypdf import PdfReader

from rest.app import EXPORT_KINDS
from rest.money import ledger, wallet, withdrawals
from rest.money.withdrawals import Owner, Payee, PayoutMethod
from rest.money.withdrawals.rules import WithdrawalRules
from rest.papers.exports import EXPORTS, ExportDesk, Kind, Wanted, actions
from rest.papers.exports.model import ATTEMPTS_MAX, TRANSITIONS, VERBS, Export, ExportState, Filters, WrongExportState
from rest.papers.exports.routes import routes
from rest.papers.press import Press
from rest.papers.sheet import Column, Format, Row
from rest.people.files.routes import ROUTES as FILES
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from storage.tx import Tx
from tests.conftest import MONDAY
from tests.edge.conftest import Client
from tests.money.serving import serve
from tests.money.settling import WORKER, Shop
from tests.papers.conftest import Office, office_of

PEOPLE = {"ann": [], "ben": [], "fay": ["finance"], "sue": ["support"], "opal": ["ops"], "tina": ["tenant_admin"]}


@pytest.fixture
async def client(db: Database, settings: Settings, office: Office) -> AsyncIterator[Client]:
    def wire(app: web.Application) -> None:
        app[EXPORTS] = office.desk

    async with serve(db, settings, [*routes(), *FILES], PEOPLE, wire) as client:
        yield client


async def ask(client: Client, kind: str, made_as: str = "csv", *, who: str = "fay", n: int = 1, **filters: Any) -> Any:
    return await client.as_(who).send(
        "POST", "/v1/exports", json={"kind": kind, "format": made_as, "filters": filters},
        headers={"Idempotency-Key": f"export-key-{n:06}", "Accept-Language": "en"},
    )  # fmt: skip


async def made(client: Client, office: Office, *asked: Any, who: str = "fay", **filters: Any) -> bytes:
    """The file of an export asked for now."""
    status, headers, export = await ask(client, *asked, who=who, **filters)
    assert (status, export["state"]) == (202, "waiting"), export
    await office.work()
    _, _, export = await client.as_(who).send("GET", headers["Location"])
    assert export["state"] == "done", export
    status, _, raw = await client.as_(who).send("GET", export["file_url"])
    assert status == 200
    return bytes(raw)


def table(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))


def fen(text: str) -> int:
    return int(Decimal(text) * 100)


async def busy_month(db: Database) -> Shop:
    """Orders settled, one refunded in part, one wholly."""
    shop = Shop(db)
    for n in range(7):
        await shop.order(kept=10_000 + 333 * n, item=9_000 + 333 * n, travel=1_000)
    await shop.order(worker="wrk_li", kept=5_000, item=5_000)
    await shop.refund(shop.orders[0], 7_777)
    await shop.refund(shop.orders[1], 0)
    return shop


# Sums


async def test_the_sums_on_paper_are_those_of_the_book(client: Client, office: Office, db: Database) -> None:
    shop = await busy_month(db)
    *lines, total = table(await made(client, office, "settlement_statement"))
    by_party: dict[str, int] = {}
    for line in lines:
        by_party[line["Party"]] = by_party.get(line["Party"], 0) + fen(line["Amount"])
    assert by_party[f"worker:{WORKER}"] == await shop.balance(ledger.pending("worker", WORKER))
    assert by_party["platform:homeservice"] == await shop.balance(ledger.revenue("homeservice"))
    assert fen(total["Amount"]) == sum(by_party.values())
    *lines, total = table(await made(client, office, "settlements", "csv", n=2))
    assert (len(lines), fen(total["Kept"])) == (8, sum(by_party.values()))
    *lines, total = table(await made(client, office, "settlements", "csv", n=3, party="worker:wrk_li"))
    assert ([line["Technician"] for line in lines], total["Kept"]) == (["wrk_li"], "50.00")
    assert await shop.faults() == []


async def test_one_s_own_wallet_adds_up_to_its_balance(
    client: Client, office: Office, db: Database, clock: ManualClock
) -> None:
    for n in range(5):
        await db.run(wallet.credit, "acc_ann", 1_001 + n, f"gift:{n}", "=HYPERLINK(1)")
        clock.advance(hours=1)
    await db.run(wallet.pay, "acc_ann", "ord_1", 2_000, "ord_1:paid")
    *lines, total = table(await made(client, office, "wallet_entries", who="ann"))
    assert fen(total["Amount"]) == fen(lines[0]["Balance after"]) == await db.run(wallet.balance, "acc_ann")
    assert {line["Note"] for line in lines[1:]} == {"'=HYPERLINK(1)"}
    since = MONDAY.replace(hour=MONDAY.hour + 2).isoformat()
    *lines, _ = table(await made(client, office, "ledger_entries", "csv", n=2, account="customer:acc_ann:wallet",
                                 since=since))  # fmt: skip
    assert len(lines) == 4


async def test_all_formats_say_the_same(client: Client, office: Office, db: Database, font: str) -> None:
    await busy_month(db)
    *lines, total = table(await made(client, office, "settlements"))
    sheet: Any = openpyxl.load_workbook(
        io.BytesIO(await made(client, office, "settlements", "xlsx", n=2))
    ).active  # fmt: skip
    found = [row for row in sheet.iter_rows(values_only=True) if row[1] in {line["Order"] for line in lines}]
    assert [round(row[8] * 100) for row in found] == [fen(line["Kept"]) for line in lines]
    assert sheet.cell(sheet.max_row, 9).value == float(total["Kept"])
    paper = PdfReader(io.BytesIO(await made(client, office, "settlements", "pdf", n=3)))
    text = paper.pages[-1].extract_text()
    assert total["Kept"] in text
    assert all(line["Order"] in text for line in lines)


async def test_withdrawals_are_listed_with_masked_numbers(client: Client, office: Office, db: Database) -> None:
    await db.run(wallet.credit, "acc_ann", 500_000, "gift", "test")
    for n in (1_000, 300_000):
        await db.run(
            withdrawals.request, WithdrawalRules(), Owner("customer", "acc_ann"), account_id="acc_ann", amount_fen=n,
            payee=Payee(method=PayoutMethod.BANK, name="Ann", number="6222020200112233445"),
        )  # fmt: skip
    raw = await made(client, office, "withdrawals", state="review")
    (line, total) = table(raw)
    assert (line["Amount"], line["Number"], total["Amount"]) == ("3000.00", "****3445", "3000.00")
    assert b"6222" not in raw
    assert (await ask(client, "withdrawals", n=2, state="nonsense"))[0] == 400


# Who and which


async def test_nobody_has_what_is_not_his(client: Client, office: Office, db: Database) -> None:
    await db.run(wallet.credit, "acc_ben", 5_000, "gift", "test")
    mine = ("settlements", "settlement_statement", "withdrawals", "ledger_entries", "technician_statement")
    for kind in (*mine, "orders", "cases", "refunds"):
        assert (await ask(client, kind, who="sue"))[2]["code"] == "forbidden"
    others = (("tina", "orders"), ("tina", "cases"), ("tina", "refunds"), ("fay", "cases"), ("opal", "refunds"))
    for who, kind in others:
        assert (await ask(client, kind, who=who))[2]["code"] == "forbidden"
    assert (await ask(client, "nothing"))[2]["code"] == "export_kind"
    _, headers, export = await ask(client, "wallet_entries", who="ben")
    await office.work()
    _, _, export = await client.as_("ben").send("GET", headers["Location"])
    for path in (headers["Location"], export["file_url"]):
        assert (await client.as_("ann").send("GET", path))[0] == 404
        assert (await client.as_("fay").send("GET", path))[0] == 404
    assert (await client.as_("ann").send("GET", "/v1/exports"))[2]["data"] == []
    kinds = (await client.as_("ann").send("GET", "/v1/export_kinds"))[2]["data"]
    assert [kind["kind"] for kind in kinds] == ["wallet_entries"]


@pytest.mark.parametrize(
    ("kind", "filters", "field"),
    [
        ("settlements", {"state": "x"}, "filters.state"),
        ("ledger_entries", {}, "filters.account"),
        ("ledger_entries", {"account": "platform:topup"}, "filters.account"),
        ("ledger_entries", {"account": "nonsense"}, "filters.account"),
        ("wallet_entries", {"account": "customer:acc_ben:wallet"}, "filters.account"),
    ],
)
async def test_filters_that_are_not_the_kind_s_are_refused(
    client: Client, kind: str, filters: dict[str, str], field: str
) -> None:
    status, _, problem = await ask(client, kind, **filters)
    assert (status, problem["code"], problem["field"]) == (400, "invalid_input", field)


async def test_one_account_has_few_waiting_even_in_a_race(client: Client, office: Office) -> None:
    answers = await asyncio.gather(*(ask(client, "wallet_entries", who="ann", n=n) for n in range(8)))
    assert sorted(status for status, _, _ in answers) == [202] * 3 + [429] * 5
    assert (await ask(client, "wallet_entries", who="ben"))[0] == 202
    await office.work()
    assert (await ask(client, "wallet_entries", who="ann", n=20))[0] == 202
    repeated = [await ask(client, "wallet_entries", who="ann", n=21) for _ in range(2)]
    assert repeated[0][2]["id"] == repeated[1][2]["id"]


async def test_pdf_without_its_font_is_refused_at_once(db: Database, settings: Settings) -> None:
    bare = replace(settings, pdf_font_file="/nowhere.ttf")
    desk = ExportDesk(db, bare, Press(bare), EXPORT_KINDS)

    def wire(app: web.Application) -> None:
        app[EXPORTS] = desk

    async with serve(db, bare, routes(), PEOPLE, wire) as client:
        status, _, problem = await ask(client, "wallet_entries", "pdf", who="ann")
        assert (status, problem["code"]) == (422, "font_missing")


# The job


async def ask_for(db: Database, kind: Kind) -> Export:
    return await db.run(
        actions.ask, kind, Filters(), account_id="acc_ann", made_as=Format.CSV, language="en"
    )  # fmt: skip


def kind_of(source: Any) -> Kind:
    column = Column("数", "Number", "money", 10, is_summed=True)
    return Kind(name="numbers", title={"zh": "数", "en": "Numbers"}, roles=("user",), columns=(column,), source=source)


async def state_of(db: Database, export: Export) -> tuple[str, Any]:
    async with db.begin() as tx:
        row = await tx.fetchrow("SELECT state, problem, row_count FROM exports WHERE id = $1", export.id)
        return row["state"], row["problem"] or row["row_count"]


async def test_an_export_is_made_once_by_many_and_again_after_a_crash(
    db: Database, settings: Settings, press: Press, clock: ManualClock
) -> None:
    async def rows(_tx: Tx, _wanted: Wanted) -> AsyncIterator[Sequence[Row]]:
        yield [(1,), (2,)]

    kind = kind_of(rows)
    desks = [ExportDesk(db, settings, press, [kind]) for _ in range(4)]
    export = await ask_for(db, kind)
    assert await db.run(actions.begin, export.id, takes_s=60) is not None  # and its process dies
    await asyncio.gather(*(desk.take({"export_id": export.id}) for desk in desks))
    assert not any(desk.is_busy for desk in desks)
    clock.advance(seconds=61)
    runners = [JobRunner(db, settings, {}, outside=desk.outside_jobs()) for desk in desks]
    await asyncio.gather(*(runner.drain() for runner in runners))
    await asyncio.gather(*(desk.idle() for desk in desks))
    assert await state_of(db, export) == ("done", 2)
    async with db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM files") == 1
        assert await tx.fetchval("SELECT count(*) FROM jobs") == 0
        await actions.finish(tx, export.id, b"again", 9, keep_s=60)
        assert await tx.fetchval("SELECT count(*) FROM files") == 1


async def test_what_takes_its_process_down_again_and_again_is_given_up(
    db: Database, settings: Settings, press: Press, clock: ManualClock
) -> None:
    async def rows(_tx: Tx, _wanted: Wanted) -> AsyncIterator[Sequence[Row]]:
        raise RuntimeError("planted")
        yield []

    office = office_of(db, settings, press)
    kind = kind_of(rows)
    office.desk._kinds["numbers"] = kind
    export = await ask_for(db, kind)
    for _ in range(ATTEMPTS_MAX):
        await office.work()
        assert (await state_of(db, export))[0] == "waiting"
        clock.advance(hours=1)
    await office.work()
    assert await state_of(db, export) == ("failed", "export_failed")


async def test_pages_are_of_one_moment(db: Database, settings: Settings, press: Press) -> None:
    """A transfer between two pages would be in one sum and not in the other."""

    async def rows(tx: Tx, _wanted: Wanted) -> AsyncIterator[Sequence[Row]]:
        for n in range(3):
            yield [(await wallet.balance(tx, "acc_ann"),)]
            await db.run(wallet.credit, "acc_ann", 1_000, f"gift:{n}", "between two pages")

    kind = kind_of(rows)
    desk = ExportDesk(db, settings, press, [kind])
    export = await ask_for(db, kind)
    await desk.take({"export_id": export.id})
    await desk.idle()
    async with db.begin() as tx:
        raw = await tx.fetchval("SELECT content FROM files")
    assert [line["Number"] for line in table(raw)] == ["0.00"] * 4
    assert await db.run(wallet.balance, "acc_ann") == 3_000
    assert await state_of(db, export) == ("done", 3)


async def test_a_full_desk_leaves_the_rest_to_others(
    db: Database, settings: Settings, press: Press, clock: ManualClock
) -> None:
    go = asyncio.Event()

    async def rows(_tx: Tx, _wanted: Wanted) -> AsyncIterator[Sequence[Row]]:
        await go.wait()
        yield [(1,)]

    kind = kind_of(rows)
    desk = ExportDesk(db, settings, press, [kind])
    runner = JobRunner(db, settings, {}, outside=desk.outside_jobs())
    asked = []
    for n in range(6):
        async with db.begin() as tx:
            asked.append(await actions.ask(tx, kind, Filters(), account_id=f"acc_{n}", made_as=Format.CSV,
                                           language="zh"))  # fmt: skip
    await runner.drain()
    assert len(desk._making) == 4
    go.set()
    await desk.idle()
    clock.advance(seconds=6)
    await runner.drain()
    await desk.idle()
    assert [await state_of(db, export) for export in asked] == [("done", 1)] * 6


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", ExportState)
def test_every_verb_in_every_state(state: ExportState, verb: str) -> None:
    export = Export(
        id="exp_1", account_id="acc_ann", kind="numbers", format=Format.CSV, language="zh", filters=Filters(),
        scope={}, state=state, attempts=0, claimed_until=None, file_id=None, row_count=None, problem=None,
        created_at=MONDAY, ended_at=None,
    )  # fmt: skip
    if (state, verb) in TRANSITIONS:
        assert export.after(verb, MONDAY).state is TRANSITIONS[state, verb]
    else:
        with pytest.raises(WrongExportState):
            export.after(verb, MONDAY)
