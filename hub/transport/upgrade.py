"""How a polling session moves to a WebSocket: probe, end of the pending poll, switch."""

from __future__ import annotations

import asyncio

from hub.transport.packets import Frame
from hub.transport.rfc6455 import WireSocket
from hub.transport.session import PING, UPGRADE, Session
from hub.transport.via_http import WebSocket

UPGRADE_TIMEOUT_S = 10.0
_PROBED_FRAME = Frame(b"3probe")


class Upgrade:
    """The owner of a WebSocket a polling session may move to."""

    def __init__(self, session: Session, socket: WebSocket | WireSocket) -> None:
        self._session = session
        self._socket = socket
        self._late = asyncio.get_running_loop().call_later(UPGRADE_TIMEOUT_S, self._give_up)
        session.upgrading = True
        socket.listen(self)

    def heard(self, message: str | bytes) -> None:
        session = self._session
        if message == PING + "probe" and not session.polling.is_probed:
            self._socket.writer(_PROBED_FRAME.wire)
            session.polling.probed(is_probed=True)
        elif message == UPGRADE and session.polling.is_probed and not session.closing:
            self._late.cancel()
            session.polling.probed(is_probed=False)
            session.attach(self._socket)
        else:
            self._give_up()

    def stalled(self) -> None:
        """The one frame that is written fits."""

    def ready(self) -> None:
        """Nothing waits for it."""

    def gone(self, reason: str) -> None:  # noqa: ARG002 - the session goes on by polling
        self._late.cancel()
        self._session.upgrading = False
        self._session.polling.probed(is_probed=False)

    def _give_up(self) -> None:
        self.gone("")
        self._socket.close()
