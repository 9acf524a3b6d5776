"""Text messages by Alibaba Cloud (阿里云短信): Dysmsapi 2017-05-25, SendSms, signature version 1.0 (HMAC-SHA1).

Texts are templates the carrier has approved; we send the template's code and its values, so no text of ours leaves.
Every question has a nonce that Alibaba takes once (within 15 minutes): the nonce is the ticket. Asked again under a
nonce that was taken, it answers SignatureNonceUsed, and then the message went out with the first question. Whatever
else it answers has used the nonce up.
Source: help.aliyun.com, SMS › API › signature mechanism (RPC style), SendSms, error codes.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any
from urllib.parse import quote

from rest.money.channels.calls import Calls
from rest.reach.senders.contract import Envelope, NotNow, Refused, Sent, Ticket, Unreachable, call, cut
from storage.base import codec
from storage.base.clock import Clock

VALUE_MAX = 35
"""Characters of one value in a template."""

ALREADY = "SignatureNonceUsed"
SLOW_DOWN = ("Throttling", "isv.BUSINESS_LIMIT_CONTROL", "isv.DAY_LIMIT_CONTROL")
OURS = ("isv.AMOUNT_NOT_ENOUGH", "isv.OUT_OF_SERVICE", "isv.ACCOUNT_ABNORMAL", "InvalidAccessKeyId", "Signature")
"""Ours to mend, and then it can go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AliyunAccount:
    """Who we are there. `templates`: kinds of notices to template codes."""

    url: str
    key_id: str
    secret: str = field(repr=False)
    sign_name: str
    templates: Mapping[str, str]


class AliyunSms:
    """A sender of text messages under one signature (签名)."""

    def __init__(self, account: AliyunAccount, calls: Calls, clock: Clock) -> None:
        self._account = account
        self._calls = calls
        self._clock = clock

    async def send(self, envelope: Envelope) -> Sent | Ticket:
        """Raises Refused, NotNow, Unreachable."""
        if envelope.ticket is None:
            return Ticket(f"{envelope.id}.{envelope.attempt}")
        template = self._account.templates.get(envelope.kind)
        if template is None:
            raise Refused("no_template")
        values = {name: cut(value, VALUE_MAX) for name, value in envelope.values.items()}
        return await self.send_template(envelope.address, template, values, nonce=envelope.ticket, ref=envelope.id)

    async def send_template(
        self, phone: str, template: str, values: Mapping[str, str], *, nonce: str, ref: str
    ) -> Sent:
        """`phone` is E.164. Raises Refused, NotNow, Unreachable."""
        question = {
            "AccessKeyId": self._account.key_id,
            "Action": "SendSms",
            "Format": "JSON",
            "OutId": ref,
            "PhoneNumbers": phone.removeprefix("+86").removeprefix("+"),
            "RegionId": "cn-hangzhou",
            "SignName": self._account.sign_name,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureNonce": nonce,
            "SignatureVersion": "1.0",
            "TemplateCode": template,
            "TemplateParam": codec.dumps(values).decode(),
            "Timestamp": f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}",
            "Version": "2017-05-25",
        }
        # In the body: addresses of requests are written down on the way, and a phone number is in this one.
        body = f"Signature={encode(sign('POST', question, self._account.secret))}&{canonical(question)}".encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer, found = await call(self._calls, "POST", self._account.url, headers=headers, body=body)
        return _read(answer.status, found)


def _read(status: int, found: Mapping[str, Any]) -> Sent:
    code = str(found.get("Code", ""))
    if code == "OK":
        return Sent(str(found.get("BizId", "")))
    if code == ALREADY:
        return Sent("")
    if code.startswith(SLOW_DOWN):
        raise NotNow(code, wait_s=60)
    if code.startswith(OURS):
        raise NotNow(code, wait_s=30)
    if status >= 500 or not code:
        raise Unreachable(f"aliyun answered {status}")
    raise Refused(code)


def encode(text: str) -> str:
    """RFC 3986: only letters, digits and -_.~ stay."""
    return quote(text, safe="-_.~")


def canonical(question: Mapping[str, str]) -> str:
    """The question in the order of its names."""
    return "&".join(f"{encode(name)}={encode(question[name])}" for name in sorted(question))


def sign(method: str, question: Mapping[str, str], secret: str) -> str:
    """The signature of a question in RPC style."""
    text = f"{method}&%2F&{encode(canonical(question))}"
    return b64encode(hmac.digest(f"{secret}&".encode(), text.encode(), sha1)).decode()
