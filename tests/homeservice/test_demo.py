"""The demo town: there after one seeding, unchanged by the next, and good enough to order in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import dispatch
from chat import desk
from geo import areas
from rest.lines.homeservice import catalogue, demo
from rest.money import ledger
from rest.people import store as people
from storage.base.settings import Settings
from storage.postgres import Database


async def counts(db: Database) -> dict[str, int]:
    tables = ("areas", "items", "region_items", "technicians", "workers", "accounts", "ledger_transfers")
    async with db.begin() as tx:
        return {table: await tx.fetchval(f"SELECT count(*) FROM {table}") for table in tables}


async def test_seeding_twice_makes_one_town(db: Database) -> None:
    assert await db.run(demo.seed)
    first = await counts(db)
    assert not await db.run(demo.seed)
    assert await counts(db) == first
    assert first["areas"] == 6
    assert first["technicians"] == 12
    assert first["accounts"] == demo.CUSTOMERS + demo.TECHNICIANS + len(demo.STAFF)


async def test_the_middle_of_town_is_in_a_district_with_items(db: Database) -> None:
    await db.run(demo.seed)
    async with db.begin() as tx:
        index = await areas.load_index(tx)
        code = index.code_at(demo.CENTRE)
        assert code is not None
        assert code.startswith("9901")
        items = await catalogue.items_in(tx, code)
    assert [item.price_fen for item in items] == sorted(item.price_fen for item in demo.ITEMS)


async def test_demo_customers_have_money_and_technicians_their_role(db: Database) -> None:
    await db.run(demo.seed)
    async with db.begin() as tx:
        customer = await people.find_or_add_account(tx, "acc_x", demo.customer_phone(1))
        technician = await people.find_or_add_account(tx, "acc_x", demo.technician_phone(12))
        assert await ledger.balance(tx, ledger.customer_wallet(customer.id)) == demo.WALLET_FEN
    assert technician.roles == {"user", "technician"}


async def test_who_asks_for_support_gets_an_agent_who_is_there(db: Database) -> None:
    await db.run(demo.seed)
    (queue,) = await db.run(desk.queues_page)
    agents = await db.run(desk.agents_page)
    assert {agent.name for agent in agents} == set(demo.AGENTS.values())
    asked = desk.Request(kind=desk.Kind.CHAT, category="order")
    run = await db.run(desk.dry_run, asked)
    assert run.queue.id == queue.id


async def test_all_of_them_work_at_any_hour(db: Database, settings: Settings) -> None:
    await db.run(demo.seed)
    await demo.operators_accounts(db, settings, "technician", 2, ttl_s=600)
    async with db.begin() as tx:
        rows = await tx.fetch("SELECT id FROM workers")
        workers = [await dispatch.get_worker(tx, row["id"]) for row in rows]
    assert len(workers) == demo.TECHNICIANS + 2
    midnight = datetime(2026, 1, 5, tzinfo=UTC)
    instants = [midnight + timedelta(minutes=minute) for minute in (0, 1, 959, 960, 1_100, 1_439)]
    assert all(worker.works_at(at) for worker in workers for at in instants)


async def test_opening_a_region_needs_its_area(db: Database) -> None:
    await db.run(demo.seed)
    assert await db.run(demo.open_region, ["990101", "156990102"]) == ["990101", "990102"]
    with pytest.raises(ValueError, match="370602"):
        await db.run(demo.open_region, ["370602"])


async def test_accounts_for_load_tests_can_work_and_pay(db: Database, settings: Settings) -> None:
    await db.run(demo.seed)
    technicians = await demo.operators_accounts(db, settings, "technician", 3, ttl_s=600)
    customers = await demo.operators_accounts(db, settings, "user", 2, ttl_s=600)
    async with db.begin() as tx:
        services = await tx.fetchval("SELECT services FROM workers WHERE id = $1", technicians[0]["worker_id"])
        balance = await ledger.balance(tx, ledger.customer_wallet(customers[1]["account_id"]))
    assert sorted(services) == sorted(item.id for item in demo.ITEMS)
    assert balance == demo.LOAD_WALLET_FEN
