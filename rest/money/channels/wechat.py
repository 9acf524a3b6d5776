"""WeChat Pay, API v3: JSAPI and Native prepay, query, close, refund, notifications.

A request is signed over method, path, time, nonce and body; an answer and a notification over time, nonce and body, by
a key the platform names in `Wechatpay-Serial` (public keys and certificates are both live, so several are known).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from rest.money.channels import signing, wechat_bill
from rest.money.channels.bills import BillBroken, BillLine, BillNotReady
from rest.money.channels.calls import Answered, Calls
from rest.money.channels.errors import BadSignature, ChannelRefused, ChannelUnreachable
from rest.money.channels.model import (
    CURRENCY,
    Ack,
    Notification,
    Prepay,
    RefundNews,
    RefundOrder,
    RefundWord,
    Trade,
    TradeState,
)
from rest.money.channels.wechat_sharing import WechatSharing
from storage.base import codec
from storage.base.clock import BUSINESS_ZONE, Clock

SCHEME = "WECHATPAY2-SHA256-RSA2048"
TIME_APART = timedelta(seconds=300)
"""A signed time further from ours is an old message sent again."""
DESCRIPTION_MAX = 127

_STATES = {
    "SUCCESS": TradeState.PAID,
    "REFUND": TradeState.PAID,  # paid, and since then refunded in part or whole
    "NOTPAY": TradeState.WAITING,
    "USERPAYING": TradeState.WAITING,
    "PAYERROR": TradeState.CLOSED,
    "CLOSED": TradeState.CLOSED,
    "REVOKED": TradeState.CLOSED,
}
_REFUNDS = {"SUCCESS": RefundWord.DONE, "PROCESSING": RefundWord.PROCESSING}
_MISSING = frozenset({"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"})
_NO_BILL = frozenset({"NO_STATEMENT_EXIST", "STATEMENT_CREATING"})
_BUSY = frozenset({"SYSTEM_ERROR", "FREQUENCY_LIMITED", "RATELIMIT_EXCEEDED", "BANK_ERROR"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WechatAccount:
    """Who we are at WeChat, and by which keys we know it: `platform_keys` by serial."""

    url: str
    app_id: str
    merchant_id: str
    key: RSAPrivateKey
    key_serial: str
    api_key: bytes
    platform_keys: Mapping[str, RSAPublicKey]
    notify_url: str


class Wechat:
    """The `Channel` of WeChat Pay."""

    name = "wechat"
    taken = Ack(200, "application/json", b'{"code":"SUCCESS"}')
    refused = None

    def __init__(self, account: WechatAccount, calls: Calls, clock: Clock) -> None:
        self._account = account
        self._calls = calls
        self._clock = clock
        self.sharing = WechatSharing(self._ask, account.app_id, next(iter(account.platform_keys.values())))

    # Questions

    async def prepay(self, wanted: Prepay) -> dict[str, str]:
        kind = "native" if wanted.payer is None else "jsapi"
        body: dict[str, Any] = {
            "appid": self._account.app_id,
            "mchid": self._account.merchant_id,
            "description": wanted.description[:DESCRIPTION_MAX],
            "out_trade_no": wanted.out_trade_no,
            "time_expire": wanted.expires_at.astimezone(BUSINESS_ZONE).isoformat(timespec="seconds"),
            "notify_url": self._account.notify_url,
            "amount": {"total": wanted.amount_fen, "currency": CURRENCY},
        }
        if wanted.is_shared:
            body["settle_info"] = {"profit_sharing": True}
        if wanted.payer is not None:
            body["payer"] = {"openid": wanted.payer}
        answer = await self._ask("POST", f"/v3/pay/transactions/{kind}", body)
        if wanted.payer is None:
            return {"kind": "code", "code_url": _text(answer, "code_url")}
        return self._for_jsapi(_text(answer, "prepay_id"))

    def _for_jsapi(self, prepay_id: str) -> dict[str, str]:
        """What `wx.requestPayment` takes, signed by us."""
        at, nonce = str(int(self._clock.now().timestamp())), secrets.token_hex(16)
        package = f"prepay_id={prepay_id}"
        signed = signing.sign(self._account.key, signing.lines(self._account.app_id, at, nonce, package))
        return {
            "kind": "jsapi",
            "appId": self._account.app_id,
            "timeStamp": at,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": signed,
        }

    async def query(self, out_trade_no: str) -> Trade:
        path = f"/v3/pay/transactions/out-trade-no/{out_trade_no}?mchid={self._account.merchant_id}"
        try:
            return self._trade(await self._ask("GET", path))
        except ChannelRefused as refusal:
            if refusal.code in _MISSING:
                return Trade(out_trade_no=out_trade_no, state=TradeState.MISSING)
            raise

    async def close(self, out_trade_no: str) -> None:
        body = {"mchid": self._account.merchant_id}
        await self._ask("POST", f"/v3/pay/transactions/out-trade-no/{out_trade_no}/close", body)

    async def refund(self, wanted: RefundOrder) -> RefundNews:
        body = {
            **_named(wanted),
            "out_refund_no": wanted.out_refund_no,
            "reason": wanted.reason[:80],
            "notify_url": self._account.notify_url,
            "amount": {"refund": wanted.amount_fen, "total": wanted.total_fen, "currency": CURRENCY},
        }
        return _refund(await self._ask("POST", "/v3/refund/domestic/refunds", body), "status")

    async def query_refund(self, wanted: RefundOrder) -> RefundNews:
        try:
            answer = await self._ask("GET", f"/v3/refund/domestic/refunds/{wanted.out_refund_no}")
        except ChannelRefused as refusal:
            if refusal.code in _MISSING:
                return RefundNews(out_refund_no=wanted.out_refund_no, state=RefundWord.MISSING)
            raise
        return _refund(answer, "status")

    # Bills

    @property
    def merchant(self) -> str:
        return self._account.merchant_id

    async def fetch_bill(self, day: date, to: Path) -> None:
        try:
            told = await self._ask("GET", f"/v3/bill/tradebill?bill_date={day}&bill_type=ALL&tar_type=GZIP")
        except ChannelRefused as refusal:
            if refusal.code in _NO_BILL:
                raise BillNotReady from refusal
            raise
        base, url = self._account.url, _text(told, "download_url")
        if not url.startswith(f"{base}/"):
            raise BillBroken("a bill that is elsewhere")  # our signature is for nobody else
        # The file itself is not signed: its digest was.
        headers = {"Authorization": self._authorization("GET", url.removeprefix(base), b""), "User-Agent": "fieldhub"}
        answer = await self._calls.download(url, headers=headers, to=to)
        if answer.status != 200:
            raise _refusal(answer)
        await asyncio.to_thread(wechat_bill.check_hash, to, _text(told, "hash_type"), _text(told, "hash_value"))

    def read_bill(self, path: Path) -> Iterator[BillLine]:
        return wechat_bill.read(path)

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        account = self._account
        raw = b"" if body is None else codec.dumps(body)
        headers = {
            "Authorization": self._authorization(method, path, raw),
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": "fieldhub",
            "Wechatpay-Serial": next(iter(account.platform_keys)),
        }
        answer = await self._calls.send(method, account.url + path, headers=headers, body=raw or None)
        if 200 <= answer.status < 300:
            self._check(answer.headers, answer.body, self._clock.now())
            return _json(answer.body) if answer.body else {}
        raise _refusal(answer)

    def _authorization(self, method: str, path: str, raw: bytes) -> str:
        # The path as the server sees it: a base URL may have one of its own.
        full = urlsplit(self._account.url).path + path
        at, nonce = str(int(self._clock.now().timestamp())), secrets.token_hex(16)
        signed = signing.sign(self._account.key, signing.lines(method, full, at, nonce) + raw + b"\n")
        return (
            f'{SCHEME} mchid="{self._account.merchant_id}",nonce_str="{nonce}",signature="{signed}",'
            f'timestamp="{at}",serial_no="{self._account.key_serial}"'
        )

    # Notifications

    def read_notification(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notification:
        """Serial, time, signature, seal, in this order. Raises BadSignature."""
        nonce = self._check(headers, body, now)
        told = _json(body)
        sealed = told.get("resource")
        if not isinstance(sealed, dict) or sealed.get("algorithm") != "AEAD_AES_256_GCM":
            raise BadSignature
        plain = signing.unseal(
            self._account.api_key,
            str(sealed.get("nonce", "")),
            str(sealed.get("associated_data") or ""),
            str(sealed.get("ciphertext", "")),
        )
        resource, notify_id = _json(plain), str(told.get("id", ""))[:128]
        if str(told.get("event_type", "")).startswith("REFUND."):
            refund = _refund(resource, "refund_status", is_ours=resource.get("mchid") == self._account.merchant_id)
            return Notification(notify_id=notify_id, nonce=nonce, refund=refund)
        return Notification(notify_id=notify_id, nonce=nonce, trade=self._trade(resource))

    def _check(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """The nonce of a message that the platform signed just now. Raises BadSignature."""
        key = self._account.platform_keys.get(headers.get("Wechatpay-Serial", ""))
        at, nonce = headers.get("Wechatpay-Timestamp", ""), headers.get("Wechatpay-Nonce", "")
        if key is None or not (at.isascii() and at.isdigit() and len(at) <= 12) or not 1 <= len(nonce) <= 128:
            raise BadSignature
        if abs(now - datetime.fromtimestamp(int(at), UTC)) > TIME_APART:
            raise BadSignature
        signing.check(key, signing.lines(at, nonce) + body + b"\n", headers.get("Wechatpay-Signature", ""))
        return nonce

    def _trade(self, told: Mapping[str, Any]) -> Trade:
        amount: Any = told.get("amount") or {}
        total = amount.get("total") if isinstance(amount, dict) else None
        ours = (self._account.merchant_id, self._account.app_id)
        return Trade(
            out_trade_no=str(told.get("out_trade_no", "")),
            state=_STATES.get(str(told.get("trade_state")), TradeState.WAITING),
            trade_no=str(told["transaction_id"]) if told.get("transaction_id") else None,
            amount_fen=total if type(total) is int else None,
            currency=str(amount.get("currency", CURRENCY)) if total is not None else CURRENCY,
            is_ours=(told.get("mchid"), told.get("appid")) == ours,
        )


def _named(wanted: RefundOrder) -> dict[str, str]:
    """The trade, by our number or theirs."""
    if wanted.out_trade_no is not None:
        return {"out_trade_no": wanted.out_trade_no}
    return {"transaction_id": wanted.trade_no or ""}


def _refund(told: Mapping[str, Any], status: str, *, is_ours: bool = True) -> RefundNews:
    amount = told.get("amount")
    back = amount.get("refund") if isinstance(amount, dict) else None
    return RefundNews(
        out_refund_no=str(told.get("out_refund_no", "")),
        state=_REFUNDS.get(str(told.get(status)), RefundWord.ABNORMAL),
        channel_ref=str(told["refund_id"]) if told.get("refund_id") else None,
        amount_fen=back if type(back) is int else None,
        is_ours=is_ours,
    )


def _refusal(answer: Answered) -> Exception:
    """What an answer that is none means: the channel's no, or nothing at all."""
    try:
        told = _json(answer.body)
    except BadSignature:
        told = {}
    code = str(told.get("code", ""))[:64]
    if answer.status == 429 or answer.status >= 500 or code in _BUSY or not code:
        return ChannelUnreachable(f"answered {answer.status} {code}")
    return ChannelRefused(code, str(told.get("message", "")))


def _json(raw: bytes) -> dict[str, Any]:
    """Raises BadSignature: signed or not, this is no message of the channel."""
    try:
        told = codec.loads(raw)
    except ValueError as wrong:
        raise BadSignature from wrong
    if not isinstance(told, dict):
        raise BadSignature
    return told


def _text(told: Mapping[str, Any], name: str) -> str:
    found = told.get(name)
    if not isinstance(found, str) or not found:
        raise ChannelUnreachable(f"an answer without {name}")
    return found
