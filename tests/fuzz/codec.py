"""The short ways of reading packets beside the codec of python-socketio: what it takes, both have to read alike."""

from __future__ import annotations

from random import Random

from socketio import packet as sio

from hub.transport.packets import Packet, read_connect, read_event
from tests.fuzz import packets
from tests.fuzz.attacks import Finding

UNREADABLE = "unreadable"


def check(seed: str, number: int) -> None:
    """Raises Finding."""
    rng = Random(f"{seed}:codec:{number}")
    for said in packets.said(rng, "~mark~"):
        if isinstance(said, str) and said.startswith("4"):
            _check(said[1:])


def _check(data: str) -> None:
    try:
        usual: object = read_event(data) or read_connect(data)
    except (ValueError, RecursionError):
        usual = UNREADABLE
    if usual is not None and repr(usual) != repr(theirs := _theirs(data)):
        raise Finding(f"{data[:200]!r} is read as {usual!r}, and as {theirs!r} by the codec")


def _theirs(data: str) -> object:
    try:
        packet = Packet(encoded_packet=data)
    except (ValueError, RecursionError):
        return UNREADABLE
    if (packet.packet_type, packet.attachment_count) == (sio.CONNECT, 0):
        return packet.namespace or "/", packet.data
    if (packet.packet_type, packet.attachment_count) != (packets.EVENT, 0):
        return "another packet"
    return packet.namespace or "/", packet.id, packet.data
