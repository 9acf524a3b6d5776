"""The hub over HTTP, as an app sees it: sign-in, tokens, answers and refusals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
import orjson

TIMEOUT_S = 30.0
PATIENCE_S = 60.0
"""How long a request that may be repeated is repeated; a hub that says "later" for longer is at fault."""

EARLY_S = 60.0
"""A token is renewed this long before it runs out."""


SHOWN = frozenset({"instance", "request_id", "status", "reason", "field", "errors"})
"""Fields of a refusal that help to find its cause in the hub's log."""


class No(Exception):
    """The hub refuses: its stable code, over HTTP or a socket."""

    def __init__(
        self, code: str, detail: str = "", *, retry: bool = False, fields: Mapping[str, Any] | None = None
    ) -> None:
        about = {name: value for name, value in (fields or {}).items() if name in SHOWN}
        super().__init__(f"{code}: {detail} {about or ''}".rstrip())
        self.code = code
        self.retry = retry
        self.fields = dict(fields or {})

    @classmethod
    def of(cls, error: Mapping[str, Any]) -> No:
        retry = bool(error.get("retry", error.get("retryable", False)))
        return cls(str(error.get("code", "?")), str(error.get("detail", "")), retry=retry, fields=error)

    @property
    def after_s(self) -> float:
        """When to come again."""
        if "retry_after_ms" in self.fields:
            return float(self.fields["retry_after_ms"]) / 1000
        return float(self.fields.get("retry_after_s", 0.5))


class Unreachable(ConnectionError):
    """No answer; whether the request was carried out is not known."""


@dataclass(slots=True, eq=False)
class Person:
    """One signed-in account."""

    account_id: str
    access_token: str
    refresh_token: str
    access_until_s: float
    worker_id: str | None = None
    roles: tuple[str, ...] = ()
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def of(cls, session: Mapping[str, Any]) -> Person:
        """From the answer of a sign-in, or one entry of a tokens file."""
        account = session.get("account") or {}
        return cls(
            account_id=str(account.get("id") or session["account_id"]),
            access_token=str(session["access_token"]),
            refresh_token=str(session.get("refresh_token", "")),
            access_until_s=instant_s(str(session["access_expires_at"])),
            worker_id=account.get("worker_id") or session.get("worker_id"),
            roles=tuple(account.get("roles") or [session.get("role", "user")]),
        )


def instant_s(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 instant."""
    return datetime.fromisoformat(text).timestamp()


class Api:
    """Requests with retries where a repeat is harmless."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url.rstrip("/")

    async def get(self, person: Person | None, path: str, **query: str | float) -> Any:
        """The body of an answer. Raises No, Unreachable."""
        params = {name: str(value) for name, value in query.items()}
        return await self._patiently("GET", path, person, query=params)

    async def post(self, person: Person | None, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """`key`: the Idempotency-Key; with one the request is repeated when no answer comes. Raises No, Unreachable."""
        return await self._patiently("POST", path, person, body=body, key=key)

    async def patch(self, person: Person, path: str, body: Any) -> Any:
        """Raises No, Unreachable."""
        return await self._patiently("PATCH", path, person, body=body)

    async def pages(self, person: Person, path: str, **query: str | int) -> list[Any]:
        """Every row of a list."""
        rows: list[Any] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(person, path, limit=100, **query, **cursor)
            rows += page["data"]
            if not page["has_more"]:
                return rows
            cursor = {"cursor": page["next_cursor"]}

    async def token(self, person: Person, *, early_s: float = EARLY_S) -> str:
        """An access token that holds a while longer."""
        async with person.renewing:
            if person.refresh_token and time.time() > person.access_until_s - early_s:
                renewed = Person.of(await self._once(
                    "POST", "/v1/auth/refresh", {}, {"refresh_token": person.refresh_token}, {}
                ))  # fmt: skip
                person.access_token, person.refresh_token = renewed.access_token, renewed.refresh_token
                person.access_until_s = renewed.access_until_s
        return person.access_token

    async def _patiently(
        self, method: str, path: str, person: Person | None,
        *, body: Any = None, key: str | None = None, query: Mapping[str, str] | None = None,
    ) -> Any:  # fmt: skip
        until = time.monotonic() + PATIENCE_S
        while True:
            headers = {} if key is None else {"Idempotency-Key": key}
            if person is not None:
                headers["Authorization"] = f"Bearer {await self.token(person)}"
            try:
                return await self._once(method, path, headers, body, query or {})
            except No as no:
                if not no.retry or time.monotonic() + no.after_s > until:
                    raise
                await asyncio.sleep(no.after_s)
            except Unreachable:
                if (method == "POST" and key is None) or time.monotonic() > until:
                    raise
                await asyncio.sleep(0.5)

    async def _once(
        self, method: str, path: str, headers: Mapping[str, str], body: Any, query: Mapping[str, str]
    ) -> Any:
        sent = {**headers, "Content-Type": "application/json"} if body is not None else dict(headers)
        raw = None if body is None else orjson.dumps(body)
        try:
            async with self.http.request(
                method, self.url + path, data=raw, headers=sent, params=query,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            ) as answer:  # fmt: skip
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise Unreachable(f"{method} {path}: {type(problem).__name__} {problem}") from problem
        found = _json(text)
        if answer.status >= 400:
            after = answer.headers.get("Retry-After")
            error = {"code": f"http_{answer.status}", **(found if isinstance(found, dict) else {})}
            raise No.of({"retry_after_s": after, **error} if after else error)
        return found


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None
