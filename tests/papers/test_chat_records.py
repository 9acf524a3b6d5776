"""What was said, on paper (FR-129): by customer, agent, order, time and words, as far as whoever asks may read it."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import openpyxl
import pytest
from aiohttp import web

from chat import conversations, desk
from chat.conversations import Content, Kind, Reader, Staff
from chat.desk import Rule, When
from rest.desk.conversations.routes import ROUTES as TALK
from rest.papers.exports import EXPORTS
from rest.papers.exports.lists import PAGE
from rest.papers.exports.routes import routes
from rest.people.files.routes import ROUTES as FILES
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from tests.conversations.test_talking import picture
from tests.desk.conftest import Desk
from tests.edge.conftest import Client
from tests.money.serving import serve
from tests.papers.conftest import Office
from tests.papers.test_exports import ask, made

TEN = "ten_" + "a" * 26
PEOPLE: dict[str, list[str]] = {
    "ann": [], "bob": [], "sue": ["support"], "rex": ["support"], "lead": ["supervisor"], "oli": ["ops"],
    "tia": ["tenant_agent", f"@{TEN}"], "tsu": ["tenant_supervisor", f"@{TEN}"],
}  # fmt: skip
PHONES = {who: f"+861380000{n:04}" for n, who in enumerate(PEOPLE)}


@dataclass
class Talks:
    """Ann asked the platform's help and its repair, which is for rex alone; Bob asked the tenant."""

    help: str
    repair: str
    tenant: str


@pytest.fixture
async def place(db: Database, clock: ManualClock, settings: Settings) -> Desk:
    return Desk(db, clock, JobRunner(db, settings, desk.DEADLINES, subscribers=desk.SUBSCRIBERS))


@pytest.fixture
async def client(place: Desk, settings: Settings, office: Office) -> AsyncIterator[Client]:
    async with place.db.begin() as tx:
        await tx.execute("INSERT INTO tenants (id, name, created_at, changed_at) VALUES ($1, $1, $2, $2)", TEN, tx.now)
        for who, words in PEOPLE.items():
            tenant_id = next((word[1:] for word in words if word.startswith("@")), None)
            await tx.execute(
                """INSERT INTO accounts (id, phone, nickname, roles, created_at, updated_at, tenant_id)
                   VALUES ($1, $2, $3, $4, $5, $5, $6)""",
                f"acc_{who}", PHONES[who], f"{who} by name", ["user", *(w for w in words if not w.startswith("@"))],
                tx.now, tenant_id,
            )  # fmt: skip

    def wire(app: web.Application) -> None:
        app[EXPORTS] = office.desk

    async with serve(place.db, settings, [*routes(), *FILES, *TALK], PEOPLE, wire) as made_client:
        yield made_client


@pytest.fixture
async def talks(place: Desk, client: Client) -> Talks:
    general, repair = await place.queue(name="general"), await place.queue(name="repair", members_only=True)
    theirs = await place.queue(name="theirs", tenant_id=TEN)
    await place.rules(
        Rule(name="t", queue_id=theirs.id, when=When(tenant_ids=(TEN,))),
        Rule(name="r", queue_id=repair.id, when=When(categories=("repair",))),
        Rule(name="all", queue_id=general.id),
    )
    await place.agent("sue", queues=[general.id])
    await place.agent("rex", queues=[repair.id])
    await place.agent("tia", queues=[theirs.id], tenant_id=TEN)
    async with place.db.begin() as tx:
        await tx.execute(
            """INSERT INTO orders (id, no, line, kind, mode, customer_id, status, version, total_fen, snapshot,
                                   created_at, updated_at)
               VALUES ('ord_1', 'NO-1', 'test', 'visit', 'grab', 'acc_ann', 'paid', 1, 0, '{}', $1, $1)""", tx.now,
        )  # fmt: skip
    found = []
    for who, category, tenant_id in (("ann", "order", None), ("ann", "repair", None), ("bob", "order", TEN)):
        thread = await place.come(who, category=category, **({"tenant_id": tenant_id} if tenant_id else {}))
        await _say(place, Reader(f"acc_{who}"), thread.conversation_id, Content(text=f"please help {category} {who}"))
        agent = (await place.serve(thread)).removeprefix("acc_")
        await _say(place, Reader(f"acc_{agent}", Staff(tenant_id)), thread.conversation_id, Content(text="done"))
        place.clock.advance(hours=1)
        for one in ("sue", "rex", "tia"):
            await place.db.run(desk.renew_presence, f"acc_{one}")
        found.append(thread.conversation_id)
    return Talks(*found)


async def _say(place: Desk, who: Reader, where: str, content: Content) -> int:
    place.names += 1
    said = await place.db.run(conversations.say, who, where, content, client_id=f"client-{place.names:04}")
    return int(said.seq)


def table(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))


