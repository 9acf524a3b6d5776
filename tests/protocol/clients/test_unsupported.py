"""Clients of the protocol's third version (socket.io-client 2 and before) are told so, in words, and at once."""

from __future__ import annotations

import aiohttp
import pytest

VERSION_3 = "/socket.io/?EIO=3&transport="


async def test_polling_is_refused_in_words(playground: str) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{playground}{VERSION_3}polling") as response:
        assert response.status == 400
        assert "unsupported version" in await response.text()


async def test_a_websocket_is_refused_before_it_opens(playground: str) -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await http.ws_connect(f"{playground}{VERSION_3}websocket")
    assert refusal.value.status == 400
