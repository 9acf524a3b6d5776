"""Keyset pages: a cursor is the sort position of the last row, sealed to its list, filters and caller."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from datetime import datetime
from hashlib import sha256

from rest.edge.errors import CursorInvalid
from storage.base import codec

SEAL_BYTES = 12
"""96 bits: a forged cursor could only skip rows of the caller's own list anyway."""

Key = str | int | datetime
Position = tuple[Key, ...]


class Cursors:
    """Seals and opens cursors with a key derived from the settings' secret."""

    def __init__(self, secret: str) -> None:
        self._key = sha256(b"fieldhub cursor " + secret.encode()).digest()

    def seal(self, scope: str, position: Position) -> str:
        """`scope` names the list, its filters and its caller; the cursor opens under no other."""
        body = codec.dumps([_pack(part) for part in position])
        return urlsafe_b64encode(self._sign(scope, body) + body).decode().rstrip("=")

    def open(self, scope: str, cursor: str) -> Position:
        """Raises CursorInvalid."""
        try:
            raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except (NotBase64, ValueError) as fault:
            raise CursorInvalid from fault
        seal, body = raw[:SEAL_BYTES], raw[SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._sign(scope, body)):
            raise CursorInvalid
        return tuple(_unpack(part) for part in codec.loads(body))

    def _sign(self, scope: str, body: bytes) -> bytes:
        return hmac.digest(self._key, scope.encode() + b"\x00" + body, "sha256")[:SEAL_BYTES]


def _pack(part: Key) -> str | int:
    # Instants keep their microseconds: a rounded one would skip or repeat rows.
    if isinstance(part, datetime):
        return "@" + part.isoformat()
    return "=" + part if isinstance(part, str) else part


def _unpack(part: str | int) -> Key:
    if isinstance(part, int):
        return part
    return datetime.fromisoformat(part[1:]) if part[0] == "@" else part[1:]
