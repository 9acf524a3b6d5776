"""Engine.IO packets with Socket.IO packets in them, from a grammar, and broken on purpose; POST bodies made of them.

Whatever text is in them carries the mark of the client that sends it, so that it can be told where it turns up.
"""

from __future__ import annotations

import base64
from random import Random

SEPARATOR = "\x1e"
NAMESPACES = [
    "",
    "",
    "",
    "",
    "/custom,",
    "/custom?x=1,",
    "/,",
    "/nowhere,",
    "/custom",
    "/" + "n" * 300 + ",",
    "/ü,",
    "//,",
]
NUMBERS = ["", "", "1", "0", "7", "4294967296", "9" * 99, "9" * 101, "-1", "1.5", "٣", "²", "00001"]
COUNTS = ["0", "1", "1", "2", "10", "11", "999999999", "99999999999", "-1", "", "1-1", "٣"]
NAMES = ["message", "give", "", "connect", "disconnect", "connect_error", "newListener", "é", "\\u0000", "__proto__"]
SCALARS = [
    "null", "true", "0", "-0", "1e999", "-1.5e-400", "9" * 400, "9007199254740993", "NaN", "Infinity", "1.", "01", '""',
    '"\\ud800"', '"\\ud83d\\ude00"', '"\x00"', '"\\u0000"', '"\x1e"', '"é中🚗"', '{"":{}}', '{"a":1,"a":2}', "[]",
]  # fmt: skip
HOLES = [
    '{"_placeholder":true,"num":0}', '{"_placeholder":true,"num":1}', '{"_placeholder":true,"num":-1}',
    '{"_placeholder":true,"num":99}', '{"_placeholder":true,"num":"0"}', '{"_placeholder":true,"num":0.0}',
    '{"_placeholder":true,"num":null}', '{"_placeholder":true}', '{"_placeholder":1,"num":true}',
    "[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900,
]  # fmt: skip
PLACEHOLDER = '{"_placeholder":true,"num":%d}'
EVENT, ACK, BINARY_EVENT, BINARY_ACK = 2, 3, 5, 6

Packet = str | bytes


def json_of(rng: Random, mark: str, depth: int = 0) -> str:
    """A JSON value, or what looks like one."""
    way = rng.random()
    if way < 0.02:
        deep = rng.choice([20, 400, 3_000])
        return "[" * deep + "]" * rng.choice([deep, deep, deep - 1, 0])
    if way < 0.03:
        return '{"a":' * 900 + "1" + "}" * 900
    if way < 0.35 or depth > 3:
        return rng.choice([*SCALARS, *HOLES[:-2]])
    if way < 0.7:
        return f'"{mark}{rng.randint(0, 99)}"'
    parts = [json_of(rng, mark, depth + 1) for _ in range(rng.randint(0, 3))]
    if way < 0.85:
        return "[" + ",".join(parts) + "]"
    return "{" + ",".join(f'"{mark}{number}":{part}' for number, part in enumerate(parts)) + "}"


def event(rng: Random, mark: str) -> list[Packet]:
    """An event or an ack as a client may send it, binary ones with their attachments."""
    name = f'"{rng.choice(["message", "message", "give", mark])}"'
    count = rng.choice([0, 0, 0, 1, 2, 10])
    args = [name, *(f'"{mark}"' for _ in range(rng.randint(0, 2))), *(PLACEHOLDER % n for n in range(count))]
    kind = rng.choice([EVENT, EVENT, EVENT, ACK])
    if count:
        kind = {EVENT: BINARY_EVENT, ACK: BINARY_ACK}[kind]
    head = f"4{kind}{f'{count}-' if count else ''}{rng.choice(['', '', '/custom,'])}{rng.choice(['', '1', '456'])}"
    return [head + f"[{','.join(args)}]", *(mark.encode() + rng.randbytes(rng.randint(0, 9)) for _ in range(count))]


def odd(rng: Random, mark: str) -> list[Packet]:
    """One packet of which each part is drawn by itself, and some attachments, whether it asks for them or not."""
    kind = rng.choice("0123456" + "22222" + "55566" + "789x")
    count = f"{rng.choice(COUNTS)}-" if kind in "56" or rng.random() < 0.05 else ""
    args = [json_of(rng, mark) for _ in range(rng.randint(0, 2))]
    if kind in "56" and rng.random() < 0.7:
        args.append(rng.choice(HOLES))
    name = rng.choice([f'"{rng.choice(NAMES)}"', f'"{mark}"', "1", "null", "[]", "{}"])
    data = rng.choice([f"[{','.join([name, *args])}]", f"[{','.join([name, *args])}]", json_of(rng, mark), "", "["])
    packet = f"4{kind}{count}{rng.choice(NAMESPACES)}{rng.choice(NUMBERS)}{data}"
    parts = rng.choice([0, 0, 0, 1, 2, 11]) if count else 0
    return [packet, *(mark.encode() for _ in range(parts))]


def engine(rng: Random, mark: str) -> list[Packet]:
    """What is no message of Socket.IO."""
    return [
        rng.choice(["3", "3", "2", "2probe", "3probe", "5", "6", "1", "0{}", "", "7", "b", "bAQID", "x", "é", mark])
    ]


def damaged(rng: Random, packets: list[Packet]) -> list[Packet]:
    """Something cut off, changed, doubled, or of the other kind."""
    at = rng.randrange(len(packets))
    packet = packets[at]
    where = rng.randint(0, len(packet))
    if isinstance(packet, bytes):
        ways: list[list[Packet]] = [[], [packet, packet], [packet.hex()], [packet[:where]], [b""]]
    else:
        odd_one = rng.choice('[]{}",-/?:\\0129 \x00\x1eé🚗')
        ways = [[], [packet, packet], [packet.encode()], [packet[:where]], [packet[:where] + odd_one + packet[where:]],
                [packet[:where] + packet[where + 1 :]]]  # fmt: skip
    return [*packets[:at], *rng.choice(ways), *packets[at + 1 :]]


def said(rng: Random, mark: str) -> list[Packet]:
    """What a client says in one go."""
    way = rng.random()
    if way < 0.2:
        packets: list[Packet] = [
            rng.choice(["40", "40/custom,", f'40{{"token":"{mark}"}}', "41", "41/custom,", "40/x,"])
        ]
    elif way < 0.5:
        packets = event(rng, mark)
    elif way < 0.85:
        packets = odd(rng, mark)
    else:
        packets = engine(rng, mark)
    return damaged(rng, packets) if rng.random() < 0.3 else packets


def posted(packet: Packet) -> str:
    """As it stands in the body of a POST."""
    return packet if isinstance(packet, str) else "b" + base64.b64encode(packet).decode()


def body(rng: Random, mark: str) -> bytes:
    """The body of a POST, sound or not."""
    packets = [packet for _ in range(rng.choice([1, 1, 2, 5])) for packet in said(rng, mark)]
    if rng.random() < 0.03:
        packets = ["3"] * rng.choice([255, 256, 257, 5_000])
    data = SEPARATOR.join(map(posted, packets)).encode(errors="surrogatepass")
    way = rng.random()
    if way < 0.05:
        return data + rng.choice([b"\xff", b"\x1e", b"\x1e\x1e", b"\x1eb", b"\x1eb!", b"\x1ebAQI", b"\x00"])
    if way < 0.08:
        return b"4" + b"x" * rng.choice([65_535, 65_536, 70_000])
    return data
