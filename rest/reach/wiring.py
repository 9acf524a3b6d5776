"""The senders of one process, made from the settings. What is not set up is not there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rest.money.channels.calls import Calls
from rest.people.senders import CodeSender, HttpCodeSender, NotSent
from rest.reach.kinds import KINDS
from rest.reach.model import Channel
from rest.reach.senders.aliyun import AliyunAccount, AliyunSms
from rest.reach.senders.contract import NotNow, Refused, Sender, Unreachable
from rest.reach.senders.jpush import JPush
from rest.reach.senders.wechat import MiniProgram, WechatSubscription
from rest.reach.senders.wecom import WecomRobot
from rest.reach.terms import Terms, terms_of
from storage.base.clock import Clock
from storage.base.ids import new_id
from storage.base.settings import Settings


class Senders:
    """Senders by channel, the terms they serve under, and the connections they share."""

    def __init__(self, by_channel: Mapping[Channel, Sender], terms: Terms, calls: Calls) -> None:
        self._by_channel = by_channel
        self.terms = terms
        self._calls = calls

    def find(self, channel: Channel) -> Sender | None:
        """None: a delivery outlived the settings of its channel."""
        return self._by_channel.get(channel)

    async def close(self) -> None:
        await self._calls.close()


def open_senders(settings: Settings, clock: Clock) -> Senders:
    """Read the secrets. Raises OSError, ValueError naming what is wrong."""
    terms = terms_of(settings)
    for name, templates in (("aliyun_sms", terms.sms_templates), ("mini", terms.wechat_templates)):
        if unknown := sorted(set(templates) - set(KINDS)):
            raise ValueError(f"{name}_templates: no kinds of notice are called {', '.join(unknown)}")
    calls = Calls(timeout_ms=settings.notice_timeout_ms)
    found: dict[Channel, Sender] = {}
    if Channel.PUSH in terms.channels:
        found[Channel.PUSH] = JPush(
            settings.jpush_url,
            settings.jpush_app_key,
            _secret(settings.jpush_secret_file),
            calls,
            is_production=settings.jpush_apns_production,
        )
    if Channel.SMS in terms.channels:
        found[Channel.SMS] = _sms(settings, terms, calls, clock)
    if Channel.WECHAT in terms.channels:
        program = MiniProgram(
            url=settings.mini_url.rstrip("/"),
            app_id=settings.mini_app_id,
            secret=_secret(settings.mini_secret_file),
            templates=terms.wechat_templates,
        )
        found[Channel.WECHAT] = WechatSubscription(program, calls, clock)
    if Channel.WECOM in terms.channels:
        found[Channel.WECOM] = WecomRobot(settings.wecom_url, _secret(settings.wecom_robot_key_file), calls)
    return Senders(found, terms, calls)


def _sms(settings: Settings, terms: Terms, calls: Calls, clock: Clock) -> AliyunSms:
    account = AliyunAccount(
        url=settings.aliyun_url,
        key_id=settings.aliyun_access_key_id,
        secret=_secret(settings.aliyun_secret_file),
        sign_name=settings.aliyun_sms_sign,
        templates=terms.sms_templates,
    )
    return AliyunSms(account, calls, clock)


def _secret(path: str) -> str:
    return Path(path).read_text("utf-8").strip()


class SmsCodeSender:
    """Carries sign-in codes by the same text messages; the code is in the question and nowhere else."""

    def __init__(self, sms: AliyunSms, template: str, clock: Clock) -> None:
        self._sms = sms
        self._template = template
        self._clock = clock

    async def send(self, phone: str, code: str, *, ttl_s: int) -> None:
        """Raises NotSent."""
        name = new_id("sms", self._clock.now())
        values = {"code": code, "minutes": str(max(1, ttl_s // 60))}
        try:
            await self._sms.send_template(phone, self._template, values, nonce=name, ref=name)
        except (Refused, NotNow, Unreachable) as problem:
            raise NotSent(str(problem)) from None


def code_sender(settings: Settings, senders: Senders, clock: Clock) -> CodeSender:
    """What carries sign-in codes: the gateway of the settings, or text messages where a template is named."""
    sms = senders.find(Channel.SMS)
    if settings.sms_url or not isinstance(sms, AliyunSms) or not settings.aliyun_code_template:
        return HttpCodeSender(settings.sms_url)
    return SmsCodeSender(sms, settings.aliyun_code_template, clock)
