"""python-socketio's two clients with one face: the one for asyncio, and the one that blocks and lives in threads."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import secrets
from collections.abc import Callable, Collection
from typing import Any

import aiohttp
import requests
import socketio

WAIT_S = 10
KINDS = {"asyncio": (socketio.AsyncClient, aiohttp.ClientSession), "threads": (socketio.Client, requests.Session)}


class Talker:
    """A client that writes down everything it hears, as (namespace, event, arguments)."""

    def __init__(self, url: str, kind: str, transports: Collection[str]) -> None:
        client, http = KINDS[kind]
        self._http = http()  # ours: one that the client makes is left open when it reconnects
        self.client = client(reconnection_delay=0.01, reconnection_delay_max=0.05, http_session=self._http)
        self.heard: list[tuple[str, str, list[Any]]] = []
        self.transports, self._url = list(transports), url
        self.key = secrets.token_hex(8)
        """Tells apart who counted."""

    async def connect(self, *namespaces: str, auth: Any = None) -> None:
        """Raises socketio's ConnectionError when one of the namespaces refuses; then `connect_error` was heard."""
        for namespace in namespaces or ("/",):
            self.client.on("*", self._writer(namespace), namespace=namespace)
            for event in ("connect_error", "disconnect"):
                self.client.on(event, self._writer(namespace, event), namespace=namespace)
        await self._do(
            self.client.connect, self._url, transports=self.transports, auth=auth,
            namespaces=list(namespaces or ("/",)), wait_timeout=WAIT_S,
        )  # fmt: skip

    def _writer(self, namespace: str, *said: str) -> Callable[..., None]:
        def write(*args: Any) -> None:
            event, *rest = (*said, *args)
            self.heard.append((namespace, event, rest))

        return write

    async def emit(self, event: str, *args: Any, namespace: str = "/") -> None:
        await self._do(self.client.emit, event, args, namespace=namespace)

    async def ask(self, event: str, *args: Any, namespace: str = "/") -> list[Any]:
        """Every argument of the ack."""
        answers: list[list[Any]] = []
        await self._do(
            self.client.emit, event, args, namespace=namespace, callback=lambda *answer: answers.append([*answer])
        )
        await self.until(lambda: bool(answers))
        return answers[0]

    async def leave(self) -> None:
        await self._do(self.client.eio.queue.join)  # while it sends, this client leaves without a word
        await self._do(self.client.disconnect)

    async def close(self) -> None:
        """Whatever state it is in."""
        self.client.reconnection = False
        with contextlib.suppress(Exception):
            await self._do(self.client.shutdown)
        await self._do(self._http.close)

    @property
    def stays_away(self) -> bool:
        """It is not connected, and does not try to be."""
        return self.client.eio.state == "disconnected" and self.client._reconnect_task is None

    @property
    def polls(self) -> bool:
        return self.transports == ["polling"]

    def all_of(self, event: str, namespace: str = "/") -> list[list[Any]]:
        return [args for place, name, args in self.heard if (place, name) == (namespace, event)]

    async def hears(self, event: str, namespace: str = "/", *, count: int = 1) -> list[list[Any]]:
        """The arguments of the first `count` such events."""
        await self.until(lambda: len(self.all_of(event, namespace)) >= count)
        return self.all_of(event, namespace)

    async def until(self, is_done: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(WAIT_S):
                while not is_done():
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"it did not happen; heard {str(self.heard)[-1_500:]}") from None

    async def _do(self, method: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if inspect.iscoroutinefunction(method):
            return await method(*args, **options)
        return await asyncio.to_thread(method, *args, **options)
