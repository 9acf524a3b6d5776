"""The one way out to channels: bounded in time and size, no redirects, one failure for everything that is no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from rest.money.channels.errors import ChannelUnreachable

ANSWER_BYTES_MAX = 1_048_576
FILE_BYTES_MAX = 2_147_483_648
"""A bill of some millions of lines, packed; what is longer is none."""
FILE_TIMEOUT_S = 600
BLOCK_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Calls:
    """A client whose connections are kept between calls. Made on the first call, in the loop of whoever calls."""

    def __init__(self, *, timeout_ms: int) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answered:
        """Raises ChannelUnreachable."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.request(method, url, headers=headers, data=body, allow_redirects=False) as answer:
                raw = await answer.content.read(ANSWER_BYTES_MAX + 1)
                while raw and len(raw) <= ANSWER_BYTES_MAX and (more := await answer.content.read(ANSWER_BYTES_MAX)):
                    raw += more
                if len(raw) > ANSWER_BYTES_MAX:
                    raise ChannelUnreachable("an answer beyond any size")
                return Answered(answer.status, answer.headers, raw)
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise ChannelUnreachable(f"{type(problem).__name__}: {problem}"[:200]) from problem

    async def download(self, url: str, *, headers: Mapping[str, str], to: Path) -> Answered:
        """Put a file there as it comes; an answer that is none has its body instead. Raises ChannelUnreachable."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        patient = aiohttp.ClientTimeout(total=FILE_TIMEOUT_S, sock_read=self._timeout.total)
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False, timeout=patient) as answer:
                if answer.status != 200:
                    return Answered(answer.status, answer.headers, await answer.content.read(ANSWER_BYTES_MAX))
                await _save(answer, to)
                return Answered(answer.status, answer.headers, b"")
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise ChannelUnreachable(f"{type(problem).__name__}: {problem}"[:200]) from problem

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _save(answer: aiohttp.ClientResponse, to: Path) -> None:
    left = FILE_BYTES_MAX
    with await asyncio.to_thread(to.open, "wb") as out:
        async for block in answer.content.iter_chunked(BLOCK_BYTES):
            left -= len(block)
            if left < 0:
                raise ChannelUnreachable("a file beyond any size")
            await asyncio.to_thread(out.write, block)
