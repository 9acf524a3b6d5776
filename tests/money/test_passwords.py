"""The payment password: set by a code to the phone, changed by the old one, locked by wrong ones (RV-038 to RV-042)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from rest.app import build_app
from rest.money import passwords, wallet
from rest.money.passwords.hashing import new_salt, slow_hash
from rest.money.passwords.model import LOCKED_FOR, WRONG_MAX, PasswordWrong, PayLocked, Tries
from rest.people.operators import create_accounts
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.conftest import MONDAY, SECRET
from tests.edge.conftest import Client, serving

PATH = "/v1/wallet/password"


@given(st.lists(st.booleans(), max_size=30))
def test_the_fourth_wrong_one_in_a_row_locks(tried: list[bool]) -> None:
    """RV-042: counted by hand."""
    tries, in_a_row = Tries(), 0
    for is_right in tried:
        tries, refusal = tries.after(is_right=is_right, now=MONDAY)
        in_a_row = 0 if is_right else in_a_row + 1
        if in_a_row > WRONG_MAX:
            assert isinstance(refusal, PayLocked)
            assert tries == Tries(0, MONDAY + LOCKED_FOR)
            for right in (True, False):
                with pytest.raises(PayLocked):
                    tries.after(is_right=right, now=MONDAY + LOCKED_FOR - timedelta(milliseconds=1))
            assert tries.after(is_right=True, now=MONDAY + LOCKED_FOR) == (Tries(), None)
            return
        assert (refusal is None) == is_right
        if isinstance(refusal, PasswordWrong):
            assert refusal.fields["tries_left"] == WRONG_MAX + 1 - in_a_row


async def test_what_is_kept_needs_the_secret_and_is_never_the_same() -> None:
    salt = new_salt()
    kept = await slow_hash("123456", salt, SECRET)
    assert kept == await slow_hash("123456", salt, SECRET)
    assert (
        len({kept, await slow_hash("123456", new_salt(), SECRET), await slow_hash("123456", salt, SECRET + "x")}) == 3
    )


@pytest.fixture
async def me(db: Database, settings: Settings) -> AsyncIterator[Client]:
    """Somebody signed in, with money."""
    roomy = replace(settings, dev=True, requests_per_minute_max=10**6)
    [made] = await create_accounts(db, roomy, "user", 1)
    async with db.begin() as tx:
        await wallet.credit(tx, made["account_id"], 100_000, "gift", "test")
    async with serving(build_app(db, roomy)) as base, ClientSession() as session:
        client = Client(base, session, made["access_token"])
        client.account_id = made["account_id"]  # type: ignore[attr-defined]
        yield client


async def code(me: Client) -> str:
    status, _, sent = await me.send("POST", f"{PATH}/codes")
    assert status == 201, sent
    return str(sent["dev_code"])


async def put(me: Client, password: str, by: str) -> tuple[int, Any]:
    status, _, answer = await me.send("PUT", PATH, json={"password": password, "code": by})
    return status, answer


async def change(me: Client, password: str, old: str) -> tuple[int, Any]:
    status, _, answer = await me.send("PATCH", PATH, json={"password": password, "old_password": old})
    return status, answer


async def withdraw(me: Client, n: int, **more: Any) -> tuple[int, Any]:
    body = {
        "amount": {"amount": 100, "currency": "CNY"},
        "payee": {"method": "bank", "name": "A", "number": "6222020200112233445"},
        **more,
    }
    headers = {"Idempotency-Key": f"key-withdraw-{n:06}"}
    status, _, answer = await me.send("POST", "/v1/wallet/withdrawals", json=body, headers=headers)
    return status, answer


async def test_setting_changing_forgetting(me: Client, clock: ManualClock) -> None:
    """RV-038, RV-039, RV-040."""
    assert (await me.send("GET", PATH))[2] == {"is_set": False, "locked_until": None, "changed_at": None}
    assert (await change(me, "111111", "000000"))[1]["code"] == "pay_password_required"
    assert (await withdraw(me, 1))[0] == 201  # who has none is asked for none
    first = await code(me)
    for wrong in ("12345", "1234567", "12345a", "١٢٣٤٥٦"):
        assert (await put(me, wrong, first))[1]["code"] == "bad_pay_password"
    assert (await put(me, "123456", "000000" if first != "000000" else "000001"))[1]["code"] == "code_wrong"
    assert (await put(me, "123456", first))[1]["is_set"]
    assert (await put(me, "654321", first))[1]["code"] == "code_expired"  # a code opens once

    assert (await withdraw(me, 2))[1]["code"] == "pay_password_required"
    assert (await withdraw(me, 3, password="000000"))[1]["code"] == "pay_password_wrong"
    assert (await withdraw(me, 4, password="123456"))[0] == 201
    assert (await change(me, "222222", "000000"))[1]["code"] == "old_password_wrong"
    assert (await change(me, "222222", "123456"))[0] == 200
    assert (await withdraw(me, 5, password="222222"))[0] == 201

    for _ in range(WRONG_MAX):
        await change(me, "333333", "000000")
    status, locked = await change(me, "333333", "000000")
    assert (status, locked["code"]) == (423, "pay_locked")
    assert (await withdraw(me, 6, password="222222"))[0] == 423
    assert (await me.send("GET", PATH))[2]["locked_until"] == locked["until"]
    clock.advance(seconds=60)
    assert (await put(me, "444444", await code(me)))[1]["locked_until"] is None  # RV-040
    assert (await withdraw(me, 7, password="444444"))[0] == 201


async def test_a_code_for_signing_in_sets_no_password(me: Client, db: Database) -> None:
    async with db.begin() as tx:
        phone = await tx.fetchval("SELECT phone FROM accounts WHERE id = $1", me.account_id)  # type: ignore[attr-defined]
    sent = (await me.send("POST", "/v1/auth/codes", json={"phone": phone}))[2]
    assert (await put(me, "123456", sent["dev_code"]))[1]["code"] == "code_wrong"


async def test_many_guesses_at_once_get_no_more_tries(db: Database) -> None:
    salt = new_salt()
    await db.run(passwords.actions.put, "acc_ann", salt, await slow_hash("123456", salt, SECRET))
    wrong, right = await slow_hash("000000", salt, SECRET), await slow_hash("123456", salt, SECRET)
    guesses = [db.run(passwords.actions.attempt, "acc_ann", salt, wrong) for _ in range(12)]
    refusals = await asyncio.gather(*guesses)
    assert [type(one) for one in refusals].count(PasswordWrong) == WRONG_MAX
    assert isinstance(await db.run(passwords.actions.attempt, "acc_ann", salt, right), PayLocked)
