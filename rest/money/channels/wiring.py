"""The channels of one process, made from the settings. What is not set up is not there."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from rest.money.channels.alipay import Alipay, AlipayAccount
from rest.money.channels.calls import Calls
from rest.money.channels.model import Channel
from rest.money.channels.signing import read_api_key, read_private_key, read_public_key
from rest.money.channels.wechat import Wechat, WechatAccount
from storage.base.clock import Clock
from storage.base.settings import Settings


class Channels:
    """Channels by name, and the connections they share."""

    def __init__(self, by_name: Mapping[str, Channel], calls: Calls) -> None:
        self._by_name = by_name
        self._calls = calls

    @property
    def names(self) -> frozenset[str]:
        """The methods customers can pay with."""
        return frozenset(self._by_name)

    def find(self, name: str) -> Channel | None:
        return self._by_name.get(name)

    def get(self, name: str) -> Channel:
        """Raises LookupError: an attempt outlived the settings of its channel."""
        channel = self._by_name.get(name)
        if channel is None:
            raise LookupError(f"channel {name} is not set up")
        return channel

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        await self._calls.close()


CHANNELS = web.AppKey("channels", Channels)


def open_channels(settings: Settings, clock: Clock) -> Channels:
    """Read the keys. Raises OSError, ValueError naming the file."""
    calls = Calls(timeout_ms=settings.channel_timeout_ms)
    found: dict[str, Channel] = {}
    if settings.wechat_merchant_id:
        found["wechat"] = Wechat(_wechat_account(settings), calls, clock)
    if settings.alipay_app_id:
        found["alipay"] = Alipay(_alipay_account(settings), calls, clock)
    return Channels(found, calls)


def _wechat_account(settings: Settings) -> WechatAccount:
    pairs = [part.strip().partition("=") for part in settings.wechat_platform_keys.split(",")]
    return WechatAccount(
        url=settings.wechat_url.rstrip("/"),
        app_id=settings.wechat_app_id,
        merchant_id=settings.wechat_merchant_id,
        key=read_private_key(settings.wechat_key_file),
        key_serial=settings.wechat_key_serial,
        api_key=read_api_key(settings.wechat_api_key_file),
        platform_keys={serial.strip(): read_public_key(path.strip()) for serial, _, path in pairs},
        notify_url=notify_url(settings, "wechat"),
    )


def _alipay_account(settings: Settings) -> AlipayAccount:
    return AlipayAccount(
        url=settings.alipay_url,
        app_id=settings.alipay_app_id,
        seller_id=settings.alipay_seller_id,
        key=read_private_key(settings.alipay_key_file),
        public_key=read_public_key(settings.alipay_public_key_file),
        notify_url=notify_url(settings, "alipay"),
    )


def notify_url(settings: Settings, channel: str) -> str:
    """Where a channel sends its news."""
    return f"{settings.channel_notify_url.rstrip('/')}/v1/notify/{channel}"
