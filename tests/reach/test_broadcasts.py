"""Broadcasts: many people told in small steps, once each, whoever dies when; and their HTTP edge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from rest.people.crowds import Crowd, Part, crowd, parts_of
from rest.reach import bulk_jobs, deadlines, outside_jobs
from rest.reach.broadcasts import actions, store
from rest.reach.broadcasts.model import (
    BATCH,
    PAUSE,
    TRANSITIONS,
    VERBS,
    WAITING_MAX,
    Broadcast,
    BroadcastState,
    WrongBroadcastState,
    next_count,
)
from rest.reach.broadcasts.routes import ROUTES
from rest.reach.routes import ROUTES as INBOX
from storage.jobs import JobRunner
from tests.edge.conftest import Client
from tests.money.serving import serve
from tests.reach.conftest import Post

NOW = datetime(2026, 1, 5, 2, tzinfo=UTC)
WORDS = {"zh-CN": "停机通知", "en": "We rest tonight"}
BODY = {
    "title": WORDS, "body": {"zh-CN": "今晚 2 点", "en": "At two"}, "link": "/news/1", "audience": "customers",
}  # fmt: skip


def people(post: Post, n: int, *, roles: str = "{user}", tenant: str | None = None, start: int = 0) -> Any:
    """Many accounts at once, without sessions."""
    return post.db.pool.executemany(
        "INSERT INTO accounts (id, phone, roles, tenant_id, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)",
        [
            (f"acc_{start + i:08}", f"+8613{start + i:09}", roles.strip("{}").split(","), tenant, post.clock.now())
            for i in range(n)
        ],
    )


async def plan(post: Post, part: Part = Part.CUSTOMERS, *, send_at: Any = None, **who: Any) -> Broadcast:
    return await post.db.run(
        actions.plan, title=WORDS, body={"zh-CN": "今晚", "en": "Tonight"}, link=None, who=Crowd(part=part, **who),
        send_at=send_at, by_id="acc_ops",
    )  # fmt: skip


async def now_is(post: Post, one: Broadcast) -> Broadcast:
    async with post.db.begin() as tx:
        found = await store.find(tx, one.id)
    assert found is not None
    return found


async def told(post: Post, one: Broadcast) -> list[str]:
    rows = await post.db.pool.fetch("SELECT account_id FROM notices WHERE fact_id = $1 ORDER BY account_id", one.id)
    return [row["account_id"] for row in rows]


@pytest.mark.parametrize(("state", "verb"), list(product(BroadcastState, VERBS)))
def test_every_verb_in_every_state(state: BroadcastState, verb: str) -> None:
    one = Broadcast(
        id="brc_1", title=WORDS, body=WORDS, link=None, audience="everybody", tenant_id=None, account_ids=(),
        state=state, send_at=NOW, created_by="acc_1", created_at=NOW,
    )  # fmt: skip
    if (state, verb) in TRANSITIONS:
        assert one.after(verb).state is TRANSITIONS[state, verb]
        assert one.after(verb).version == 2
    else:
        with pytest.raises(WrongBroadcastState):
            one.after(verb)


def test_counts_are_made_often_at_first_and_come_to_an_end() -> None:
    at, times = NOW, 0
    while (following := next_count(NOW, at)) is not None:
        assert following > at
        at, times = following, times + 1
    assert times < 150
    assert at - NOW < timedelta(days=9)


async def test_it_reaches_its_audience_by_the_ways_and_hours_of_each(post: Post) -> None:
    ann = await post.person("ann")
    await post.wish(ann, language="en")
    ben = await post.person("ben", platform=None)
    cat = await post.person("cat")
    await post.wish(cat, quiet_from_min=0, quiet_to_min=1439)
    dan = await post.person("dan")
    await post.wish(dan, muted={"broadcast/push"})
    one = await plan(post)
    await post.run()
    assert await told(post, one) == sorted(who.account_id for who in (ann, ben, cat, dan))
    assert post.titles(ann) == ["We rest tonight"]
    assert post.titles(cat) == post.titles(dan) == []
    states = {one.account_id: one.state.value for one in await post.deliveries()}
    assert states == {ann.account_id: "sent", cat.account_id: "held"}
    assert await post.kinds(ben) == await post.kinds(dan) == ["broadcast.sent"]
    (notice,) = await post.inbox(ben)
    assert (notice.subject_kind, notice.subject_id) == ("broadcast", one.id)

    extras = post.to("android-of-ann")[0].raw["notification"]["android"]["extras"]
    async with post.db.begin() as tx:
        from rest.reach.actions import inbox, sending

        await sending.confirm(tx, extras["delivery_id"], ann.account_id)
        await inbox.read_one(tx, ben.account_id, notice.id)
    await post.run(seconds=11)
    found = await now_is(post, one)
    assert (found.state, found.counts.told, found.counts.sent) == (BroadcastState.SENT, 4, 1)
    assert (found.counts.delivered, found.counts.failed, found.counts.opened) == (1, 0, 1)
    progress = [fact for fact in await post.told("broadcast.changed") if fact["broadcast_id"] == one.id]
    assert [(fact["state"], fact["told"], fact["opened"]) for fact in progress] == [("sent", 4, 0), ("sent", 4, 1)]


async def test_what_providers_refuse_is_counted_and_keeps_nobody_from_the_inbox(post: Post) -> None:
    ann = await post.person("ann", platform=None)
    await post.device(ann, token="gone-phone-of-ann")
    post.simulator.jpush.gone.add("gone-phone-of-ann")
    one = await plan(post)
    await post.run()
    await post.run(seconds=11)
    counts = (await now_is(post, one)).counts
    assert (counts.told, counts.sent, counts.failed) == (1, 0, 1)
    assert await post.kinds(ann) == ["broadcast.sent"]


async def test_audiences_are_who_they_say(post: Post) -> None:
    await post.db.pool.execute(
        "INSERT INTO tenants (id, name, created_at, changed_at) VALUES ('ten_1', 'A', now(), now()),"
        " ('ten_2', 'B', now(), now())"
    )
    kinds = {
        "c": ("{user}", None), "w": ("{user,technician}", None), "s": ("{user,support}", None),
        "a": ("{user,tenant_agent}", "ten_1"), "b": ("{user,tenant_admin}", "ten_2"),
    }  # fmt: skip
    for n, (roles, tenant) in enumerate(kinds.values()):
        await people(post, 1, roles=roles, tenant=tenant, start=n)
    names = dict(zip((f"acc_{n:08}" for n in range(5)), kinds, strict=True))
    await people(post, 1, start=90)
    await post.db.pool.execute("UPDATE accounts SET status = 'closed' WHERE id = 'acc_00000090'")

    async def of(part: Part, **who: Any) -> str:
        async with post.db.begin() as tx:
            found = await crowd(tx, Crowd(part=part, **who), after="", born_by=tx.now, limit=99)
        return "".join(names[one] for one in found)

    assert await of(Part.EVERYBODY) == "cwsab"
    assert await of(Part.CUSTOMERS) == "cw"
    assert await of(Part.WORKERS) == "w"
    assert await of(Part.STAFF) == "s"
    assert await of(Part.TENANTS) == "ab"
    assert await of(Part.TENANT, tenant_id="ten_2") == "b"
    assert await of(Part.ACCOUNTS, account_ids=["acc_00000000", "acc_00000004", "acc_00000090"]) == "cb"
    for account_id, name in names.items():  # what the database says of all is what the rule says of one
        roles, tenant = kinds[name]
        parts = parts_of(frozenset(roles.strip("{}").split(",")), tenant)
        for part in (Part.EVERYBODY, Part.CUSTOMERS, Part.WORKERS, Part.STAFF, Part.TENANTS):
            assert (name in await of(part)) == (part in parts), (account_id, part)


async def test_many_are_told_in_small_steps_and_nobody_twice_after_a_crash(post: Post) -> None:
    await people(post, 2 * BATCH + 50)
    one = await plan(post)
    runner = JobRunner(post.db, post.settings, deadlines(post.senders.terms))
    (job,) = await runner.claim(limit=1)
    await runner.fire(job)
    assert len(await told(post, one)) == BATCH
    post.clock.advance(seconds=PAUSE.total_seconds())

    (job,) = await runner.claim(limit=1)
    with pytest.raises(ZeroDivisionError):  # dies after all it did, before the commit
        async with post.db.begin() as tx:
            await actions.step(tx, job.payload, terms=post.senders.terms)
            raise ZeroDivisionError
    assert len(await told(post, one)) == BATCH
    # A runner that only seemed dead, and the one that took over: both at once
    post.clock.advance(seconds=post.settings.jobs_lease_s + 1)
    (again,) = await runner.claim(limit=1)
    await asyncio.gather(runner.fire(job), runner.fire(again))
    assert len(await told(post, one)) == 2 * BATCH
    # Whoever comes while it is being sent is not chased
    post.clock.advance(seconds=1)
    await people(post, 1, start=10_000_000)
    for _ in range(4):
        await post.run(seconds=1)
    found = await now_is(post, one)
    assert (found.state, found.counts.told) == (BroadcastState.SENT, 2 * BATCH + 50)
    assert await told(post, one) == [f"acc_{n:08}" for n in range(2 * BATCH + 50)]


async def test_pushes_of_a_broadcast_stand_in_nobodys_way(post: Post) -> None:
    """The lane of what people wait for has none of them; and when too many wait, the next recipients wait."""
    ann = await post.person("ann")
    one = await plan(post)
    await JobRunner(post.db, post.settings, deadlines(post.senders.terms)).drain()
    urgent = JobRunner(post.db, post.settings, {}, outside=outside_jobs(post.db, post.senders))
    bulk = JobRunner(post.db, post.settings, {}, outside=bulk_jobs(post.db, post.senders))
    assert await urgent.drain() == 0
    await post.db.pool.execute(
        """
        INSERT INTO deliveries (id, notice_id, account_id, channel, device_id, state, created_at, due_at, ends_at,
                                changed_at, is_bulk)
        SELECT 'dlv_' || i, notice_id, account_id, channel, i::text, state, created_at, due_at, ends_at,
               changed_at, true
          FROM deliveries, generate_series(2, $1) AS i
        """,
        WAITING_MAX,
    )
    two = await plan(post, Part.ACCOUNTS, account_ids=[ann.account_id])
    runner = JobRunner(post.db, post.settings, deadlines(post.senders.terms))
    await runner.drain()
    assert await told(post, two) == []
    assert await bulk.drain() == 1
    post.clock.advance(seconds=2)
    await runner.drain()
    assert await told(post, two) == await told(post, one) == [ann.account_id]


# Over HTTP


class House:
    def __init__(self, post: Post, client: Client) -> None:
        self.post, self.client, self.n = post, client, 0

    async def ask(self, who: str, method: str, path: str, body: Any = None, key: str = "") -> Any:
        self.post.clock.advance(seconds=0.002)
        self.n += 1
        headers = {"Idempotency-Key": key or f"key-{self.n:020}"} if method == "POST" else {}
        status, _, answer = await self.client.as_(who).send(method, path, json=body, headers=headers)
        return status, answer


@pytest.fixture
async def house(post: Post) -> AsyncIterator[House]:
    staff = {"ola": ["ops"], "sue": ["support"], "ann": []}
    async with serve(post.db, post.settings, [*ROUTES, *INBOX], staff) as client:
        yield House(post, client)


async def test_staff_plan_read_and_cancel(house: House) -> None:
    post = house.post
    status, refused = await house.ask("ola", "POST", "/v1/admin/broadcasts", BODY)
    assert (status, refused["code"]) == (422, "audience_empty")
    await people(post, 5)
    for who in ("sue", "ann"):
        assert (await house.ask(who, "POST", "/v1/admin/broadcasts", BODY))[0] == 403
    past = (post.clock.now() - timedelta(seconds=60)).isoformat()
    far = (post.clock.now() + timedelta(days=400)).isoformat()
    ghost = "acc_01kcbs3t20ewxvqs1a5d9rm2f7"
    for more, expected in (
        ({"send_at": past}, (422, "send_time")), ({"send_at": far}, (422, "send_time")),
        ({"audience": "accounts", "account_ids": [ghost]}, (422, "audience_unknown")),
        ({"audience": "tenant", "tenant_id": "ten_01kcbs3t20ewxvqs1a5d9rm2f7"}, (422, "audience_empty")),
        ({"audience": "accounts"}, (400, "invalid_input")), ({"tenant_id": ghost}, (400, "invalid_input")),
        ({"link": "javascript:alert(1)"}, (400, "invalid_input")), ({"link": "//evil.example"}, (400, "invalid_input")),
        ({"title": {"zh-CN": "只有中文"}}, (400, "invalid_input")),
    ):  # fmt: skip
        status, refused = await house.ask("ola", "POST", "/v1/admin/broadcasts", {**BODY, **more})
        assert (status, refused["code"]) == expected, more

    at = post.clock.now() + timedelta(hours=1)
    status, made = await house.ask("ola", "POST", "/v1/admin/broadcasts", {**BODY, "send_at": at.isoformat()}, "k" * 20)
    assert (status, made["state"], made["created_by"]) == (201, "scheduled", "acc_ola")
    again = await house.ask("ola", "POST", "/v1/admin/broadcasts", {**BODY, "send_at": at.isoformat()}, "k" * 20)
    assert again == (201, made)
    await post.run(minutes=59)
    assert (await house.ask("ola", "GET", f"/v1/admin/broadcasts/{made['id']}"))[1]["counts"]["told"] == 0
    status, cancelled = await house.ask("ola", "POST", f"/v1/admin/broadcasts/{made['id']}/cancel")
    assert (status, cancelled["state"]) == (200, "cancelled")
    await post.run(minutes=2)
    assert (await house.ask("ola", "GET", f"/v1/admin/broadcasts/{made['id']}/recipients"))[1]["data"] == []

    status, sent = await house.ask("ola", "POST", "/v1/admin/broadcasts", BODY)
    await post.run(seconds=1)
    for one in (made, sent):
        status, refused = await house.ask("ola", "POST", f"/v1/admin/broadcasts/{one['id']}/cancel")
        assert (status, refused["code"]) == (409, "broadcast_state")
    seen, path = [], f"/v1/admin/broadcasts/{sent['id']}/recipients?limit=2"
    while path:
        _, page = await house.ask("ola", "GET", path)
        seen += [one["account_id"] for one in page["data"]]
        assert all(one["push"] is None and one["opened_at"] is None for one in page["data"])
        path = f"/v1/admin/broadcasts/{sent['id']}/recipients?limit=2&cursor={page['next_cursor']}" if page[
            "has_more"
        ] else ""
    assert seen == [f"acc_{n:08}" for n in range(5)]
    listed = (await house.ask("ola", "GET", "/v1/admin/broadcasts?state=sent"))[1]["data"]
    assert [one["id"] for one in listed] == [sent["id"]]
    assert (await house.ask("sue", "GET", "/v1/admin/broadcasts"))[0] == 403
    deeds = await post.db.pool.fetch("SELECT operation FROM audit WHERE actor_id = 'acc_ola' ORDER BY id")
    assert [deed["operation"] for deed in deeds] == ["broadcasts.create", "broadcasts.cancel", "broadcasts.create"]


async def test_it_is_read_in_the_inbox_with_its_link(house: House) -> None:
    await house.post.db.pool.execute(
        "INSERT INTO accounts (id, phone, roles, created_at, updated_at)"
        " VALUES ('acc_ann', '+8613800138000', '{user}', $1, $1)", house.post.clock.now(),
    )  # fmt: skip
    await house.ask("ola", "POST", "/v1/admin/broadcasts", BODY)
    await house.post.run()
    (notice,) = (await house.ask("ann", "GET", "/v1/notices"))[1]["data"]
    assert (notice["title"], notice["link"]) == (WORDS, "/news/1")
    names = {one["kind"]: one["name"] for one in (await house.ask("ann", "GET", "/v1/notice_settings"))[1]["kinds"]}
    assert names["broadcast.sent"] == {"zh-CN": "公告与活动", "en": "News and offers"}


