"""Requests every app has."""

from __future__ import annotations

import msgspec

from hub.asking import Ask
from hub.limits import Rate
from hub.registry import Done, Request
from storage.base import codec


class Refresh(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fresh access token of the same account and session."""

    token: str


class Refreshed(Done, frozen=True, kw_only=True):
    """The socket lives until then."""

    expires_at: str


async def refresh(ask: Ask, body: Refresh) -> Refreshed:
    await ask.services.refresh(ask.member, body.token)
    return Refreshed(expires_at=codec.instant(ask.member.principal.expires_at))


def refresh_request(namespace: str) -> Request:
    return Request(
        namespace=namespace,
        name="refresh",
        summary="Go on with a fresh access token instead of reconnecting.",
        request=Refresh,
        response=Refreshed,
        handler=refresh,
        rate=Rate(burst=5, per_s=0.2),
    )
