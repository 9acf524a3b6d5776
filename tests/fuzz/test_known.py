"""What fuzzing has found, each by itself."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from random import Random

import aiohttp
import pytest

from hub.transport.front import read_handshake
from tests.fuzz import frames, parsers
from tests.fuzz.attacks import HANDSHAKE, Marks, Target
from tests.fuzz.battle import Battle, server


async def test_those_who_ask_to_join_and_break_off_in_a_crowd_are_told_to_have_left() -> None:
    with server() as port:
        target, rng = Target(port, Marks()), Random(0)
        broken = frames.Frame(frames.TEXT, b"", rsv=1).wire()
        async with AsyncExitStack() as crowd:
            connections = [await crowd.enter_async_context(target.connect(rng)) for _ in range(200)]
            for connection in connections:
                await connection.send(HANDSHAKE)
                await connection.head()
            for connection in connections:
                connection.writer.write(frames.Frame(frames.TEXT, b"40").wire() + broken)
            for connection in connections:
                await connection.read_all()
        # Their sockets are closed before the floor is told, so the last of them may still be on their way out.
        async with asyncio.timeout(10):
            while (await Battle(port, "").census())["links"]:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("sound", [b"dGhlIHNhbXBsZ", b"Connection: Upgrade", b"Version: 13"])
async def test_a_handshake_that_is_not_ascii_is_refused(sound: bytes) -> None:
    with server() as port:
        async with Target(port, Marks()).connect(Random(0)) as connection:
            await connection.send(HANDSHAKE.replace(sound, sound[:-3] + b"\xc9" + sound[-2:], 1))
            assert (await connection.head()).startswith(b"HTTP/1.1 400 ")


async def test_an_answer_too_deep_to_be_written_ends_the_session_in_one_line() -> None:
    with server() as port:
        async with Target(port, Marks()).connect(Random(0)) as connection:
            await connection.send(HANDSHAKE)
            await connection.head()
            deep = b'421["message",' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"]"
            joined = frames.Frame(frames.TEXT, b"40").wire()
            connection.writer.write(joined + frames.Frame(frames.TEXT, b"4" + deep[1:]).wire())
            await connection.read_all()
        now = await Battle(port, "").census()
        assert now["alarms"] == []
        assert now["lines"]["socket.protocol_broken"] == 1


@pytest.mark.parametrize("before", [b"", b'42["give",1]\x1e'], ids=["at once", "after one that waits"])
async def test_polled_too_it_ends_the_session_in_one_line(before: bytes) -> None:
    with server() as port:
        url = f"http://127.0.0.1:{port}/socket.io/?EIO=4&transport=polling"
        async with aiohttp.ClientSession() as http:
            async with http.get(url) as opened:
                sid = json.loads((await opened.text())[1:])["sid"]
            deep = b'42["message",' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"]"
            async with http.post(f"{url}&sid={sid}", data=b"40\x1e" + before + deep) as answer:
                await answer.read()
            await asyncio.sleep(0.05)
            async with http.get(f"{url}&sid={sid}") as after:
                assert after.status == 400
        now = await Battle(port, "").census()
        assert (now["unhandled"], now["alarms"], now["links"]) == ([], [], 0)
        assert now["lines"]["socket.protocol_broken"] == 1


async def test_an_expectation_that_is_not_ascii_is_refused() -> None:
    with server() as port:
        async with Target(port, Marks()).connect(Random(0)) as connection:
            await connection.send(HANDSHAKE.replace(b"Host: ", b"Expect: 100-\xffontinue\r\nHost: ", 1))
            assert (await connection.head()).startswith(b"HTTP/1.1 417 ")


@pytest.mark.parametrize(
    "odd",
    [
        HANDSHAKE.replace(b"Host: ", b"X: a\nHost: elsewhere\r\nHost: "),
        HANDSHAKE.replace(b"Host: ", b"X: a\rb\r\nHost: "),
        HANDSHAKE.replace(b"Host: ", b"X: a\x00b\r\nHost: "),
        HANDSHAKE.replace(b"Host: ", b"X Y: z\r\nHost: "),
        HANDSHAKE.replace(b"websocket HTTP", b"websocket&x=\n HTTP"),
        HANDSHAKE.replace(b"dGhl", b"d\thl"),
    ],
)
def test_a_handshake_with_what_no_header_may_hold_is_left_to_aiohttp(odd: bytes) -> None:
    assert read_handshake(odd.removesuffix(b"\r\n\r\n"), "") is None


@pytest.mark.parametrize("code", [1012, 1013, 1014])  # registered after the RFC
async def test_a_goodbye_with_a_registered_code_is_answered(code: int) -> None:
    goodbye = frames.Frame(frames.CLOSE, code.to_bytes(2, "big")).wire()
    assert parsers.ours([goodbye], Random(0)).end == parsers.NORMAL
