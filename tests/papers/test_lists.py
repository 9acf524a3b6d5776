"""Orders, cases and refund requests on paper: what the lists say, and sums of the book (HS-216, RV-364)."""

from __future__ import annotations

from datetime import timedelta

from rest.lines.homeservice import actions
from storage.base import codec
from storage.postgres import Database
from tests.conftest import MONDAY
from tests.edge.conftest import Client
from tests.homeservice.conftest import Town, new_town, town
from tests.money.street import approve, ask_refund
from tests.papers.conftest import Office
from tests.papers.test_exports import ask, client, fen, made, table

__all__ = ["client", "new_town", "town"]


async def busy(town: Town) -> list[str]:
    """Three orders: one paid, one whose end support is asked for, one done and given back in part."""
    jobs = []
    for _ in range(3):
        tech = await town.technician(work_from_min=0, work_to_min=1440)
        job = await town.post(await town.customer())
        jobs.append(await town.pay(await town.choose(job, await town.grab(job, tech))))
    await town.by_customer(actions.cancel, jobs[1], "hm")
    for verb in ("accept", "depart", "arrive", "start", "end", "confirm_left", "leave"):
        await town._go(jobs[2], tech, verb)
    await town.db.run(approve, await town.db.run(ask_refund, jobs[2].order.id, 10_000))
    await town.db.run(ask_refund, jobs[2].order.id, 500)
    return [job.order.id for job in jobs]


async def test_what_is_listed_sums_up_to_what_the_book_says(
    client: Client, office: Office, town: Town, db: Database
) -> None:
    ids = await busy(town)
    *lines, total = table(await made(client, office, "orders"))
    assert sorted(line["Order"] for line in lines) == sorted(ids)
    async with db.begin() as tx:
        row = await tx.fetchrow("SELECT sum(paid_fen)::int AS paid, sum(refunded_fen)::int AS back FROM orders")
    assert (fen(total["Paid"]), fen(total["Refunded"])) == (row["paid"], row["back"])
    assert fen(total["Kept"]) == row["paid"] - row["back"] == 3 * 40_900 - 10_000
    *lines, _ = table(await made(client, office, "orders", n=2, state="cancel_requested", line="homeservice"))
    assert [line["Order"] for line in lines] == [ids[1]]

    *lines, total = table(await made(client, office, "refunds", n=3))
    assert {line["Order"] for line in lines} == {ids[2]}
    assert (total["Amount"], total["Approved"]) == ("105.00", "100.00")
    *lines, total = table(await made(client, office, "refunds", n=4, state="executed"))
    assert [(line["Progress"], line["Approved by"]) for line in lines] == [("succeeded", "acc_fay")]

    raw = await made(client, office, "cases", who="opal", n=5)
    [line] = [line for line in table(raw) if line["Subject"] == f"order:{ids[1]}"]
    assert (line["Line"], line["State"]) == ("homeservice", "open")
    assert b"13800001234" not in raw  # no phone number
    assert await town.faults() == []


async def test_filters_are_those_of_the_lists(client: Client, office: Office, town: Town) -> None:
    await busy(town)
    town.clock.advance(hours=48)
    later = await town.post(await town.customer())
    since = codec.instant(MONDAY + timedelta(hours=40))
    lines = table(await made(client, office, "orders", who="opal", since=since))
    assert [line["Order"] for line in lines if line["Order"]] == [later.order.id]
    for n, kind in enumerate(("cases", "refunds"), 2):
        who = "opal" if kind == "cases" else "fay"
        found = table(await made(client, office, kind, who=who, n=n, since=since))
        assert not any(line.get("Refund") or line.get("Case") for line in found)
        assert (await ask(client, kind, who=who, n=n + 5, state="nonsense"))[0] == 400
