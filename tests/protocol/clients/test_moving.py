"""A client that moves from polling to a WebSocket is one client: its messages stay in order."""

from __future__ import annotations

from tests.protocol.wire import UPGRADE, Socket, Wire


async def hear_start(socket: Socket, start: str) -> str:
    """The next packet that begins like this."""
    while not (packet := str(await socket.hear())).startswith(start):
        assert packet != "None", "the server closed"
    return packet


async def test_what_was_posted_is_handled_before_what_comes_by_the_websocket(playground: str) -> None:
    async with Wire.to(f"{playground}/socket.io/", is_ours=True) as wire, wire.socket_open() as other:
        await other.say("40")
        session = await wire.poll_open()
        await session.post("40")
        await session.post('42["hold","moving",1]')  # answered when it has come, not when it has been handled
        async with session.probing() as socket:
            await socket.say(UPGRADE)
            await socket.say('42["count","moving",2]')
            await socket.say('421["counted","moving"]')
            await wire.settle()
            await other.say('422["release","moving"]')
            assert await hear_start(other, "432") == '432["moving"]'
            assert await hear_start(socket, "431") == "431[[1,2]]"
