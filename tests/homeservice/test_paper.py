"""The technician's statement as a file (HS-163)."""

from __future__ import annotations

import csv
import io

from rest.lines.homeservice.exports import EXPORTS
from rest.money import ledger
from rest.papers.exports import Filters, actions
from rest.papers.press import Press
from rest.papers.sheet import Format
from storage.base.money import yuan
from storage.base.settings import Settings
from tests.homeservice.conftest import Town
from tests.papers.conftest import office_of

(STATEMENT,) = EXPORTS


async def test_a_technician_s_statement_adds_up_to_what_he_has(town: Town, settings: Settings) -> None:
    mine, other = await town.technician(), await town.technician()
    done = [(await town.in_status("completed", tech))[0] for tech in (mine, mine, other)]
    await town.db.run(
        actions.ask, STATEMENT, Filters(), account_id=mine.account_id, made_as=Format.CSV, language="en"
    )  # fmt: skip
    await office_of(town.db, settings, Press(settings)).work()
    async with town.db.begin() as tx:
        raw = await tx.fetchval("SELECT content FROM files")
        has = await ledger.balance(tx, ledger.pending("worker", mine.id))
    *lines, total = csv.DictReader(io.StringIO(raw.decode("utf-8-sig")))
    assert [line["Order"] for line in lines] == [done[1].order.id, done[0].order.id]
    assert {(line["Item"], line["Travel"], line["Rate"]) for line in lines} == {("400.00", "9.00", "60.00%")}
    assert total["Net"] == yuan(has) == yuan(2 * 24_900)
    assert total["Item"] == "800.00"
