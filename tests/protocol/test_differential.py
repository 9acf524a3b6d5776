"""Sessions of clients, played to python-socketio as it is released and to our transport: both have to say the same.

Where ours is meant to say something else, a row of `DIFFERENCES` has both answers and the reason, and
`docs/transport-differences.md` has the same rows. A row that has become untrue on either side is a failure too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.protocol.sessions import Heard, Request, Session, over, play
from tests.protocol.stock import serving_ours, serving_stock
from tests.protocol.wire import CLOSE, POLLING, PONG, WEBSOCKET

PAGE = Path(__file__).parents[2] / "docs" / "transport-differences.md"

HOLE, TWO_HOLES = '{"_placeholder":true,"num":0}', '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
STILL_THERE = '421["give"]'
WS, POLLS, UPGRADES = "websocket", "polling", "upgrade"

SAME: dict[str, Session] = {
    "connect": over(WS, "40"),
    "connect with a payload": over(WS, '40{"token":"x"}', '421["auth"]'),
    "connect to another namespace": over(WS, '40/custom,{"token":"x"}', '42/custom,1["auth"]'),
    "connect to two namespaces": over(WS, "40", "40/custom,", '42/custom,["message",1]', '42["message",2]'),
    "connect to a namespace with a query": over(WS, "40/custom?token=x,", '42/custom,1["give"]'),
    "connect by polling": over(POLLS, '40{"token":"x"}', '421["auth"]'),
    "refuse": over(WS, '40{"refuse":true}', STILL_THERE, "40", '422["give"]'),
    "event": over(WS, "40", '42["message",1,"2",{"three":[true,null,1.5]}]'),
    "event with an ack": over(WS, "40", '42456["give",1,"2",{"three":[true,null]}]'),
    "ack without arguments": over(WS, "40", '420["give"]'),
    "ack with a large number": over(WS, "40", '42123456789["give"]'),
    "event in another namespace": over(WS, "40/custom,", '42/custom,7["message","é 中文 🚗 \\u0000"]'),
    "event with a name that is not ASCII": over(WS, "40", '421["消息"]'),
    "event with an empty name": over(WS, "40", '421["",1]'),
    "events in a row": over(WS, "40", tuple(f'42{n}["give",{n}]' for n in range(50))),
    "events in a row by polling": over(POLLS, "40", tuple(f'42{n}["give",{n}]' for n in range(15))),
    "event before connect": over(WS, '42["message",1]', "40", '42["message",2]'),
    "event in a namespace never joined": over(WS, "40", '42/custom,1["message"]'),
    "ack that nobody waits for": over(WS, "40", '4399["x"]', STILL_THERE),
    "binary event": over(WS, "40", (f'452-["message",{TWO_HOLES}]', b"\x01\x02", b"\x03")),
    "binary event with its parts the other way round": over(
        WS, "40", ('452-3["give",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]', b"\x01", b"\x02")
    ),
    "binary event in another namespace": over(WS, "40/custom,", (f'451-/custom,5["give",{HOLE}]', b"\x00\xff")),
    "binary event by polling": over(POLLS, "40", (f'451-8["give",[{HOLE}]]', b"\x01\x02")),
    "binary event with an empty part": over(WS, "40", (f'451-8["give",{HOLE}]', b"")),
    "binary ack that nobody waits for": over(WS, "40", (f"461-9[{HOLE}]", b"\x01"), STILL_THERE),
    "leave a namespace": over(WS, "40", "40/custom,", "41/custom,", '42/custom,1["give"]', STILL_THERE),
    "leave the only namespace and come back": over(WS, "40", "41", STILL_THERE, "40", '422["give"]'),
    "leave a namespace never joined": over(WS, "40", "41/custom,", STILL_THERE),
    "pong out of turn": over(WS, "40", PONG, STILL_THERE),
    "close by polling": over(POLLS, "40", CLOSE),
    "an Engine.IO packet that is none": over(WS, "40", "abc"),
    "HTTP: poll without a session": Request("GET", f"{POLLING}&sid=nobody"),
    "HTTP: post without a session": Request("POST", f"{POLLING}&sid=nobody", "40"),
    "HTTP: open by post": Request("POST", POLLING, "40"),
    "HTTP: open with an old protocol": Request("GET", "EIO=3&transport=polling"),
    "HTTP: open with an unknown transport": Request("GET", "EIO=4&transport=pigeon"),
    "HTTP: open from a page of another host": Request("GET", POLLING, headers={"Origin": "http://elsewhere.example"}),
}


OFFERS_COMPRESSION = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Extensions": "permessage-deflate",
}  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """An answer of ours that is meant to be another."""

    session: Session
    why: str


DIFFERENCES: dict[str, Difference] = {
    "an event named as the protocol's own": Difference(
        over(WS, "40", '421["connect",{"HTTP_X_USER":"admin"},{"greet":true}]'),
        "It would run the application's connect handler with an environment the client made up.",
    ),
    "a connect handler that crashes": Difference(
        over(WS, '40{"crash":true}', STILL_THERE),
        "Whoever was not let in by a decision is out, and is told.",
    ),
    "an event sent while the handler decides": Difference(
        over(WS, '40{"greet":true}'),
        "Nothing reaches a client that is not let in yet; afterwards the reply comes first.",
    ),
    "a namespace that does not exist": Difference(
        over(WS, "40/nowhere,"),
        "Official clients expect an object with a message, as Node.js sends; of a text they show nothing.",
    ),
    "a second connect to one namespace": Difference(over(WS, "40", "40", STILL_THERE), "As above."),
    "an event that is no list": Difference(
        over(WS, "40", "42{}", STILL_THERE), "What is no packet ends the session, at the price of one log line."
    ),
    "an event whose name is no text": Difference(over(WS, "40", '421[{"give":1}]', STILL_THERE), "As above."),
    "a packet that is no JSON": Difference(over(WS, "40", '42["give"', STILL_THERE), "As above."),
    "a packet of a type that does not exist": Difference(over(WS, "40", "47", STILL_THERE), "As above."),
    "a refusal from a client": Difference(over(WS, "40", '44{"message":"no"}', STILL_THERE), "As above."),
    "an attachment without a packet": Difference(over(WS, "40", (b"\x01",), STILL_THERE), "As above."),
    "text in the place of an attachment": Difference(
        over(WS, "40", (f'451-1["give",{HOLE}]', '42["message"]'), STILL_THERE), "As above."
    ),
    "a placeholder that points nowhere": Difference(
        over(WS, "40", ('451-1["give",{"_placeholder":true,"num":7}]', b"\x01"), STILL_THERE), "As above."
    ),
    "an event whose name is a number": Difference(
        over(WS, "40", "421[7]", STILL_THERE), "Events of this hub have names; Node.js takes numbers too."
    ),
    "a ping from the client": Difference(
        over(WS, "40", "2", STILL_THERE), "In Engine.IO 4 the server pings; Node.js closes as well."
    ),
    "a binary event without attachments": Difference(
        over(WS, "40", '450-1["give"]'), "It is complete; the stock release waits for a part that never comes."
    ),
    "many attachments": Difference(
        over(WS, "40", (f'4511-1["give",{HOLE}]', *[b"x"] * 11), STILL_THERE),
        "Each is kept until the last has come; Node.js stops at ten as well.",
    ),
    "a message larger than maxPayload": Difference(
        over(WS, "40", '421["auth","' + "x" * 150_000 + '"]'),
        "Up to four times as much the application can answer with an error, instead of a connection that breaks off.",
    ),
    "close": Difference(over(WS, "40", CLOSE), "The connection goes with the session, not when a pong is missed."),
    "upgrade": Difference(
        over(UPGRADES, "40", STILL_THERE),
        "The packet that releases a waiting poll is for that poll, not for the socket.",
    ),
    "seventeen packets in one POST": Difference(
        over(POLLS, "40", ('42["x"]',) * 16 + ('421["give"]',)),
        "Official clients send a burst as one body; the stock release says 200 and loses it.",
    ),
    "a POST that is no packet": Difference(
        over(POLLS, "40", "abc", STILL_THERE), "A body that was not understood is not answered 200."
    ),
    "a POST of an empty body": Difference(over(POLLS, "40", "", STILL_THERE), "As above."),
    "opening": Difference(
        Request("GET", POLLING, shows="body"), "Times are told as they are: the stock release cuts off half seconds."
    ),
    "no transport named": Difference(Request("GET", "EIO=4"), "The protocol asks for it."),
    "PUT": Difference(Request("PUT", POLLING), "What is wrong is said in the protocol's way."),
    "JSONP": Difference(Request("GET", f"{POLLING}&j=0"), "With it any page could read a poll."),
    "a page that forges forwarding headers": Difference(
        Request(
            "GET",
            POLLING,
            headers={
                "Origin": "http://elsewhere.example",
                "X-Forwarded-Host": "elsewhere.example",
                "X-Forwarded-Proto": "http",
            },
        ),
        "Forwarding headers are nobody's word: anybody can send them.",
    ),
    "compression offered": Difference(
        Request("GET", WEBSOCKET, headers=OFFERS_COMPRESSION, shows="Sec-WebSocket-Extensions"),
        "Its context costs 90 KiB for each connection.",
    ),
}


@dataclass(frozen=True)
class Servers:
    """Base URLs."""

    stock: str
    ours: str


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    async with AsyncExitStack() as running:
        yield Servers(
            await running.enter_async_context(serving_stock()), await running.enter_async_context(serving_ours())
        )


@pytest.mark.parametrize("name", SAME)
async def test_both_say_the_same(servers: Servers, name: str) -> None:
    stock, ours = await play(servers.stock, SAME[name]), await play(servers.ours, SAME[name])
    assert ours == stock


@pytest.mark.parametrize("name", DIFFERENCES)
async def test_ours_differs_as_the_page_says(servers: Servers, name: str) -> None:
    session = DIFFERENCES[name].session
    stock, ours = await play(servers.stock, session), await play(servers.ours, session)
    assert stock != ours, "there is no difference any more: the row can go, and the session belongs to SAME"
    assert _page()[name] == _row(stock, ours, DIFFERENCES[name].why)


def test_the_page_has_every_difference_and_no_other() -> None:
    assert list(_page()) == list(DIFFERENCES)


def _page() -> dict[str, list[str]]:
    rows = [line.strip("| \n").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return {name: cells for name, *cells in rows[1:]}


def _row(stock: Heard, ours: Heard, why: str) -> list[str]:
    """The cells of the page: what each said from where they part."""
    parted = next(at for at, (one, other) in enumerate(zip(stock, ours, strict=False)) if one != other)
    return [_told(stock[parted:]), _told(ours[parted:]), why]


def _told(heard: Heard) -> str:
    return ", then ".join(" ".join(f"`{packet}`" for packet in group) or "nothing" for group in heard)
