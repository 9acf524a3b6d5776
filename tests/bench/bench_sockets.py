"""The Socket.IO transport beside Node's `socket.io`, interleaved in one run: server CPU per delivery and per ack.

Fan-out is one room of 1,000 websockets that hears 100 events; echo is 100 clients with one acknowledged request in
flight each. The generator is raw sockets in this process. CPU is what the server process used, so a slow generator or a
busy machine changes little; `floor` is the same traffic by bare `send` calls. Node is left out where it or its
`socket.io` is not installed.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.live import ROOT, free_port

ROUNDS = 5
PYTHON = {"ours": "socket_server", "floor": "socket_floor"}
TEXT = "x" * 80


def run(quick: bool) -> dict[str, Any]:
    clients, events, seconds, rounds = (200, 20, 1.0, 1) if quick else (1_000, 100, 3.0, ROUNDS)
    found: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(rounds):
        for name, command in servers().items():
            with running(command) as (port, pid):
                fan_out = measure_fan_out(port, pid, clients, events)
                echo, rate = measure_echo(port, pid, 100, seconds)
                found.setdefault(name, []).append((fan_out, echo, rate))
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}
    figures: dict[str, Any] = {}
    for name, (fan_out, echo, rate) in medians.items():
        figures |= {
            f"{name}: CPU µs per delivery": fan_out,
            f"{name}: CPU µs per ack": echo,
            f"{name}: acks per s (generator-bound)": rate,
        }
    figures["fan-out: ours ÷ bare sends"] = medians["ours"][0] / medians["floor"][0]
    if "node" in medians:
        figures["fan-out: Node ÷ ours"] = medians["node"][0] / medians["ours"][0]
        figures["ack: Node ÷ ours"] = medians["node"][1] / medians["ours"][1]
    return figures


def servers() -> dict[str, list[str]]:
    """Name to command; the port comes after it."""
    here = Path(__file__).parent
    found = {name: [sys.executable, "-m", f"tests.bench.{module}"] for name, module in PYTHON.items()}
    node = shutil.which("node")
    if node is not None and (ROOT / "node_modules" / "socket.io").is_dir():
        found["node"] = [node, str(here / "socket_server.mjs")]
    return found


@contextmanager
def running(command: list[str]) -> Iterator[tuple[int, int]]:
    """A server on a free port, and its process id."""
    port = free_port()
    process = subprocess.Popen([*command, str(port)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                time.sleep(0.05)
        time.sleep(0.3)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


def cpu_s(pid: int) -> float:
    """User and system seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connect(port: int) -> socket.socket:
    """A websocket in the main namespace."""
    raw = socket.create_connection(("127.0.0.1", port))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    raw.sendall(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    _read_until(raw, b'"maxPayload"')
    raw.sendall(frame(b"40"))
    _read_until(raw, b'40{"sid"')
    raw.setblocking(False)
    return raw


def _read_until(raw: socket.socket, what: bytes) -> None:
    seen = b""
    while what not in seen:
        part = raw.recv(65536)
        if not part:
            raise ConnectionError(seen)
        seen += part
    if not seen.endswith(b"}"):
        raise RuntimeError(f"half a frame: {seen!r}")


def frame(text: bytes) -> bytes:
    """A masked text frame (the mask is zero, which is a mask too)."""
    size = len(text)
    head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0x80 | 126]) + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + text


def measure_fan_out(port: int, pid: int, clients: int, events: int) -> float:
    """Server CPU µs per delivered event."""
    sockets = [connect(port) for _ in range(clients)]
    _hear(sockets, clients * 5, lambda: sockets[0].send(_blast(5)))  # warm
    before = cpu_s(pid)
    _hear(sockets, clients * events, lambda: sockets[0].send(_blast(events)))
    used = cpu_s(pid) - before
    for one in sockets:
        one.close()
    return used / (clients * events) * 1e6


def _blast(events: int) -> bytes:
    return frame(b"420" + json.dumps(["blast", events, TEXT]).encode())


NEWS = b'["news"'


def _hear(sockets: list[socket.socket], total: int, start: Callable[[], object]) -> None:
    """Call `start`, then read until that many events have been seen, be they cut anywhere between two reads."""
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ, bytearray())
        start()
        heard, deadline = 0, time.monotonic() + 60
        while heard < total:
            if time.monotonic() > deadline:
                raise RuntimeError(f"heard {heard} of {total}")
            for key, _ in selector.select(1):
                tail: bytearray = key.data
                tail += key.fileobj.recv(1 << 18)  # type: ignore[union-attr]  # a socket
                heard += tail.count(NEWS)
                del tail[: max(len(tail) - len(NEWS) + 1, tail.rfind(NEWS) + len(NEWS))]


def measure_echo(port: int, pid: int, clients: int, seconds: float) -> tuple[float, float]:
    """Server CPU µs per acknowledged request, and requests a second."""
    sockets = [connect(port) for _ in range(clients)]
    request = frame(b"421" + json.dumps(["ask", {"call_id": "cal_0123456789", "text": TEXT}]).encode())
    answered = 0
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ)
            one.send(request)
        began, before = time.perf_counter(), cpu_s(pid)
        while time.perf_counter() - began < seconds:
            for key, _ in selector.select(1):
                if key.fileobj.recv(65536):  # type: ignore[union-attr]  # a socket
                    answered += 1
                    key.fileobj.send(request)  # type: ignore[union-attr]  # a socket
        used, took = cpu_s(pid) - before, time.perf_counter() - began
    for one in sockets:
        one.close()
    return used / answered * 1e6, answered / took


if __name__ == "__main__":
    print(json.dumps(run("--quick" in sys.argv), indent=2, ensure_ascii=False))
