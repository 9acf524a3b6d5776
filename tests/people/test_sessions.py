"""Sessions: access tokens, refresh rotation, revocation, and other people's tokens."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta

import jwt
import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from rest.app import begin_housekeeping, build_app
from rest.edge.errors import SessionRevoked, TokenExpired, TokenInvalid
from rest.people import actions
from rest.people.auth import Keys
from rest.people.gate import SessionGate
from rest.people.model import RefreshInvalid
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from storage.tx import Tx
from tests.conftest import MONDAY, SECRET
from tests.edge.conftest import serving
from tests.people.conftest import Phone, facts


async def test_an_access_token_opens_for_a_quarter_of_an_hour(phone: Phone, clock: ManualClock) -> None:
    _, body = await phone.sign_in()
    assert body["access_expires_at"] == "2026-01-05T02:15:00.000Z"
    clock.advance(seconds=899)
    assert (await phone.send("GET", "/v1/me"))[0] == 200
    clock.advance(seconds=1)
    status, problem = await phone.send("GET", "/v1/me")
    assert (status, problem["code"]) == (401, "token_expired")
    assert (await phone.refreshed())[0] == 200
    assert (await phone.send("GET", "/v1/me"))[0] == 200


async def test_each_refresh_token_is_good_once_and_its_reuse_ends_the_session(phone: Phone, db: Database) -> None:
    await phone.sign_in()
    first = phone.refresh
    status, body = await phone.refreshed()
    assert (status, body["session_id"]) == (200, phone.session_id)
    assert body["refresh_token"] != first
    status, problem = await phone.refreshed(first)
    assert (status, problem["code"]) == (401, "refresh_reused")
    status, problem = await phone.refreshed()
    assert (status, problem["code"]) == (401, "session_revoked")
    assert await facts(db, "session.revoked") == [
        ({"session_id": phone.session_id, "reason": "refresh_reused"}, [f"session:{phone.session_id}"])
    ]


@pytest.mark.parametrize("round_", range(3))
async def test_of_racing_refreshes_one_wins_and_the_session_ends(phone: Phone, db: Database, round_: int) -> None:
    await phone.sign_in()
    token = phone.refresh
    answers = await asyncio.gather(*(phone.twin().refreshed(token) for _ in range(8)))
    codes = Counter(body.get("code", "ok") for _, body in answers)
    assert codes["ok"] == 1
    assert codes["refresh_reused"] == 1
    assert codes["session_revoked"] == 6
    assert len(await facts(db, "session.revoked")) == 1


async def test_a_session_lives_as_long_as_it_is_refreshed(phone: Phone, clock: ManualClock) -> None:
    await phone.sign_in()
    for _ in range(3):
        clock.advance(hours=29 * 24)
        assert (await phone.refreshed())[0] == 200
    clock.advance(hours=30 * 24)
    status, problem = await phone.refreshed()
    assert (status, problem["code"]) == (401, "refresh_invalid")


@given(st.text(max_size=120), st.integers(0, 200), st.characters())
def test_a_made_up_refresh_token_is_worth_nothing(text: str, place: int, letter: str) -> None:
    keys = Keys(SECRET)
    with pytest.raises(RefreshInvalid):
        keys.read_refresh(text)
    token = keys.refresh_token("ses_" + "0" * 26, 7).text
    place %= len(token)
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        with pytest.raises(RefreshInvalid):
            keys.read_refresh(changed)
    assert keys.read_refresh(token).generation == 7


async def test_a_made_up_older_token_does_not_end_the_session(phone: Phone) -> None:
    await phone.sign_in()
    await phone.refreshed()
    forged = Keys("another-secret-another-secret-another").refresh_token(phone.session_id, 1).text
    status, problem = await phone.twin().refreshed(forged)
    assert (status, problem["code"]) == (401, "refresh_invalid")
    assert (await phone.refreshed())[0] == 200


def forge(**changes: object) -> str:
    claims = {
        "sub": "acc_1",
        "sid": "ses_1",
        "roles": ["admin"],
        "iat": MONDAY.timestamp(),
        "exp": MONDAY.timestamp() + 60,
    }
    return jwt.encode({**claims, **changes}, "k" * 32, algorithm="HS256")


@pytest.mark.parametrize(
    "token",
    [
        "x", "a.b.c", "..", "", "é", forge(), forge(exp="soon"),
        jwt.encode({"sub": "acc_1", "sid": "s", "roles": [], "iat": 1, "exp": 4e9}, None, algorithm="none"),
    ],
)  # fmt: skip
def test_tokens_of_others_are_refused(token: str) -> None:
    with pytest.raises(TokenInvalid):
        Keys(SECRET).verify(token, MONDAY)


CLAIMS = {"sub": "acc_1", "sid": "ses_1", "roles": ["ops"], "iat": MONDAY.timestamp(), "exp": MONDAY.timestamp() + 60}


@given(st.integers(0, 400), st.characters(codec="ascii"), st.sampled_from(["instead", "before", "gone"]))
def test_no_other_text_passes_for_a_token(at: int, letter: str, how: str) -> None:
    """Not even one that a decoder of base64 would read alike."""
    keys = Keys(SECRET)
    token = keys.issue("ses_1", "acc_1", frozenset({"ops"}), MONDAY, 60).text
    at %= len(token)
    changed = token[:at] + ("" if how == "gone" else letter) + token[at + (how != "before") :]
    if changed == token:
        assert keys.verify(changed, MONDAY).account_id == "acc_1"
    else:
        with pytest.raises(TokenInvalid):
            keys.verify(changed, MONDAY)


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("header", [{"kid": "1"}, {"typ": "at+jwt"}, {"alg": "HS512"}], ids=["key", "type", "hash"])
def test_a_token_has_one_form(header: dict[str, str]) -> None:
    """One with our key in another form is none of ours; the library reads what we make."""
    keys = Keys(SECRET)
    text = keys.issue("ses_1", "acc_1", frozenset({"ops"}), MONDAY, 60).text
    long_ago = {"verify_exp": False, "verify_iat": False}
    assert jwt.decode(text, keys._access, algorithms=["HS256"], options=long_ago) == CLAIMS
    assert jwt.encode(CLAIMS, keys._access, algorithm="HS256") == text
    algorithm = header.get("alg", "HS256")
    with pytest.raises(TokenInvalid):
        keys.verify(jwt.encode(CLAIMS, keys._access, algorithm=algorithm, headers=header), MONDAY)


def test_a_token_says_who_and_until_when(keys: Keys) -> None:
    token = keys.issue("ses_1", "acc_1", frozenset({"user", "ops"}), MONDAY, 900)
    actor = keys.verify(token.text, MONDAY)
    assert (actor.account_id, actor.session_id, actor.roles) == ("acc_1", "ses_1", {"user", "ops"})
    assert (actor.issued_at, actor.expires_at) == (MONDAY, token.expires_at)
    with pytest.raises(TokenExpired):
        keys.verify(token.text, token.expires_at)
    with pytest.raises(ValueError):
        keys.issue("ses_1", "acc_1", frozenset(), MONDAY, 86_401)
    with pytest.raises(ValueError):
        Keys("short")


async def test_signing_out_holds_at_once_here(phone: Phone, db: Database) -> None:
    await phone.sign_in()
    assert (await phone.send("DELETE", "/v1/auth/sessions/current")) == (204, None)
    status, problem = await phone.send("GET", "/v1/me")
    assert (status, problem["code"]) == (401, "session_revoked")
    assert [fact["reason"] for fact, _ in await facts(db, "session.revoked")] == ["signed_out"]


async def test_signing_out_holds_within_a_second_elsewhere(phone: Phone, db: Database, settings: Settings) -> None:
    await phone.sign_in()
    async with serving(build_app(db, settings)) as base, ClientSession() as session:
        elsewhere = Phone(base, session, phone.access)
        assert (await elsewhere.send("GET", "/v1/me"))[0] == 200
        assert (await phone.send("DELETE", "/v1/auth/sessions/current"))[0] == 204
        began = asyncio.get_running_loop().time()
        while (await elsewhere.send("GET", "/v1/me"))[0] == 200:
            await asyncio.sleep(0.02)
        assert asyncio.get_running_loop().time() - began < 1


async def test_after_a_quiet_time_the_first_request_knows(phone: Phone, db: Database, keys: Keys) -> None:
    await phone.sign_in()
    gate = SessionGate(db, keys)
    await gate.admit(phone.access or "")
    async with db.begin() as tx:
        await actions.end_sessions(tx, phone.account["id"], None, "test")
    await asyncio.sleep(0.95)
    with pytest.raises(SessionRevoked):
        await gate.admit(phone.access or "")


async def test_a_gate_that_starts_later_knows_what_ended_before(
    phone: Phone, db: Database, keys: Keys, clock: ManualClock
) -> None:
    await phone.sign_in()
    long = keys.issue(phone.session_id, phone.account["id"], frozenset({"user"}), clock.now(), 86_400)
    await phone.send("DELETE", "/v1/auth/sessions/current")
    clock.advance(hours=23)
    with pytest.raises(SessionRevoked):
        await SessionGate(db, keys).admit(long.text)


class CountingDatabase(Database):
    """Counts the looks it is asked for."""

    opened = 0

    def look(self) -> AbstractAsyncContextManager[Tx]:
        self.opened += 1
        return super().look()


async def test_many_requests_cost_the_gate_few_looks(phone: Phone, db: Database, keys: Keys) -> None:
    await phone.sign_in()
    counting = CountingDatabase(db.pool, db.clock)
    gate = SessionGate(counting, keys)
    for _ in range(20):
        await asyncio.gather(*(gate.admit(phone.access or "") for _ in range(200)))
    assert counting.opened == 1


async def test_own_sessions_are_listed_and_ended_one_by_one(phone: Phone, clock: ManualClock) -> None:
    devices = [phone.twin() for _ in range(3)]
    for n, device in enumerate(devices):
        device.headers["User-Agent"] = f"app/{n}"
        clock.advance(minutes=2)
        await device.sign_in()
    last = devices[-1]
    status, page = await last.send("GET", "/v1/auth/sessions?limit=2")
    assert [(row["user_agent"], row["is_current"]) for row in page["data"]] == [("app/2", True), ("app/1", False)]
    status, page = await last.send("GET", f"/v1/auth/sessions?limit=2&cursor={page['next_cursor']}")
    assert [row["user_agent"] for row in page["data"]] == ["app/0"]
    assert (await last.send("GET", f"/v1/auth/sessions/{devices[0].session_id}"))[1]["user_agent"] == "app/0"
    assert (await last.send("DELETE", f"/v1/auth/sessions/{devices[0].session_id}"))[0] == 204
    assert (await last.send("DELETE", f"/v1/auth/sessions/{devices[0].session_id}"))[1]["code"] == "not_found"
    assert (await devices[0].send("GET", "/v1/me"))[1]["code"] == "session_revoked"
    assert (await devices[1].send("GET", "/v1/me"))[0] == 200


async def test_sessions_of_others_are_not_found(phone: Phone) -> None:
    stranger = phone.twin()
    await phone.sign_in("13800138001")
    await stranger.sign_in("13800138002")
    for method in ("GET", "DELETE"):
        status, problem = await stranger.send(method, f"/v1/auth/sessions/{phone.session_id}")
        assert (status, problem["code"]) == (404, "not_found")
    assert (await phone.send("GET", "/v1/me"))[0] == 200


async def test_old_sessions_and_codes_are_forgotten(
    phone: Phone, db: Database, clock: ManualClock, settings: Settings
) -> None:
    from rest.edge.deadlines import DEADLINES as EDGE
    from rest.people.jobs import DEADLINES as PEOPLE
    from storage.jobs import JobRunner

    await phone.sign_in()
    runner = JobRunner(db, settings, {**EDGE, **PEOPLE})
    async with db.begin() as tx:
        await begin_housekeeping(tx, settings)
        await tx.execute(
            "INSERT INTO idempotency_keys (scope, key, fingerprint, created_at) VALUES ('s', 'k', '', $1)", tx.now
        )
    for wait, expected in ((timedelta(hours=1), (1, 1, 1)), (timedelta(hours=25), (0, 1, 1)),
                           (timedelta(hours=50), (0, 1, 0)), (timedelta(days=61), (0, 0, 0))):  # fmt: skip
        clock.advance(seconds=wait.total_seconds())
        await runner.drain()
        async with db.begin() as tx:
            left = [
                await tx.fetchval(f"SELECT count(*) FROM {table}")
                for table in ("sign_in_codes", "sessions", "idempotency_keys")
            ]
        assert tuple(left) == expected, wait


async def test_settings_decide_how_long_things_live(db: Database, settings: Settings, clock: ManualClock) -> None:
    app = build_app(db, replace(settings, access_ttl_s=60, refresh_ttl_s=120))
    async with serving(app) as base, ClientSession() as session:
        phone = Phone(base, session)
        _, body = await phone.sign_in()
        assert body["access_expires_at"] == "2026-01-05T02:01:00.000Z"
        assert body["refresh_expires_at"] == "2026-01-05T02:02:00.000Z"
