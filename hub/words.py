"""What the relay says to other processes: a batch of facts in one sealed word.

A word is a version byte, a seal and [epoch, first seq, last seq, rows]. A row is [topic, audiences, rest]; the rest
(id, times, body) is read only where somebody listens, so a fact nobody here hears costs two lookups. Seqs are not
written: a batch has no holes. The seal (HMAC with a key made of the secret) keeps facts what they are in the feed:
true because they were committed, whoever else can write to Redis.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from storage.base.log import log
from storage.outbox import FeedFact

VERSION = b"\x01"
"""Processes of two releases run side by side during a restart; the words of the other one are read from the feed."""

SEAL_BYTES = 32
WORD_BYTES_MAX = 262_144
"""A larger batch is announced without its rows: Redis cuts subscribers that fall 32 MB behind."""

IsWanted = Callable[[str, Sequence[str]], bool]
"""Whether anybody here hears this (topic, audiences)."""


class _Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    topic: str
    audience: tuple[str, ...]
    rest: msgspec.Raw


class _Rest(msgspec.Struct, frozen=True, array_like=True):
    fact_id: str
    at: datetime
    expires_at: datetime | None
    body: str


class _Word(msgspec.Struct, frozen=True, array_like=True):
    epoch: str
    first_seq: int
    last_seq: int
    rows: msgspec.Raw


_encode = msgspec.msgpack.Encoder().encode
_word = msgspec.msgpack.Decoder(_Word).decode
_rows = msgspec.msgpack.Decoder(list[_Row]).decode
_rest = msgspec.msgpack.Decoder(_Rest).decode


@dataclass(frozen=True, slots=True)
class Told:
    """A batch as another process hears it."""

    epoch: str
    first_seq: int
    last_seq: int
    _rows: msgspec.Raw

    def facts(self, *, above: int, is_wanted: IsWanted) -> list[FeedFact] | None:
        """The wanted facts above this seq, in order; None when the batch came without its rows."""
        rows = _rows(self._rows)
        if len(rows) != self.last_seq - self.first_seq + 1:
            return None
        wanted = []
        for seq, row in enumerate(rows, self.first_seq):
            if seq > above and is_wanted(row.topic, row.audience):
                rest = _rest(row.rest)
                wanted.append(FeedFact(seq, rest.fact_id, row.topic, rest.body, row.audience, rest.at, rest.expires_at))
        return wanted


class Seal:
    """Packs and opens words with the key all processes of one installation share."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"fieldhub feed", "sha256")

    def pack(self, epoch: str, batch: Sequence[FeedFact]) -> bytes:
        """The word for a batch that is not empty."""
        first_seq, last_seq = batch[0].seq, batch[-1].seq
        rows = [(fact.topic, fact.audience, (fact.fact_id, fact.at, fact.expires_at, fact.body)) for fact in batch]
        packed = _encode((epoch, first_seq, last_seq, rows))
        if len(packed) > WORD_BYTES_MAX:
            packed = _encode((epoch, first_seq, last_seq, ()))
        return VERSION + self._of(packed) + packed

    def open(self, word: bytes) -> Told | None:
        """The batch, or None when it is not ours to read: the feed has it."""
        seal, packed = word[1 : 1 + SEAL_BYTES], word[1 + SEAL_BYTES :]
        if not word.startswith(VERSION):
            return None
        if not hmac.compare_digest(seal, self._of(packed)):
            log("bus.seal_broken", level="warning", size=len(word))
            return None
        found = _word(packed)
        return Told(found.epoch, found.first_seq, found.last_seq, found.rows)

    def _of(self, packed: bytes) -> bytes:
        return hmac.digest(self._key, packed, "sha256")
