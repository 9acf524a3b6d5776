"""JPush (极光推送), REST API v3: notifications to Android and iOS devices by registration id.

A push is named by a `cid` JPush gives out beforehand: pushed twice under one cid it reaches the device once, so it is
the ticket. It is good for a day, as long as a delivery is.
Source: docs.jiguang.cn, Push API v3 (`/v3/push`, `/v3/push/cid`, error codes); Basic authentication by key and secret.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from rest.money.channels.calls import Calls
from rest.reach.senders.contract import Envelope, NotNow, Refused, Sent, Ticket, Unreachable, call, cut
from storage.base import codec

TITLE_MAX = 40
BODY_MAX = 160

NOBODY_THERE = 1011
"""No device under this registration id, or none for 255 days."""
WRONG_PARAMETER = 1003
SLOW_DOWN = 2002
INTERNAL = frozenset({1000, 1030, 2003})


class JPush:
    """A sender for the apps of one JPush application."""

    def __init__(self, url: str, app_key: str, secret: str, calls: Calls, *, is_production: bool) -> None:
        self._url = url.rstrip("/")
        self._calls = calls
        self._is_production = is_production
        self._headers = {
            "Authorization": "Basic " + b64encode(f"{app_key}:{secret}".encode()).decode(),
            "Content-Type": "application/json",
        }

    async def send(self, envelope: Envelope) -> Sent | Ticket:
        """Raises Refused, NotNow, Unreachable."""
        if envelope.ticket is None:
            return await self._cid()
        status, found = await self._ask("POST", "/v3/push", push_of(envelope, is_production=self._is_production))
        if status == 200 and "msg_id" in found:
            return Sent(str(found["msg_id"]))
        raise self._failure(status, found)

    async def _cid(self) -> Ticket:
        status, found = await self._ask("GET", "/v3/push/cid?count=1&type=push")
        ids = found.get("cidlist")
        if status == 200 and isinstance(ids, list) and ids:
            return Ticket(str(ids[0]))
        raise self._failure(status, found)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        raw = None if body is None else codec.dumps(body)
        answer, found = await call(self._calls, method, self._url + path, headers=self._headers, body=raw)
        if answer.status == 429:
            raise NotNow("rate_limited", wait_s=_seconds(answer.headers.get("X-Rate-Limit-Reset")))
        return answer.status, found

    @staticmethod
    def _failure(status: int, found: dict[str, Any]) -> Exception:
        error = found.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        if code == SLOW_DOWN:
            return NotNow("rate_limited")
        if status >= 500 or code in INTERNAL:
            return Unreachable(f"jpush answered {status}, {code}")
        is_gone = code == NOBODY_THERE or (code == WRONG_PARAMETER and "registration_id" in str(error))
        if is_gone:
            return Refused("device_gone", is_gone=True)
        if status in {401, 403}:
            return NotNow(f"jpush refuses our key: {status}, {code}")  # a person will mend it
        return Refused(f"jpush answered {status}, {code}")


def push_of(envelope: Envelope, *, is_production: bool) -> dict[str, Any]:
    """The push object."""
    title, body = cut(envelope.title, TITLE_MAX), cut(envelope.body, BODY_MAX)
    extras = dict(envelope.links)
    notification: dict[str, Any] = {"alert": body}
    options: dict[str, Any] = {"time_to_live": min(envelope.ttl_s, 86_400), "apns_production": is_production}
    if envelope.platform == "ios":
        notification["ios"] = {
            "alert": {"title": title, "body": body},
            "sound": "default",
            "badge": "+1",
            "interruption-level": "time-sensitive" if envelope.is_urgent else "active",
            "extras": extras,
        }
        if envelope.collapse_key is not None:
            notification["ios"]["thread-id"] = envelope.collapse_key
            options["apns_collapse_id"] = envelope.collapse_key
    else:
        notification["android"] = {
            "alert": body,
            "title": title,
            "priority": 2 if envelope.is_urgent else 0,
            "extras": extras,
        }
    return {
        "cid": envelope.ticket,
        "platform": [envelope.platform],
        "audience": {"registration_id": [envelope.address]},
        "notification": notification,
        "options": options,
    }


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isdigit() else 0
