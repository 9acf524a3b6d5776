"""Carrying codes to phones. The network is reached only from jobs."""

from __future__ import annotations

from typing import Protocol

import aiohttp

TIMEOUT_S = 5


class CodeSender(Protocol):
    """Delivers a sign-in code; raises on failure, then it is tried again until the code runs out."""

    async def send(self, phone: str, code: str, *, ttl_s: int) -> None: ...


class NotSent(Exception):
    """The gateway did not take the code."""


class HttpCodeSender:
    """Posts {phone, code, ttl_s} as JSON to the gateway named in the settings; any 2xx means taken."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def send(self, phone: str, code: str, *, ttl_s: int) -> None:
        """Raises NotSent, aiohttp.ClientError, TimeoutError."""
        body = {"phone": phone, "code": code, "ttl_s": ttl_s}
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(self._url, json=body, allow_redirects=False) as answer,
        ):
            if not 200 <= answer.status < 300:
                raise NotSent(f"the gateway answered {answer.status}")
