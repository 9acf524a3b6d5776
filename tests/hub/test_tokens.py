"""Tokens on a living socket: warning, refresh, end; revocation within a second; roles taken away."""

from __future__ import annotations

import asyncio
import time

import pytest

from rest.people.facts import RolesChanged, SessionEnded
from tests.hub.world import World


async def test_a_token_is_announced_then_ends_the_socket(world: World) -> None:
    phone = await world.phone("/customer", {"token": world.truth.token("c", ttl_s=300)})
    world.clock.advance(seconds=239)
    await asyncio.sleep(0.05)
    assert phone.bodies("token.expiring") == []
    world.clock.advance(seconds=1)
    await phone.until(lambda: bool(phone.bodies("token.expiring")))
    assert phone.bodies("token.expiring") == [{"expires_at": "2026-01-05T02:05:00.000Z"}]
    world.clock.advance(seconds=60)
    await phone.gone()
    assert phone.bodies("closing")[0] | {"reason": ""} == {
        "code": "token_expired",
        "reason": "",
        "reconnect": False,
        "after_ms": 0,
    }


async def test_a_refreshed_socket_lives_on(world: World) -> None:
    phone = await world.phone("/customer", {"token": world.truth.token("c", ttl_s=300)})
    world.clock.advance(seconds=250)
    answer = await phone.ask("refresh", {"token": world.truth.token("c", ttl_s=900)})
    assert answer == {"ok": True, "expires_at": "2026-01-05T02:19:10.000Z"}
    world.clock.advance(seconds=800)
    await asyncio.sleep(0.05)
    assert not phone.is_gone.is_set()
    assert (await phone.ask("unwatch", {"order_id": "ord_1"})) == {"ok": True}


@pytest.mark.parametrize(
    ("account", "session", "code"),
    [("c", "ses_other", "other_session"), ("d", "ses_c", "other_session")],
)
async def test_a_socket_cannot_change_hands(world: World, account: str, session: str, code: str) -> None:
    phone = await world.phone("/customer", {"token": world.truth.token("c")})
    answer = await phone.ask("refresh", {"token": world.truth.token(account, session=session)})
    assert answer["error"]["code"] == code
    assert not phone.is_gone.is_set()


async def test_refreshing_with_a_bad_token_is_an_error_and_no_more(world: World) -> None:
    phone = await world.phone("/customer", {"token": world.truth.token("c", ttl_s=300)})
    for token, code in [("nonsense", "token_invalid"), ("", "login_required")]:
        assert (await phone.ask("refresh", {"token": token}))["error"]["code"] == code
    world.clock.advance(seconds=301)
    await phone.gone()


async def test_a_role_lost_before_a_refresh_is_noticed(world: World) -> None:
    phone = await world.phone("/desk", {"token": world.truth.token("o", "ops", ttl_s=300)})
    assert (await phone.ask("refresh", {"token": world.truth.token("o")}))["error"]["code"] == "forbidden"


async def test_a_revoked_session_loses_its_sockets_within_a_second(world: World) -> None:
    ours = [await world.phone(ns, {"token": world.truth.token("c", "ops")}) for ns in ("/customer", "/desk")]
    other = await world.phone("/customer", {"token": world.truth.token("c", session="ses_tablet")})
    began = time.monotonic()
    await world.tell(SessionEnded(session_id="ses_c", reason="signed_out"), "session:ses_c")
    for phone in ours:
        await phone.gone(1)
    assert time.monotonic() - began < 1
    assert {phone.bodies("closing")[0]["code"] for phone in ours} == {"session_revoked"}
    assert [phone.bodies("session.revoked") for phone in ours] == [[], []]
    assert (await other.ask("unwatch", {"order_id": "ord_1"})) == {"ok": True}


async def test_a_session_revoked_while_it_connected_is_caught(world: World) -> None:
    phone = await world.phone("/customer", {"token": world.truth.token("c")})
    world.truth.revoked.add("ses_c")  # its fact came before the socket was there
    world.clock.advance(seconds=1.3)
    await phone.gone(2)
    assert phone.bodies("closing")[0]["code"] == "session_revoked"


async def test_a_role_taken_away_closes_the_app_it_opened(world: World) -> None:
    desk = await world.phone("/desk", {"token": world.truth.token("o", "ops")})
    customer = await world.phone("/customer", {"token": world.truth.token("o", "ops")})
    fact = RolesChanged(account_id="acc_o", roles=["user"], version=2, by="acc_admin", reason="left the team")
    await world.tell(fact, "session:ses_o")
    await desk.gone(1)
    assert desk.bodies("closing")[0]["code"] == "forbidden"
    await customer.until(lambda: bool(customer.bodies("account.roles_changed")))
    assert not customer.is_gone.is_set()
