"""Subscription messages of a mini-program (微信订阅消息).

The access token is asked for by `stable_token`, which gives every process the same one; it is kept until shortly before
its end, and asked for anew when WeChat says it is no good. A person has agreed to each message beforehand, and each
consent is good for one: sent twice, the second one is refused, so no ticket is needed.
Source: developers.weixin.qq.com, mini-program server API: getStableAccessToken, subscribeMessage.send.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from rest.money.channels.calls import Calls
from rest.reach.senders.contract import Envelope, NotNow, Refused, Sent, Ticket, Unreachable, call, cut
from rest.reach.terms import WechatTemplate
from storage.base import codec
from storage.base.clock import Clock

THING_MAX = 20
"""Characters of a `thing` field."""

TOKEN_BAD = frozenset({40001, 40014, 42001})
BUSY = frozenset({-1, 45009, 45011})
GONE = frozenset({40003})
"""No such openid in this mini-program."""

EARLY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniProgram:
    """Who we are there. `templates`: kinds of notices to templates."""

    url: str
    app_id: str
    secret: str = field(repr=False)
    templates: Mapping[str, WechatTemplate]


class WechatSubscription:
    """A sender for one mini-program."""

    def __init__(self, program: MiniProgram, calls: Calls, clock: Clock) -> None:
        self._program = program
        self._calls = calls
        self._clock = clock
        self._token: tuple[str, datetime] | None = None

    async def send(self, envelope: Envelope) -> Sent | Ticket:
        """Raises Refused, NotNow, Unreachable."""
        template = self._program.templates.get(envelope.kind)
        if template is None:
            raise Refused("no_template")
        message = message_of(envelope, template)
        code, found = await self._post(message, await self._access_token())
        if code in TOKEN_BAD:
            self._token = None
            code, found = await self._post(message, await self._access_token())
        if code == 0:
            return Sent(str(found.get("msgid", "")))
        if code in TOKEN_BAD or code in BUSY:
            raise NotNow(f"wechat {code}", wait_s=30)
        raise Refused(f"wechat {code}", is_gone=code in GONE)

    async def _post(self, message: dict[str, Any], token: str) -> tuple[int, dict[str, Any]]:
        url = f"{self._program.url}/cgi-bin/message/subscribe/send?access_token={token}"
        return await self._ask(url, message)

    async def _access_token(self) -> str:
        now = self._clock.now()
        if self._token is None or self._token[1] <= now:
            wanted = {"grant_type": "client_credential", "appid": self._program.app_id, "secret": self._program.secret}
            code, found = await self._ask(f"{self._program.url}/cgi-bin/stable_token", wanted)
            if code != 0 or "access_token" not in found:
                raise NotNow(f"wechat gives no token: {code}", wait_s=30)
            ends_at = now + timedelta(seconds=int(found.get("expires_in", 0)))
            self._token = str(found["access_token"]), ends_at - EARLY
        return self._token[0]

    async def _ask(self, url: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json"}
        answer, found = await call(self._calls, "POST", url, headers=headers, body=codec.dumps(body))
        if answer.status != 200 or not found:
            raise Unreachable(f"wechat answered {answer.status}")
        return int(found.get("errcode", 0)), found


def message_of(envelope: Envelope, template: WechatTemplate) -> dict[str, Any]:
    """What is posted."""
    return {
        "touser": envelope.address,
        "template_id": template.id,
        "page": "pages/notices/index?id=" + envelope.links.get("notice_id", ""),
        "lang": "zh_CN" if envelope.language == "zh" else "en_US",
        "data": {
            template.title_field: {"value": cut(envelope.title, THING_MAX)},
            template.body_field: {"value": cut(envelope.body, THING_MAX)},
        },
    }
