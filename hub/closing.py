"""Why a socket is closed by the server, and whether its client should come back.

One table, so that client code needs one switch. `reconnect` true: the transport is cut and official clients come back
by themselves. False: a DISCONNECT packet, after which official clients stay away until the app connects again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import msgspec

from hub.members import Member


@dataclass(frozen=True, slots=True)
class Closing:
    """One row. `loses_queue`: what waits for the client is dropped; the feed has the facts."""

    code: str
    reason: str
    reconnect: bool
    loses_queue: bool = False


class Closer(Protocol):
    """Ends a member's socket with a reason of the table."""

    def __call__(self, member: Member, code: str) -> None: ...


class ClosingNotice(msgspec.Struct, frozen=True):
    """`closing`, sent before the server ends a socket. `after_ms`: wait this long before coming back."""

    code: str
    reason: str
    reconnect: bool
    after_ms: int = 0


_TABLE = (
    Closing("slow", "You did not read fast enough; come back and resume from your last seq.", True, loses_queue=True),
    Closing("moving", "This server is going down; come back to another one.", True),
    Closing("replaced", "A newer connection of yours took the place of this one.", False),
    Closing("token_expired", "The access token has expired; refresh it and connect again.", False),
    Closing("session_revoked", "This session has been ended.", False),
    Closing("forbidden", "The account may no longer use this app.", False),
    Closing("share_ended", "The share link has expired or was revoked.", False),
    Closing("internal", "Something went wrong on our side; come back and resume.", True, loses_queue=True),
)
CLOSINGS = {row.code: row for row in _TABLE}
