"""What each pretended provider checks, takes and answers."""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from rest.reach.senders.aliyun import sign
from rest.reach.simulator.keys import Identity
from storage.base import codec
from storage.base.clock import Clock

REGISTRATION_LENGTH = 8
ROBOT_PER_MINUTE = 20
TOKEN_LIFE_S = 7_200


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider says."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What somebody would have got. `raw`: the whole message."""

    provider: str
    address: str
    title: str
    text: str
    raw: Mapping[str, Any]

    def shown(self) -> dict[str, Any]:
        return asdict(self)


Take = Callable[[Sending], None]


def _jpush_error(status: int, code: int, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})


class Jpush:
    """Push API v3. `gone`: registration ids nobody has."""

    def __init__(self, identity: Identity, take: Take) -> None:
        self._identity = identity
        self._take = take
        self._given: set[str] = set()
        self._pushed: dict[str, str] = {}
        self.gone: set[str] = set()

    async def cid(self, request: web.Request, _raw: bytes) -> Answer:
        if not self._is_us(request):
            return _jpush_error(401, 1004, "basic authentication failed")
        count = int(request.query.get("count", "1"))
        ids = [f"{self._identity.jpush_app_key}-{secrets.token_hex(16)}" for _ in range(count)]
        self._given.update(ids)
        return Answer(200, {"cidlist": ids})

    async def push(self, request: web.Request, raw: bytes) -> Answer:
        if not self._is_us(request):
            return _jpush_error(401, 1004, "basic authentication failed")
        body = codec.loads(raw)
        cid, to = body.get("cid"), body.get("audience", {}).get("registration_id")
        if cid is not None and cid not in self._given:
            return _jpush_error(400, 1003, "cid is invalid")
        if cid in self._pushed:
            return Answer(200, {"sendno": "0", "msg_id": self._pushed[cid]})
        if (refusal := self._refusal(to, body)) is not None:
            return refusal
        number = str(18_000_000_000_000_000 + len(self._pushed))
        if cid is not None:
            self._pushed[cid] = number
        self._take(_pushed(to[0], body))
        return Answer(200, {"sendno": "0", "msg_id": number})

    def _refusal(self, to: Any, body: Mapping[str, Any]) -> Answer | None:  # noqa: ANN401 - JSON
        if not isinstance(to, list) or not to or "notification" not in body or "platform" not in body:
            return _jpush_error(400, 1002, "missing parameter")
        if any(len(one) < REGISTRATION_LENGTH for one in to):
            return _jpush_error(400, 1003, "The registration_id is invalid")
        if self.gone.issuperset(to):
            return _jpush_error(400, 1011, "cannot find user by this audience")
        return None

    def _is_us(self, request: web.Request) -> bool:
        kind, _, text = request.headers.get("Authorization", "").partition(" ")
        wanted = f"{self._identity.jpush_app_key}:{self._identity.jpush_secret}"
        return kind == "Basic" and hmac.compare_digest(b64decode(text), wanted.encode())


def _pushed(to: str, body: Mapping[str, Any]) -> Sending:
    notification = body["notification"]
    ios, android = notification.get("ios"), notification.get("android")
    title = ios["alert"]["title"] if ios else (android or {}).get("title", "")
    return Sending(provider="jpush", address=to, title=title, text=notification.get("alert", ""), raw=body)


