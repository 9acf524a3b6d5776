"""What the kernel alone costs `bench_sockets`: canned answers and bare `send` calls, no protocol, no event loop."""

from __future__ import annotations

import json
import selectors
import socket
import sys

NEWS = b"\x81\x7e\x00\x80" + b'42["news",' + b"x" * 117 + b"]"
ACK = b'\x81\x0f431[{"ok":true}]'


def serve(port: int) -> None:
    """Serve until killed."""
    door = socket.create_server(("127.0.0.1", port), backlog=4_096)
    with selectors.DefaultSelector() as selector:
        selector.register(door, selectors.EVENT_READ)
        everybody: list[socket.socket] = []
        while True:
            for key, _ in selector.select():
                if key.fileobj is door:
                    peer, _ = door.accept()
                    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as every event loop does
                    selector.register(peer, selectors.EVENT_READ)
                    continue
                peer = key.fileobj  # type: ignore[assignment]  # a socket
                data = peer.recv(65_536)
                if not data:
                    selector.unregister(peer)
                    peer.close()
                    everybody = [one for one in everybody if one is not peer]
                elif data.startswith(b"GET"):
                    peer.send(b'{"maxPayload"}')
                elif data.endswith(b"40"):
                    everybody.append(peer)
                    peer.send(b'40{"sid"}')
                elif b"blast" in data:
                    for _ in range(int(json.loads(data[data.index(b"[") :])[1])):
                        for one in everybody:
                            one.send(NEWS)
                else:
                    peer.send(ACK)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
