"""A phone for end-to-end tests: HTTP with aiohttp, sockets with python-socketio's own client."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import aiohttp
import socketio

WAIT_S = 10


class Refused(Exception):
    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status, self.code, self.problem = status, problem.get("code", ""), problem
        super().__init__(f"{status} {problem}")


class Phone:
    """One person: `await phone.post(path)`, `await phone.connect("/worker")`, `await phone.wait("offer.made")`."""

    def __init__(self, url: str, token: str = "", *, sockets: str | None = None) -> None:
        """`url` answers REST; `sockets` is the address of the hub where that is another."""
        self.url, self.token, self.sockets = url, token, sockets or url
        self.http = aiohttp.ClientSession()
        self.socket = socketio.AsyncClient(reconnection=False, http_session=self.http)
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self._news = asyncio.Condition()
        self.seq, self.epoch = 0, ""

    async def sign_in(self, phone: str) -> dict[str, Any]:
        code = await self.post("/v1/auth/codes", {"phone": phone}, keyed=False)
        session = await self.post("/v1/auth/sessions", {"phone": phone, "code": code["dev_code"]}, keyed=False)
        self.token = session["access_token"]
        return session

    async def ask(self, method: str, path: str, body: Any = None, *, keyed: bool = False, key: str = "") -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if keyed or key:
            headers["Idempotency-Key"] = key or uuid.uuid4().hex
        async with self.http.request(method, self.url + path, json=body, headers=headers) as response:
            answer = await response.json(content_type=None) if response.status != 204 else None
            if response.status >= 400:
                raise Refused(response.status, answer)
            return answer

    async def get(self, path: str) -> Any:
        return await self.ask("GET", path)

    async def post(self, path: str, body: Any = None, *, keyed: bool = True, key: str = "") -> Any:
        return await self.ask("POST", path, {} if body is None else body, keyed=keyed, key=key)

    async def connect(self, namespace: str, **auth: Any) -> dict[str, Any]:
        self.namespace = namespace

        async def hear(event: str, body: Any = None, *_: Any) -> None:
            async with self._news:
                self.heard.append((event, body))
                if isinstance(body, dict) and "seq" in body:
                    self.seq = max(self.seq, body["seq"])
                self._news.notify_all()

        self.socket.on("*", hear, namespace=namespace)
        await self.socket.connect(
            self.sockets,
            namespaces=[namespace],
            auth={"token": self.token, **auth},
            transports=["websocket"],
            wait_timeout=5,
        )
        ready = await self.wait("ready")
        self.epoch, self.seq = ready["epoch"], max(self.seq, ready["seq"])
        return ready

    async def wait(self, event: str, **fields: Any) -> dict[str, Any]:
        """The first message of this name with these fields, heard already or to come."""

        def found() -> dict[str, Any] | None:
            for name, body in self.heard:
                if name == event and all(body.get(field) == value for field, value in fields.items()):
                    return body
            return None

        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(lambda: found() is not None), WAIT_S)
            except TimeoutError:
                names = [name for name, _ in self.heard]
                raise AssertionError(f"no {event} {fields} within {WAIT_S} s; heard {names}") from None
            return found() or {}

    async def emit(self, event: str, body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self.socket.call(event, body, namespace=self.namespace, timeout=WAIT_S)
        return answer

    async def fix(self, lon: float, lat: float, seq: int, at_ms: int) -> dict[str, Any]:
        return await self.emit("position", [seq, at_ms, lat, lon, 5.0, 6.0, 90.0])

    async def close(self) -> None:
        if self.socket.connected:
            await self.socket.disconnect()
        await self.http.close()