class Aliyun:
    """SendSms. A nonce is taken once, whatever is answered."""

    def __init__(self, identity: Identity, take: Take) -> None:
        self._identity = identity
        self._take = take
        self._nonces: set[str] = set()
        self.bad_numbers: set[str] = set()

    async def send(self, _request: web.Request, raw: bytes) -> Answer:
        question = dict(parse_qsl(raw.decode(), keep_blank_values=True))
        signature = question.pop("Signature", "")
        if question.get("AccessKeyId") != self._identity.aliyun_key_id:
            return self._error(404, "InvalidAccessKeyId.NotFound")
        if not hmac.compare_digest(signature, sign("POST", question, self._identity.aliyun_secret)):
            return self._error(400, "SignatureDoesNotMatch")
        nonce = question["SignatureNonce"]
        if nonce in self._nonces:
            return self._error(400, "SignatureNonceUsed")
        self._nonces.add(nonce)
        phone = question["PhoneNumbers"]
        if question["SignName"] != self._identity.aliyun_sign:
            return self._error(200, "isv.SMS_SIGNATURE_ILLEGAL")
        if phone in self.bad_numbers:
            return self._error(200, "isv.MOBILE_NUMBER_ILLEGAL")
        number = f"{len(self._nonces)}^0"
        values = codec.loads(question["TemplateParam"])
        told = ", ".join(f"{name}={value}" for name, value in values.items())
        self._take(Sending(provider="aliyun", address=phone, title=question["TemplateCode"], text=told, raw=question))
        return Answer(200, {"Code": "OK", "Message": "OK", "BizId": number, "RequestId": secrets.token_hex(8)})

    @staticmethod
    def _error(status: int, code: str) -> Answer:
        return Answer(status, {"Code": code, "Message": code, "RequestId": secrets.token_hex(8)})


class Wechat:
    """Tokens and subscription messages. `strangers`: openids of nobody; `unwilling`: who has not agreed."""

    def __init__(self, identity: Identity, clock: Clock, take: Take) -> None:
        self._identity = identity
        self._clock = clock
        self._take = take
        self._token: tuple[str, datetime] | None = None
        self.strangers: set[str] = set()
        self.unwilling: set[str] = set()

    def forget_token(self) -> None:
        """As when somebody has asked for another one."""
        self._token = None

    async def token(self, _request: web.Request, raw: bytes) -> Answer:
        body = codec.loads(raw)
        wanted = (self._identity.mini_app_id, self._identity.mini_secret)
        if (body.get("appid"), body.get("secret")) != wanted:
            return Answer(200, {"errcode": 40125, "errmsg": "invalid appsecret"})
        now = self._clock.now()
        if self._token is None or self._token[1] <= now:
            self._token = secrets.token_hex(16), now + timedelta(seconds=TOKEN_LIFE_S)
        left_s = int((self._token[1] - now).total_seconds())
        return Answer(200, {"access_token": self._token[0], "expires_in": left_s})

    async def send(self, request: web.Request, raw: bytes) -> Answer:
        body = codec.loads(raw)
        to = body["touser"]
        if self._token is None or request.query.get("access_token") != self._token[0]:
            return Answer(200, {"errcode": 40001, "errmsg": "invalid credential"})
        if self._token[1] <= self._clock.now():
            return Answer(200, {"errcode": 42001, "errmsg": "access_token expired"})
        if to in self.strangers:
            return Answer(200, {"errcode": 40003, "errmsg": "invalid openid"})
        if to in self.unwilling:
            return Answer(200, {"errcode": 43101, "errmsg": "user refuse to accept the msg"})
        title, text = (one["value"] for one in body["data"].values())
        self._take(Sending(provider="wechat", address=to, title=title, text=text, raw=body))
        return Answer(200, {"errcode": 0, "errmsg": "ok"})


class Robot:
    """A WeCom group robot with its 20 messages a minute."""

    def __init__(self, identity: Identity, clock: Clock, take: Take) -> None:
        self._identity = identity
        self._clock = clock
        self._take = take
        self._at: deque[datetime] = deque()

    async def send(self, request: web.Request, raw: bytes) -> Answer:
        body, now = codec.loads(raw), self._clock.now()
        if request.query.get("key") != self._identity.wecom_key:
            return Answer(200, {"errcode": 93000, "errmsg": "invalid webhook url"})
        while self._at and self._at[0] <= now - timedelta(minutes=1):
            self._at.popleft()
        if len(self._at) >= ROBOT_PER_MINUTE:
            return Answer(200, {"errcode": 45009, "errmsg": "api freq out of limit"})
        self._at.append(now)
        title, _, text = body["text"]["content"].partition("\n")
        self._take(Sending(provider="wecom", address="group", title=title, text=text, raw=body))
        return Answer(200, {"errcode": 0, "errmsg": "ok"})
