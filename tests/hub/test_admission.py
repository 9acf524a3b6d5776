"""How many sockets there may be: in all, from one address, of one account."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from hub.transport.admission import RETRY_AFTER_S
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.hub.world import World, running

POLL = "/socket.io/?EIO=4&transport=polling"
SOCKET = "/socket.io/?EIO=4&transport=websocket"


@pytest.fixture
async def open_with(db: Database, redis: Any, settings: Settings, clock: ManualClock) -> AsyncIterator[Any]:
    """Makes a hub with these limits."""
    worlds: list[Any] = []

    async def make(**limits: int) -> World:
        worlds.append(running(db, redis, dataclasses.replace(settings, **limits), clock))
        return await worlds[-1].__aenter__()

    yield make
    for world in worlds:
        await world.__aexit__(None, None, None)


async def refusal(http: aiohttp.ClientSession, transport: str) -> tuple[int, int]:
    """Status and Retry-After of a connection that is turned away."""
    if transport == "polling":
        async with http.get(POLL) as answer:
            return answer.status, int(answer.headers["Retry-After"])
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(SOCKET)
    assert refused.value.headers is not None
    return refused.value.status, int(refused.value.headers["Retry-After"])


@pytest.mark.parametrize("limit", ["socket_count_max", "socket_per_address_max"])
@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_one_more_than_there_may_be_is_told_when_to_come_back(
    open_with: Callable[..., Any], limit: str, transport: str
) -> None:
    world = await open_with(**{limit: 2})
    async with aiohttp.ClientSession(world.url) as http:
        first = await http.ws_connect(SOCKET)
        async with http.get(POLL) as answer:
            assert answer.status == 200
        status, retry_after_s = await refusal(http, transport)
        assert status == 503
        assert RETRY_AFTER_S[0] <= retry_after_s <= RETRY_AFTER_S[1]
        await first.close()
        async with asyncio.timeout(2):
            while world.hub.emitter.sessions == 2:
                await asyncio.sleep(0.01)
        async with http.get(POLL) as answer:
            assert answer.status == 200


async def test_of_too_many_sockets_of_one_account_the_oldest_goes(open_with: Callable[..., Any]) -> None:
    world = await open_with(socket_per_account_max=2)
    token = world.truth.token("c")
    phones = [await world.phone("/customer", {"token": token}) for _ in range(3)]
    await phones[0].gone()
    closing = phones[0].bodies("closing")[0]
    assert (closing["code"], closing["reconnect"]) == ("replaced", False)
    other = await world.phone("/customer", {"token": world.truth.token("d")})
    await world.ring(1, to="customer:acc_c")
    for phone in phones[1:]:
        await phone.until(lambda phone=phone: phone.bells() == [1])  # type: ignore[misc]
    assert not other.is_gone.is_set()
    await phones[1].close()
    await phones[2].close()
    async with asyncio.timeout(2):
        while len(world.hub.members) > 1:
            await asyncio.sleep(0.01)
    assert list(world.hub._of_account) == [("/customer", "acc_d")]


async def test_those_who_wait_for_admission_wait_their_turn_and_all_get_in(open_with: Callable[..., Any]) -> None:
    world = await open_with()
    world.hub.emitter._turn = asyncio.Semaphore(2)
    at_once, most = 0, 0
    admit = world.truth.admit

    async def counted(token: str) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.02)
        at_once -= 1
        return await admit(token)

    world.truth.admit, world.truth.gate_delay_s = counted, 0.001  # nobody is let in at once
    phones = await asyncio.gather(
        *(world.phone("/customer", {"token": world.truth.token(f"c{n}")}) for n in range(12))
    )
    assert all(phone.ready for phone in phones)
    assert most == 2
