"""What the server says that is not a fact: about the connection, and live values."""

from __future__ import annotations

from typing import Any

import msgspec

from hub.closing import ClosingNotice
from hub.lines import QueueBoard, QueuePosition
from hub.members import CUSTOMER, DESK, WORKER
from hub.opsmap import Positions
from hub.registry import Notice
from hub.resume import Ready, Resync
from hub.talking import Digest, Typing, Viewing
from hub.watching import Position, PositionOld

EVERYWHERE = (WORKER, CUSTOMER, DESK)


class TokenExpiring(msgspec.Struct, frozen=True):
    """`token.expiring`: send `refresh` with a new access token before this instant."""

    expires_at: str


class RequestFailed(msgspec.Struct, frozen=True):
    """`request.failed`: a request that asked for no ack was refused."""

    event: str
    error: dict[str, Any]


NOTICES: tuple[Notice, ...] = (
    Notice(namespaces=EVERYWHERE, name="ready", summary="The socket is in; what was missed follows.", body=Ready),
    Notice(namespaces=EVERYWHERE, name="resync", summary="What was missed cannot be replayed.", body=Resync),
    Notice(namespaces=EVERYWHERE, name="token.expiring", summary="The token ends in a minute.", body=TokenExpiring),
    Notice(namespaces=EVERYWHERE, name="closing", summary="The server ends this socket.", body=ClosingNotice),
    Notice(namespaces=EVERYWHERE, name="request.failed", summary="A request was refused.", body=RequestFailed),
    Notice(namespaces=(CUSTOMER, DESK), name="position", summary="The worker of a watched order moves.", body=Position),
    Notice(namespaces=(CUSTOMER, DESK), name="position.old", summary="No position for a minute.", body=PositionOld),
    Notice(namespaces=EVERYWHERE, name="typing", summary="Somebody writes in a conversation.", body=Typing),
    Notice(namespaces=EVERYWHERE, name="digest", summary="How far your conversations are.", body=Digest),
    Notice(namespaces=(DESK,), name="viewing", summary="A colleague has a conversation open.", body=Viewing),
    Notice(namespaces=(WORKER, CUSTOMER), name="queue.position", summary="Your place in the line.", body=QueuePosition),
    Notice(namespaces=(DESK,), name="queue.board", summary="A queue in numbers has changed.", body=QueueBoard),
    Notice(namespaces=(DESK,), name="positions", summary="Workers moved.", body=Positions),
)