async def test_one_row_for_each_message_with_who_what_where_and_when(
    client: Client, office: Office, place: Desk, talks: Talks
) -> None:
    ann, sue = Reader("acc_ann"), Reader("acc_sue", Staff())
    await _say(place, sue, talks.help, Content(kind=Kind.NOTE, text="rude"))
    await _say(place, ann, talks.help, Content(kind=Kind.IMAGE, file_id=await picture(place.db, ann)))
    regretted = await _say(place, ann, talks.help, Content(text="I am angry"))
    await place.db.run(conversations.recall_message, ann, talks.help, regretted, client_id="recall-0001")
    raw = await made(client, office, "chat_records", who="sue", conversation_id=talks.help)
    lines = table(raw)
    shown = [(one["Role"], one["Name"], one["Kind"], one["Internal"], one["Text"]) for one in lines]
    assert shown == [
        ("customer", "ann by name", "text", "", "please help order ann"),
        ("agent", "Sue", "text", "", "done"),
        ("agent", "Sue", "note", "internal", "rude"),
        ("customer", "ann by name", "image", "", ""),
        ("customer", "ann by name", "text", "", ""),
    ]
    assert {(one["Conversation"], one["Queue"], one["Order"]) for one in lines} == {(talks.help, "general", "NO-1")}
    assert lines[0]["Said at"] == "2026-01-05 10:00:00", "wall time of the business"
    assert lines[3]["File"] == "chat.jpg"
    assert [bool(one["Recalled at"]) for one in lines] == [False] * 4 + [True]
    assert "angry" not in raw.decode()
    assert not any(phone[3:] in raw.decode() for phone in PHONES.values())
    book = openpyxl.load_workbook(
        io.BytesIO(await made(client, office, "chat_records", "xlsx", who="sue", n=2, conversation_id=talks.help))
    )
    sheet: Any = book.active
    texts = [row[7] for row in sheet.iter_rows(values_only=True)]
    assert {"please help order ann", "done", "rude"} <= set(texts)


READS = {
    "sue": {"help"}, "rex": {"help", "repair"}, "lead": {"help", "repair", "tenant"}, "tsu": {"tenant"},
}  # fmt: skip
"""Who asks → whose talks are on his paper."""


@pytest.mark.parametrize("who", READS)
async def test_everybody_gets_what_he_could_read_and_no_more(
    client: Client, office: Office, talks: Talks, who: str
) -> None:
    lines = table(await made(client, office, "chat_records", who=who))
    assert {one["Conversation"] for one in lines} == {getattr(talks, name) for name in READS[who]}


@pytest.mark.parametrize("who", ["ann", "oli", "tia"])
async def test_others_get_none(client: Client, who: str) -> None:
    assert (await ask(client, "chat_records", who=who))[0] == 403


async def test_who_lost_his_role_meanwhile_gets_nothing(
    client: Client, office: Office, place: Desk, talks: Talks
) -> None:
    _, headers, _ = await ask(client, "chat_records", who="sue")
    async with place.db.begin() as tx:
        await tx.execute("UPDATE accounts SET roles = '{user}' WHERE id = 'acc_sue'")
    await office.work()
    export = (await client.as_("sue").send("GET", headers["Location"]))[2]
    assert (export["state"], export["problem"]) == ("failed", "forbidden")


FILTERS: dict[str, tuple[dict[str, str], set[str]]] = {
    "customer": ({"customer_id": "acc_ann"}, {"help", "repair"}),
    "agent": ({"agent_id": "acc_rex"}, {"repair"}),
    "order": ({"order_id": "ord_1"}, {"help"}),
    "since": ({"customer_id": "acc_ann", "since": "2026-01-05T02:30:00Z"}, {"repair"}),
    "until": ({"customer_id": "acc_ann", "until": "2026-01-05T02:30:00Z"}, {"help"}),
    "words": ({"q": "help order"}, {"help", "tenant"}),
    "words of": ({"q": "please", "customer_id": "acc_bob"}, {"tenant"}),
    "nobody": ({"customer_id": "acc_nobody"}, set()),
}


@pytest.mark.parametrize("name", FILTERS)
async def test_search_and_paper_find_the_same(client: Client, office: Office, talks: Talks, name: str) -> None:
    filters, wanted = FILTERS[name]
    query = "&".join(f"{key}={value}" for key, value in filters.items())
    status, _, page = await client.as_("lead").send("GET", f"/v1/conversations/search?limit=50&{query}")
    assert status == 200, page
    ids = {getattr(talks, one) for one in wanted}
    assert {one["conversation_id"] for one in page["data"]} == ids
    lines = table(await made(client, office, "chat_records", who="lead", **filters))
    assert {one["Conversation"] for one in lines} == ids
    assert len(lines) == len(page["data"])


async def test_a_search_names_words_or_somebody(client: Client, talks: Talks) -> None:
    lead = client.as_("lead")
    for query in ("", "since=2026-01-05T02:30:00Z", "q=…&customer_id=acc_ann"):
        assert (await lead.send("GET", f"/v1/conversations/search?{query}"))[2]["code"] == "nothing_sought", query
    seen: list[tuple[str, int]] = []
    cursor = ""
    while True:
        page = (await lead.send("GET", f"/v1/conversations/search?customer_id=acc_ann&limit=1{cursor}"))[2]
        seen += [(one["conversation_id"], one["message_seq"]) for one in page["data"]]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == 4


async def test_long_records_are_read_page_by_page(client: Client, office: Office, place: Desk, talks: Talks) -> None:
    more = PAGE + 1
    async with place.db.begin() as tx:
        for n in range(more):
            await conversations.say(tx, Reader("acc_ann"), talks.repair, Content(text=f"{n}"), client_id=f"long-{n:05}")
    lines = table(await made(client, office, "chat_records", who="lead"))
    rows = [(one["Conversation"], int(one["Place"])) for one in lines]
    assert rows == sorted(set(rows), key=lambda one: (-[talks.help, talks.repair, talks.tenant].index(one[0]), one[1]))
    assert len(rows) == 6 + more
