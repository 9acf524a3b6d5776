"""What a handler gives back, and its way to bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from rest.edge.versions import etag
from storage.base import codec

T = TypeVar("T")

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `body` is the resource itself (a struct, or None for 204), `etag` its version.

    `status` None means the route's own. `raw` is a body already encoded: a stored answer, a page.
    """

    body: Any = None
    status: int | None = None
    etag: int | None = None
    location: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class PageReply(Reply, Generic[T]):
    """A reply whose body is a page of T."""


@dataclass(frozen=True, slots=True)
class Finished:
    """An answer in bytes; what idempotency keeps and aiohttp sends."""

    status: int
    headers: dict[str, str]
    raw: bytes


Answer = Reply | Finished | msgspec.Struct


def finish(answer: Answer, status: int) -> Finished:
    """Encode; `status` is used where the handler named none."""
    if isinstance(answer, Finished):
        return answer
    if not isinstance(answer, Reply):
        return Finished(status, {"Content-Type": JSON}, codec.dumps(answer))
    headers = dict(answer.headers)
    raw = answer.raw if answer.raw is not None else b""
    if answer.body is not None:
        raw = codec.dumps(answer.body)
    if raw:
        headers.setdefault("Content-Type", JSON)
    if answer.etag is not None:
        headers["ETag"] = etag(answer.etag)
    if answer.location is not None:
        headers["Location"] = answer.location
    return Finished(answer.status or status, headers, raw)
