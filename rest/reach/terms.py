"""What of the settings rules notifications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from rest.reach.model import Channel
from storage.base.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class WechatTemplate:
    """A template of the mini-program, and its fields that take our title and body."""

    id: str
    title_field: str
    body_field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """`channels`: those that are set up; only kinds with a template go over SMS and WeChat."""

    channels: frozenset[Channel]
    sms_templates: Mapping[str, str]
    wechat_templates: Mapping[str, WechatTemplate]
    sms_account_day_max: int
    sms_day_max: int
    push_account_day_max: int
    attempts_max: int
    chat_after: timedelta
    chat_again: timedelta
    keep: timedelta

    def carries(self, channel: Channel, kind: str) -> bool:
        """Whether this kind can go over this channel here."""
        if channel not in self.channels:
            return False
        templates: Mapping[Channel, Mapping[str, object]] = {
            Channel.SMS: self.sms_templates,
            Channel.WECHAT: self.wechat_templates,
        }
        return channel not in templates or kind in templates[channel]


def terms_of(settings: Settings) -> Terms:
    """Raises ValueError naming the setting that cannot be read."""
    set_up = {
        Channel.PUSH: settings.jpush_app_key,
        Channel.SMS: settings.aliyun_access_key_id,
        Channel.WECHAT: settings.mini_app_id,
        Channel.WECOM: settings.wecom_robot_key_file,
    }
    return Terms(
        channels=frozenset(channel for channel, value in set_up.items() if value),
        sms_templates=_pairs("aliyun_sms_templates", settings.aliyun_sms_templates),
        wechat_templates={
            kind: _wechat_template(value) for kind, value in _pairs("mini_templates", settings.mini_templates).items()
        },
        sms_account_day_max=settings.notice_sms_per_account_day_max,
        sms_day_max=settings.notice_sms_per_day_max,
        push_account_day_max=settings.notice_push_per_account_day_max,
        attempts_max=settings.notice_attempts_max,
        chat_after=timedelta(seconds=settings.notice_chat_after_s),
        chat_again=timedelta(seconds=settings.notice_chat_again_s),
        keep=timedelta(days=settings.notice_keep_days),
    )


def _pairs(name: str, text: str) -> dict[str, str]:
    """`kind=value,…`; the kinds are checked by `wiring`, which knows them."""
    found = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        kind, equals, value = part.partition("=")
        if not (kind and equals and value):
            raise ValueError(f"{name}: {part!r} is not kind=template")
        found[kind] = value
    return found


def _wechat_template(value: str) -> WechatTemplate:
    parts = value.split("/")
    if len(parts) != 3:
        raise ValueError(f"mini_templates: {value!r} is not template/title field/body field")
    return WechatTemplate(id=parts[0], title_field=parts[1], body_field=parts[2])
