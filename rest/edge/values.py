"""Value types every route may use in its requests and answers; all of them bounded."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

T = TypeVar("T")


def exactly(pattern: str) -> str:
    """A pattern for the whole text. Python's `$` also matches before a final newline, JSON Schema's does not."""
    return f"^(?:{pattern})$(?!\\n)"


Instant = Annotated[datetime, Meta(tz=True, description="RFC 3339 with a zone; answers are UTC with ms.")]
Id = Annotated[str, Meta(pattern=exactly("[a-z]{3}_[0-9a-z]{26}"), examples=["acc_01kcbs3t20ewxvqs1a5d9rm2f7"])]
Line = Annotated[str, Meta(min_length=1, max_length=200)]
"""One line of text typed by a person."""
Note = Annotated[str, Meta(min_length=1, max_length=2000)]
"""A reason or remark typed by a person."""
Longitude = Annotated[float, Meta(ge=-180, le=180)]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Version = Annotated[int, Meta(ge=1, le=2**31 - 1)]
PositiveFen = Annotated[int, Meta(ge=1, le=10**12, description="Integer fen, 1/100 yuan.")]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of request bodies: unknown fields are refused, so that a misspelt one is never silently lost."""


class ByLanguage(Body, frozen=True, kw_only=True):
    """Base of texts that are given in both languages; what a text may be is the subclass's to say."""

    zh: str = msgspec.field(name="zh-CN")
    en: str

    def by_tag(self) -> dict[str, str]:
        """As it is kept and shown: by language tag."""
        return {"zh-CN": self.zh, "en": self.en}


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of query strings."""


class PageQuery(Query, frozen=True, kw_only=True):
    """What every list takes."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, Meta(min_length=1, max_length=512)] | None = None


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list. No totals: they cost a scan and are wrong a moment later."""

    data: list[T]
    has_more: bool
    next_cursor: str | None


class Money(msgspec.Struct, frozen=True):
    """An amount in an answer: integer fen, may be negative only in ledger entries."""

    amount: int
    currency: Literal["CNY"] = "CNY"


class Amount(Body, frozen=True, kw_only=True):
    """An amount in a request: more than nothing."""

    amount: PositiveFen
    currency: Literal["CNY"]
