"""The own account, roles, and accounts made by operators."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

import pytest

from rest.people import Role, grant_role
from rest.people.auth import Keys
from rest.people.operators import create_accounts
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from storage.tx import Tx
from tests.people.conftest import Phone, facts


async def admin(phone: Phone, db: Database, settings: Settings) -> Phone:
    made = (await create_accounts(db, settings, "admin", 1))[0]
    found = phone.twin()
    found.access, found.account = made["access_token"], {"id": made["account_id"]}
    return found


async def test_the_own_account_is_read_and_renamed(phone: Phone) -> None:
    await phone.sign_in()
    status, me = await phone.send("GET", "/v1/me")
    assert (status, me["id"], me["phone_masked"]) == (200, phone.account["id"], "138****00")
    assert "phone" not in me
    tag = phone.answered["ETag"]
    status, me = await phone.send("PATCH", "/v1/me", {"nickname": "小王"}, If_Match=tag)
    assert (status, me["nickname"], me["version"]) == (200, "小王", 2)
    status, problem = await phone.send("PATCH", "/v1/me", {"nickname": "x"}, If_Match=tag)
    assert (status, problem["code"], problem["version"]) == (412, "stale_version", 2)


async def test_a_nickname_is_one_short_line(phone: Phone) -> None:
    await phone.sign_in()
    for nickname in ("", "x" * 41, "a\nb", "a\tb", "a\n", None, 7):
        status, problem = await phone.send("PATCH", "/v1/me", {"nickname": nickname}, If_Match='"v1"')
        assert (status, problem["field"]) == (400, "nickname"), nickname


async def test_roles_are_set_by_administrators_and_hold_at_once(
    phone: Phone, db: Database, settings: Settings, clock: ManualClock
) -> None:
    boss = await admin(phone, db, settings)
    await phone.sign_in()
    path = f"/v1/admin/accounts/{phone.account['id']}/roles"
    status, problem = await phone.send("PUT", path, {"roles": ["admin"], "reason": "me"}, If_Match='"v1"')
    assert (status, problem["code"]) == (403, "forbidden")
    clock.advance(seconds=1)
    status, found = await boss.send("PUT", path, {"roles": ["support"], "reason": "hired"}, If_Match='"v1"')
    assert (status, found["roles"], boss.answered["ETag"]) == (200, ["support", "user"], '"v2"')
    assert await facts(db, "account.roles_changed") == [
        (
            {"account_id": phone.account["id"], "roles": ["support", "user"], "tenant_id": None, "version": 2,
             "by": boss.account["id"], "reason": "hired"},
            [f"session:{phone.session_id}"],
        )
    ]  # fmt: skip
    await asyncio.sleep(1)
    status, problem = await phone.send("GET", "/v1/me")
    assert (status, problem["code"]) == (401, "token_expired")
    status, body = await phone.refreshed()
    assert (status, body["account"]["roles"]) == (200, ["support", "user"])
    assert (await phone.send("GET", "/v1/me"))[0] == 200


async def test_bad_roles_are_refused(phone: Phone, db: Database, settings: Settings) -> None:
    boss = await admin(phone, db, settings)
    path = f"/v1/admin/accounts/{boss.account['id']}/roles"
    for body, field in (
        ({"roles": ["king"], "reason": "x"}, "roles.0"),
        ({"roles": ["ops"] * 11, "reason": "x"}, "roles"),
        ({"roles": ["ops"]}, "reason"),
        ({"roles": "ops", "reason": "x"}, "roles"),
    ):
        status, problem = await boss.send("PUT", path, body, If_Match='"v1"')
        assert (status, problem["field"]) == (400, field)
    status, problem = await boss.send("PUT", path, {"roles": [], "reason": "bye"}, If_Match='"v1"')
    assert (status, problem["code"]) == (409, "own_admin_role")
    status, same = await boss.send("PUT", path, {"roles": ["admin", "admin"], "reason": "again"}, If_Match='"v1"')
    assert (status, same["version"]) == (200, 1)


async def test_accounts_are_found_by_phone_and_role(phone: Phone, db: Database, settings: Settings) -> None:
    boss = await admin(phone, db, settings)
    await phone.sign_in()
    await create_accounts(db, settings, "technician", 3)
    _, page = await boss.send("GET", "/v1/admin/accounts?phone=13800138000")
    assert [row["id"] for row in page["data"]] == [phone.account["id"]]
    _, page = await boss.send("GET", "/v1/admin/accounts?role=technician&limit=2")
    assert (len(page["data"]), page["has_more"]) == (2, True)
    _, page = await boss.send("GET", f"/v1/admin/accounts?role=technician&limit=2&cursor={page['next_cursor']}")
    assert (len(page["data"]), page["has_more"]) == (1, False)
    _, account = await boss.send("GET", f"/v1/admin/accounts/{phone.account['id']}")
    assert account["phone_masked"] == "138****00"
    status, problem = await boss.send("GET", "/v1/admin/accounts/acc_nobody")
    assert (status, problem["code"]) == (404, "not_found")


async def test_a_domain_may_grant_a_role(phone: Phone, db: Database) -> None:
    await phone.sign_in()
    async with db.begin() as tx:
        account = await grant_role(tx, phone.account["id"], Role.TECHNICIAN, by="system", reason="contract signed")
    assert account.roles == {"user", "technician"}
    async with db.begin() as tx:
        again = await grant_role(tx, phone.account["id"], Role.TECHNICIAN, by="system", reason="again")
    assert again.version == account.version


async def test_operators_make_many_accounts_fast(
    db: Database, settings: Settings, keys: Keys, clock: ManualClock
) -> None:
    began = time.perf_counter()
    made = await create_accounts(db, settings, "technician", 2_500, ttl_s=3_600)
    took_s = time.perf_counter() - began
    assert took_s < 5
    for name in ("account_id", "session_id", "phone", "refresh_token", "access_token"):
        assert len({line[name] for line in made}) == 2_500
    actor = keys.verify(made[-1]["access_token"], clock.now())
    assert (actor.account_id, actor.roles) == (made[-1]["account_id"], {"user", "technician"})
    assert (actor.expires_at - clock.now()).total_seconds() == 3_600


async def test_made_accounts_work_and_carry_their_worker(phone: Phone, db: Database, settings: Settings) -> None:
    async def workers(tx: Tx, account_ids: Sequence[str]) -> Mapping[str, str]:
        return {account_id: account_id.replace("acc", "wrk") for account_id in account_ids}

    made = await create_accounts(db, settings, "technician", 2, make_workers=workers)
    assert [line["worker_id"] for line in made] == [line["account_id"].replace("acc", "wrk") for line in made]
    phone.access, phone.refresh = made[0]["access_token"], made[0]["refresh_token"]
    assert (await phone.send("GET", "/v1/me"))[1]["id"] == made[0]["account_id"]
    assert (await phone.refreshed())[0] == 200


async def test_commands_at_once_take_different_numbers(db: Database, settings: Settings) -> None:
    batches = await asyncio.gather(*(create_accounts(db, settings, "user", 5) for _ in range(4)))
    assert len({line["phone"] for batch in batches for line in batch}) == 20


async def test_nonsense_orders_are_refused(db: Database, settings: Settings) -> None:
    with pytest.raises(ValueError):
        await create_accounts(db, settings, "king", 1)
    with pytest.raises(ValueError):
        await create_accounts(db, settings, "user", 0)
    with pytest.raises(ValueError):
        await create_accounts(db, settings, "user", 1, ttl_s=86_401)
