"""The first bytes of a connection: handshakes, sound and damaged, other requests, other protocols, garbage."""

from __future__ import annotations

import base64
import ssl
from random import Random

HEADERS = {
    "Host": ["127.0.0.1"], "Upgrade": ["websocket", "WebSocket", "websocket, h2c", "h2c", ""],
    "Connection": ["Upgrade"],
    "Sec-WebSocket-Version": ["13", "13", "13", "8", "99", "13, 8", ""], "Sec-WebSocket-Key": [],
    "Origin": ["http://127.0.0.1", "http://elsewhere.example", "null"],
}  # fmt: skip
MORE = [
    ("Content-Length", "5"), ("Transfer-Encoding", "chunked"), ("Expect", "100-continue"),
    ("Host", "elsewhere.example"),
    ("Sec-WebSocket-Extensions", "permessage-deflate"), ("Sec-WebSocket-Protocol", "chat"), ("X-Long", "x" * 9_000),
    ("X-Odd", "\x01\x7f"), ("X-é", "é"), ("Cookie", "a=b; " * 50), ("X-Forwarded-For", "1.2.3.4"), (" Folded", "x"),
    ("Connection", "close"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("X Y", "z"), ("", "empty"),
]  # fmt: skip
QUERIES = ["EIO=4&transport=websocket"] * 6 + [
    "", "EIO=3&transport=websocket", "EIO=4", "transport=websocket", "EIO=4&transport=polling",
    "EIO=4&EIO=4&transport=x",
    "EIO=4&transport=websocket&sid=nobody", "EIO=4&transport=websocket&j=0", "EIO=%34&transport=websocket", "&&&", "%",
    "EIO=4&transport=websocket&" + "x" * 3_000, "EIO=4&transport=polling&sid=", "sid=%00&EIO=4&transport=polling",
]  # fmt: skip
PATHS = ["/socket.io/"] * 8 + ["/socket.io", "/socket.io//", "/", "//socket.io/", "/socket%2eio/", "/SOCKET.IO/", "*"]
METHODS = ["GET"] * 8 + ["POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "get", "", "G\x00T", "PRI"]
VERSIONS = ["HTTP/1.1"] * 8 + ["HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "http/1.1", "", "HTTP/1.1 "]


def handshake(rng: Random) -> bytes:
    """A request for a WebSocket, sound in two of three cases."""
    if rng.random() < 0.4:
        return _request("GET", "/socket.io/?EIO=4&transport=websocket", "HTTP/1.1", _headers(rng, sound=True))
    target = rng.choice(PATHS) + rng.choice(["?", "?", "?", "", "#"]) + rng.choice(QUERIES)
    return _request(rng.choice(METHODS), target, rng.choice(VERSIONS), _headers(rng, sound=False))


def _request(method: str, target: str, version: str, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"{method} {target} {version}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode()


def _headers(rng: Random, *, sound: bool) -> list[tuple[str, str]]:
    key = base64.b64encode(rng.randbytes(16)).decode()
    headers = [
        (name, key if name == "Sec-WebSocket-Key" else values[0] if sound else rng.choice(values))
        for name, values in HEADERS.items()
        if name != "Origin" or rng.random() < 0.2
    ]
    if not sound:
        headers += rng.sample(MORE, rng.choice([0, 1, 1, 2]))
        if rng.random() < 0.2:
            headers.pop(rng.randrange(len(headers)))
    rng.shuffle(headers)
    return [(name.upper() if rng.random() < 0.1 else name, value) for name, value in headers]


def first_bytes(rng: Random) -> bytes:
    """All a connection ever sends."""
    way = rng.random()
    if way < 0.06:
        return rng.randbytes(rng.choice([1, 2, 16, 300, 20_000]))
    if way < 0.1:
        return tls_hello()
    if way < 0.14:
        return rng.choice(
            [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"SSH-2.0-x\r\n", b"\x16\x03\x01", b"EHLO x\r\n", b"\r\n" * 50]
        )
    if way < 0.17:
        return b"GET /socket.io/?" + b"x" * rng.choice([16_000, 16_384, 40_000])  # a head that does not end
    data = bytearray(handshake(rng))
    for _ in range(rng.choice([0, 0, 0, 1, 4])):
        data[rng.randrange(len(data))] = rng.choice([0, 9, 10, 13, 32, 58, 255, rng.randrange(256)])
    if rng.random() < 0.1:
        del data[rng.randrange(len(data)) :]
    if rng.random() < 0.1:
        data += handshake(rng)  # pipelined, or frames that are none
    if rng.random() < 0.05:
        data = data.replace(b"\r\n", b"\n")
    return bytes(data)


def tls_hello() -> bytes:
    """What a client says first that takes the port for one with TLS."""
    sent = ssl.MemoryBIO()
    secured = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="hub.example")
    try:
        secured.do_handshake()
    except ssl.SSLWantReadError:
        return sent.read()
    raise AssertionError("a handshake cannot be over before it was answered")
