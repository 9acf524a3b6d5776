"""Signing in: codes that open once, limits that hold, and nothing said about who exists."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st

from rest.app import build_app
from rest.people import actions, store
from rest.people.auth import Keys
from rest.people.jobs import outside_jobs
from rest.people.model import mask_phone, normal_phone
from rest.people.senders import HttpCodeSender
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from tests.edge.conftest import serving
from tests.people.conftest import PHONE, Phone


async def accounts(db: Database) -> int:
    async with db.begin() as tx:
        return await tx.fetchval("SELECT count(*) FROM accounts")


async def test_a_new_phone_becomes_an_account_and_a_known_one_stays(phone: Phone, clock: ManualClock) -> None:
    status, first = await phone.sign_in()
    assert status == 201
    assert first["account"] | {"id": "", "created_at": ""} == {
        "id": "", "created_at": "", "phone_masked": "138****00", "nickname": "", "roles": ["user"], "status": "active",
        "version": 1,
    }  # fmt: skip
    assert phone.answered["Location"] == f"/v1/auth/sessions/{first['session_id']}"
    clock.advance(minutes=2)
    status, again = await phone.twin().sign_in()
    assert (status, again["account"]["id"]) == (201, first["account"]["id"])
    assert again["session_id"] != first["session_id"]


async def test_the_same_number_may_be_written_with_and_without_country(phone: Phone, clock: ManualClock) -> None:
    await phone.sign_in("13800138000")
    clock.advance(minutes=2)
    other = phone.twin()
    await other.sign_in("+8613800138000")
    assert other.account["id"] == phone.account["id"]


async def test_a_code_is_good_for_five_minutes(phone: Phone, clock: ManualClock) -> None:
    code = await phone.code()
    clock.advance(seconds=299)
    assert (await phone.sign_in(code=code))[0] == 201
    clock.advance(minutes=2)
    code = await phone.code()
    clock.advance(seconds=300)
    status, problem = await phone.sign_in(code=code)
    assert (status, problem["code"]) == (422, "code_expired")


async def test_a_code_opens_once(phone: Phone) -> None:
    code = await phone.code()
    assert (await phone.sign_in(code=code))[0] == 201
    status, problem = await phone.twin().sign_in(code=code)
    assert (status, problem["code"]) == (422, "code_expired")


async def test_of_racing_senders_of_one_code_one_signs_in(phone: Phone, db: Database) -> None:
    code = await phone.code()
    answers = await asyncio.gather(*(phone.twin().sign_in(code=code) for _ in range(4)))
    assert Counter(status for status, _ in answers) == {201: 1, 422: 3}
    assert await accounts(db) == 1


async def test_five_wrong_codes_close_it_even_for_the_right_one(phone: Phone, clock: ManualClock, db: Database) -> None:
    code = await phone.code()
    wrong = f"{(int(code) + 1) % 10**6:06}"
    for left in (4, 3, 2, 1, 0):
        status, problem = await phone.sign_in(code=wrong)
        assert (status, problem["code"], problem["tries_left"]) == (422, "code_wrong", left)
    status, problem = await phone.sign_in(code=code)
    assert (status, problem["code"], problem["retryable"]) == (429, "too_many_tries", False)
    assert await accounts(db) == 0
    clock.advance(seconds=60)
    assert (await phone.sign_in())[0] == 201


async def test_racing_guesses_get_five_tries_together(phone: Phone) -> None:
    code = await phone.code()
    guesses = [f"{(int(code) + n) % 10**6:06}" for n in range(1, 31)]
    answers = await asyncio.gather(*(phone.twin().sign_in(code=guess) for guess in guesses))
    assert Counter(problem["code"] for _, problem in answers) == {"code_wrong": 5, "too_many_tries": 25}


async def test_a_new_code_replaces_the_old_one(phone: Phone, clock: ManualClock) -> None:
    old = await phone.code()
    clock.advance(seconds=60)
    new = await phone.code()
    if old != new:
        assert (await phone.sign_in(code=old))[1]["code"] == "code_wrong"
    assert (await phone.sign_in(code=new))[0] == 201


async def test_codes_come_at_most_each_minute_and_five_an_hour(phone: Phone, clock: ManualClock) -> None:
    for n in range(5):
        assert (await phone.send("POST", "/v1/auth/codes", {"phone": PHONE}))[0] == 201
        clock.advance(seconds=59)
        status, problem = await phone.send("POST", "/v1/auth/codes", {"phone": PHONE})
        assert (status, problem["code"], phone.answered["Retry-After"]) == (
            429, "too_many_codes", "1" if n < 4 else str(3600 - 4 * 60 - 59),
        )  # fmt: skip
        clock.advance(seconds=1)
    clock.advance(seconds=3600 - 5 * 60)
    assert (await phone.send("POST", "/v1/auth/codes", {"phone": PHONE}))[0] == 201


async def test_signing_in_does_not_reset_the_hourly_count(phone: Phone, clock: ManualClock) -> None:
    for _ in range(5):
        assert (await phone.sign_in())[0] == 201
        clock.advance(seconds=61)
    assert (await phone.send("POST", "/v1/auth/codes", {"phone": PHONE}))[1]["code"] == "too_many_codes"


async def test_racing_requests_for_one_phone_send_one_code(phone: Phone, db: Database) -> None:
    answers = await asyncio.gather(*(phone.send("POST", "/v1/auth/codes", {"phone": PHONE}) for _ in range(12)))
    assert Counter(status for status, _ in answers) == {201: 1, 429: 11}


async def test_one_address_may_ask_for_thirty_codes_an_hour(phone: Phone, clock: ManualClock) -> None:
    for n in range(30):
        assert (await phone.send("POST", "/v1/auth/codes", {"phone": f"138001380{n:02}"}))[0] == 201
    status, problem = await phone.send("POST", "/v1/auth/codes", {"phone": "13800138099"})
    assert (status, problem["code"], problem["policy"]) == (429, "rate_limited", "sign_in_codes")
    clock.advance(minutes=2)
    assert (await phone.send("POST", "/v1/auth/codes", {"phone": "13800138099"}))[0] == 201


async def test_nobody_learns_which_phones_have_accounts(phone: Phone, clock: ManualClock) -> None:
    await phone.sign_in("13800138001")
    clock.advance(minutes=2)
    shapes = []
    for number in ("13800138001", "13800138002"):
        guest = phone.twin()
        status, sent = await guest.send("POST", "/v1/auth/codes", {"phone": number})
        wrong = f"{(int(sent.pop('dev_code')) + 1) % 10**6:06}"
        refused = await guest.sign_in(number, wrong)
        unasked = await guest.sign_in("1390013900" + number[-1], "000000")
        shapes.append(
            (status, sent, refused[0], refused[1]["code"], refused[1]["detail"], unasked[0], unasked[1]["code"])
        )
    assert shapes[0] == shapes[1]


NO_PHONES = [
    "", "138", "12345678901", "23800138000", "1380013800a", "138001380000", "+8612345678901", "+8613800138000 ",
    "13800138000\n", "+0123456789", "+1234567890123456", "+861380013800", "\uff11\uff13800138000", "+86 13800138000",
    "tel:13800138000",
]  # fmt: skip
NO_CODES = ["", "12345", "1234567", "12345a", "123456\n", "\uff1123456", " 123456"]


async def test_what_is_no_phone_is_refused(phone: Phone) -> None:
    for number in NO_PHONES:
        for path, body in (("codes", {"phone": number}), ("sessions", {"phone": number, "code": "123456"})):
            status, problem = await phone.send("POST", f"/v1/auth/{path}", body)
            assert (status, problem["code"], problem["field"]) == (400, "invalid_input", "phone"), number


async def test_what_is_no_code_is_refused(phone: Phone) -> None:
    for code in NO_CODES:
        status, problem = await phone.send("POST", "/v1/auth/sessions", {"phone": PHONE, "code": code})
        assert (status, problem["code"], problem["field"]) == (400, "invalid_input", "code"), code


@given(st.from_regex(r"1[3-9][0-9]{9}|\+(?:1|44|852)[0-9]{8,10}", fullmatch=True))
def test_numbers_are_kept_whole_and_shown_masked(number: str) -> None:
    phone = normal_phone(number)
    assert normal_phone(phone) == phone
    masked = mask_phone(phone)
    assert "****" in masked
    assert sum(letter.isdigit() for letter in masked) <= 5


async def test_codes_are_nowhere_in_clear(phone: Phone, db: Database, logged: io.StringIO) -> None:
    code = await phone.code()
    async with db.begin() as tx:
        row = await tx.fetchrow("SELECT code_hash FROM sign_in_codes")
        stored = str(await tx.fetch("SELECT row_to_json(jobs)::text FROM jobs"))
    assert code.encode() not in row["code_hash"]
    assert code not in stored
    assert code not in logged.getvalue().replace(PHONE, "")


async def test_outside_development_the_code_goes_to_the_gateway_and_nowhere_else(
    db: Database, settings: Settings, clock: ManualClock, keys: Keys, logged: io.StringIO
) -> None:
    taken: list[dict[str, object]] = []
    trouble = [True]

    async def gateway(request: web.Request) -> web.Response:
        if trouble.pop() if trouble else False:
            return web.Response(status=500)
        taken.append(await request.json())
        return web.Response(status=202)

    sms = web.Application()
    sms.router.add_post("/send", gateway)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(sms)) + "/send"
        live = replace(settings, dev=False, sms_url=url)
        base = await stack.enter_async_context(serving(build_app(db, live)))
        jobs = JobRunner(db, live, {}, outside=outside_jobs(keys, HttpCodeSender(url), clock))
        phone = Phone(base, await stack.enter_async_context(ClientSession()))
        status, sent = await phone.send("POST", "/v1/auth/codes", {"phone": PHONE})
        assert (status, "dev_code" in sent) == (201, False)
        await jobs.drain()
        assert taken == []
        clock.advance(seconds=2)
        await jobs.drain()
        assert [(call["phone"], call["ttl_s"]) for call in taken] == [("+86" + PHONE, 298)]
        assert (await phone.sign_in(code=str(taken[0]["code"])))[0] == 201
    assert str(taken[0]["code"]) not in logged.getvalue()
    assert "+8613800138000" not in logged.getvalue()


async def test_a_code_that_ran_out_is_not_sent(clock: ManualClock, keys: Keys) -> None:
    class Nobody:
        async def send(self, phone: str, code: str, *, ttl_s: int) -> None:
            raise AssertionError("sent too late")

    job = outside_jobs(keys, Nobody(), clock)[actions.SEND_CODE]
    payload = {"phone": "+8613800138000", "sealed": keys.seal_code("+8613800138000", "123456"), "expires_at": 0}
    await job(payload)


async def test_a_sealed_code_opens_for_its_phone_only(keys: Keys) -> None:
    sealed = keys.seal_code("+8613800138000", "123456")
    assert keys.open_code("+8613800138000", sealed) == "123456"
    with pytest.raises(ValueError):
        keys.open_code("+8613800138001", sealed)
    with pytest.raises(ValueError):
        Keys("x" * 32).open_code("+8613800138000", sealed)


async def test_a_closed_account_cannot_sign_in(phone: Phone, clock: ManualClock, db: Database) -> None:
    await phone.sign_in()
    async with db.begin() as tx:
        await tx.execute("UPDATE accounts SET status = 'closed'")
    clock.advance(minutes=2)
    status, problem = await phone.sign_in()
    assert (status, problem["code"]) == (403, "account_closed")
    status, problem = await phone.refreshed()
    assert (status, problem["code"]) == (403, "account_closed")


async def test_a_phone_signing_in_twice_at_once_is_one_account(db: Database) -> None:
    async def add() -> str:
        async with db.begin() as tx:
            return (await store.find_or_add_account(tx, tx.new_id("acc"), "+8613800138000")).id

    assert len(set(await asyncio.gather(*(add() for _ in range(12))))) == 1
