"""Words between processes over Redis pub/sub: facts as they get their place, and live positions.

Nothing here is needed for correctness: facts are in the feed, positions are replaced by the next one. What is said is
packed at once and written by one task, so nobody ever waits for Redis; while it is away words are dropped and counted.

Facts go through one channel, because order and the proof that nothing was lost need one chain of seqs. Positions go
through a channel for each worker, heard where somebody watches that worker, and through one for everybody's, heard by
dispatchers and where the operations map is open. Signals of conversations are few, and all hubs hear them.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from prometheus_client import Counter
from redis.exceptions import RedisError

from hub.loops import forever
from hub.signals import Signal
from hub.subscription import RETRY_S, Subscription
from hub.words import Seal, Told
from storage.base.clock import Clock
from storage.base.log import log
from storage.outbox import FeedFact
from storage.redis import FEED_CHANNEL, LIVE_CHANNEL, TALK_CHANNEL, Speaker, live_channel, ping_channel, publish

FLUSH_S = 0.1
"""Positions are sent this far apart: at most a tenth of the rate at which watchers see them."""

QUEUE_BYTES_MAX = 4_194_304
MOVES_MAX = 10_000
ROWS_MAX = 1_000
"""Positions in one word of everybody's channel."""

DAY_MS = 86_400_000

DROPPED = Counter("fieldhub_bus_dropped", "Words not said because Redis was away or slow, by kind.", ["kind"])


class Moved(msgspec.Struct, frozen=True, array_like=True):
    """An accepted fix of a worker, as it travels between hubs. WGS-84; `at_ms` since 1970."""

    worker_id: str
    at_ms: int
    lon: float
    lat: float
    accuracy_m: float | None = None
    speed_mps: float | None = None
    heading_deg: float | None = None


class _Batch(msgspec.Struct, frozen=True, array_like=True):
    sender: str
    moves: list[Moved]


class _Signal(msgspec.Struct, frozen=True, array_like=True):
    sender: str
    signal: Signal


class Bus:
    """This process's end."""

    def __init__(self, redis: Any, clock: Clock, secret: str) -> None:  # noqa: ANN401 - redis-py's generics
        self._clock = clock
        self._name = secrets.token_hex(8)
        self._seal = Seal(secret)
        self._speaker = Speaker(redis)
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._moves: dict[str, Moved] = {}
        self._flushed_at = 0.0
        self._must_hang_up = False
        self._due = asyncio.Event()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(_Batch).decode
        self._decode_signal = msgspec.msgpack.Decoder(_Signal).decode
        self._subscription = Subscription(redis, ping_channel(self._name), self._ping)
        self._subscription.on_word = self._heard
        self._subscription.on_listening = self._listening
        self._subscription.on_deaf = self._hang_up
        self._facts: list[Callable[[Told | None], None]] = []
        self.on_moves: Callable[[list[Moved]], None] = lambda _moves: None
        self.on_all_moves: list[Callable[[list[Moved]], None]] = []
        self.on_listening: Callable[[str], None] = lambda _channel: None
        self._on_signal: Callable[[Signal], None] | None = None

    # -- saying -------------------------------------------------------------------------------------------------

    def tell(self, epoch: str, batch: Sequence[FeedFact]) -> None:
        """Let the hubs of other processes have this batch."""
        if batch:
            self._put(publish(FEED_CHANNEL, self._seal.pack(epoch, batch)), "facts")

    def moved(self, move: Moved) -> None:
        """Let other hubs show this to their watchers; of several within a flush the last counts."""
        if len(self._moves) < MOVES_MAX or move.worker_id in self._moves:
            self._moves[move.worker_id] = move
        else:
            DROPPED.labels("positions").inc()

    def signal(self, signal: Signal) -> None:
        """Let other hubs show this to those it is for."""
        self._put(publish(TALK_CHANNEL, self._encode(_Signal(self._name, signal))), "signals")

    def _ping(self) -> None:
        self._put(publish(ping_channel(self._name), b""), "ping")

    def _put(self, packed: bytes, kind: str) -> None:
        if self._out_bytes > QUEUE_BYTES_MAX:
            DROPPED.labels(kind).inc()
            return
        self._out.append(packed)
        self._out_bytes += len(packed)
        self._due.set()

    # -- hearing ------------------------------------------------------------------------------------------------

    def follow(self, hear: Callable[[Told | None], None]) -> None:
        """Hand every batch of facts to `hear`; None says that there was one which only the feed can tell."""
        if not self._facts:
            self._subscription.listen(FEED_CHANNEL)
        self._facts.append(hear)

    def hear_signals(self, hear: Callable[[Signal], None]) -> None:
        """Hand every signal of other hubs to `hear`."""
        self._on_signal = hear
        self._subscription.listen(TALK_CHANNEL)

    def listen(self, channel: str) -> None:
        """Hear this channel of positions; `on_listening(channel)` follows, also after each outage."""
        self._subscription.listen(channel)

    def leave(self, channel: str) -> None:
        self._subscription.leave(channel)

    @property
    def is_deaf(self) -> bool:
        """Whether our own words do not come back."""
        return self._subscription.is_deaf

    # -- life ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Say and hear until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(forever("bus.send_failed", self._send))
                tasks.create_task(self._subscription.run())
        finally:
            await self._speaker.close()

    async def _send(self) -> None:
        flush_at = self._flushed_at + FLUSH_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(flush_at):
                await self._due.wait()
        self._due.clear()
        now = asyncio.get_running_loop().time()
        if now >= flush_at:
            self._flushed_at = now
            self._pack_moves()
        if self._must_hang_up:
            self._must_hang_up = False
            await self._speaker.close()
        out, self._out, self._out_bytes = self._out, [], 0
        if not out:
            return
        try:
            await self._speaker.say(b"".join(out))
        except (RedisError, OSError, TimeoutError):
            # What waits is old by the time Redis is back, and followers have read it; being deaf says the rest.
            DROPPED.labels("outage").inc(len(out) + len(self._out))
            self._out, self._out_bytes = [], 0
            await asyncio.sleep(RETRY_S)

    def _pack_moves(self) -> None:
        moves, self._moves = self._moves, {}
        packed = [(move.worker_id, msgspec.Raw(self._encode(move))) for move in moves.values()]
        for worker_id, raw in packed:
            self._put(publish(live_channel(worker_id), self._encode((self._name, [raw]))), "positions")
        for start in range(0, len(packed), ROWS_MAX):
            rows = [raw for _, raw in packed[start : start + ROWS_MAX]]
            self._put(publish(LIVE_CHANNEL, self._encode((self._name, rows))), "positions")

    def _hang_up(self) -> None:
        """We are deaf; the fault may be on the way out."""
        self._must_hang_up = True

    def _listening(self, channel: str) -> None:
        self.on_listening(channel)

    def _heard(self, channel: str, word: bytes) -> None:
        if channel == FEED_CHANNEL:
            told = self._seal.open(word)
            for hear in self._facts:
                hear(told)
            return
        if channel == TALK_CHANNEL:
            self._heard_signal(word)
            return
        try:
            batch = self._decode(word)
        except (msgspec.DecodeError, ValueError, RecursionError):
            log("bus.word_unreadable", level="warning", size=len(word))
            return
        if batch.sender == self._name:
            return
        now_ms = self._clock.now().timestamp() * 1000
        moves = [move for move in batch.moves if _is_possible(move, now_ms)]
        for hear_moves in self.on_all_moves if channel == LIVE_CHANNEL else [self.on_moves]:
            hear_moves(moves)

    def _heard_signal(self, word: bytes) -> None:
        try:
            heard = self._decode_signal(word)
        except (msgspec.DecodeError, ValueError, RecursionError):
            log("bus.word_unreadable", level="warning", size=len(word))
            return
        if heard.sender != self._name and self._on_signal is not None:
            self._on_signal(heard.signal)


def _is_possible(move: Moved, now_ms: float) -> bool:
    """One fix from the far future would hide all that follow; whoever can write to Redis can say anything."""
    return -180 <= move.lon <= 180 and -90 <= move.lat <= 90 and abs(move.at_ms - now_ms) < DAY_MS
