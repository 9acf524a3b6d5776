"""Alipay: create and precreate, query, close, refund, notifications, all signed RSA2 over sorted fields.

An answer is signed over the very text of its node, so that text is cut out of the body and not written anew.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from rest.money.channels import alipay_bill, signing
from rest.money.channels.alipay_sharing import AlipaySharing
from rest.money.channels.bills import BillLine, BillNotReady
from rest.money.channels.calls import Calls
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
    fen,
)
from storage.base import codec
from storage.base.clock import Clock, wall_time
from storage.base.money import yuan

_STATES = {
    "TRADE_SUCCESS": TradeState.PAID,
    "TRADE_FINISHED": TradeState.PAID,
    "WAIT_BUYER_PAY": TradeState.WAITING,
    "TRADE_CLOSED": TradeState.CLOSED,
}
_DONE = "10000"
_BUSY = frozenset({"10003", "20000"})
_BUSY_SUB = frozenset({"ACQ.SYSTEM_ERROR", "aop.ACQ.SYSTEM_ERROR", "isp.unknow-error"})
_MISSING = "ACQ.TRADE_NOT_EXIST"
_NO_BILL = frozenset({"isp.bill_not_exist", "BILL_NOT_EXIST"})
_SUBJECT_MAX = 128
_FIELDS_MAX = 100
_BUYER_NUMBER = re.compile(r"2088[0-9]{12}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayAccount:
    """Who we are at Alipay, and by which key we know it. `url` is the gateway."""

    url: str
    app_id: str
    seller_id: str
    key: RSAPrivateKey
    public_key: RSAPublicKey
    notify_url: str


class Alipay:
    """The `Channel` of Alipay."""

    name = "alipay"
    taken = Ack(200, "text/plain", b"success")
    refused = Ack(200, "text/plain", b"fail")

    def __init__(self, account: AlipayAccount, calls: Calls, clock: Clock) -> None:
        self._account = account
        self._calls = calls
        self._clock = clock
        self.sharing = AlipaySharing(self._ask)

    # Questions

    async def prepay(self, wanted: Prepay) -> dict[str, str]:
        content: dict[str, Any] = {
            "out_trade_no": wanted.out_trade_no,
            "total_amount": yuan(wanted.amount_fen),
            "subject": wanted.description[:_SUBJECT_MAX],
            "seller_id": self._account.seller_id,
            "time_expire": wall_time(wanted.expires_at),
        }
        if wanted.is_shared:
            content["extend_params"] = {"royalty_freeze": "true"}
        if wanted.payer is None:
            answer = await self._ask("alipay.trade.precreate", content, notify=True)
            return {"kind": "code", "code_url": _text(answer, "qr_code")}
        content |= {"product_code": "JSAPI_PAY", "op_app_id": self._account.app_id}
        content["buyer_id" if _BUYER_NUMBER.fullmatch(wanted.payer) else "buyer_open_id"] = wanted.payer
        answer = await self._ask("alipay.trade.create", content, notify=True)
        return {"kind": "trade", "trade_no": _text(answer, "trade_no")}

    async def query(self, out_trade_no: str) -> Trade:
        try:
            told = await self._ask("alipay.trade.query", {"out_trade_no": out_trade_no})
        except ChannelRefused as refusal:
            if refusal.code == _MISSING:
                return Trade(out_trade_no=out_trade_no, state=TradeState.MISSING)
            raise
        return _trade(told, is_ours=True)

    async def close(self, out_trade_no: str) -> None:
        try:
            await self._ask("alipay.trade.close", {"out_trade_no": out_trade_no})
        except ChannelRefused as refusal:
            if refusal.code != _MISSING:  # nobody has scanned the code: there is nothing to close
                raise

    async def refund(self, wanted: RefundOrder) -> RefundNews:
        content: dict[str, Any] = {
            **_named(wanted),
            "out_request_no": wanted.out_refund_no,
            "refund_amount": yuan(wanted.amount_fen),
            "refund_reason": wanted.reason[:80],
        }
        if wanted.returns:
            content["refund_royalty_parameters"] = [
                {"royalty_type": "transfer", "trans_out_type": "userId", "trans_out": share.account,
                 "amount": yuan(share.amount_fen), "desc": share.description[:80]}
                for share in wanted.returns
            ]  # fmt: skip
        told = await self._ask("alipay.trade.refund", content)
        # `N` also stands for a repeat of a refund that was done: the question says which.
        is_done = told.get("fund_change") == "Y"
        return RefundNews(
            out_refund_no=wanted.out_refund_no,
            state=RefundWord.DONE if is_done else RefundWord.PROCESSING,
            channel_ref=_trade_no(told),
            amount_fen=wanted.amount_fen,
        )

    async def query_refund(self, wanted: RefundOrder) -> RefundNews:
        content = {**_named(wanted), "out_request_no": wanted.out_refund_no}
        try:
            told = await self._ask("alipay.trade.fastpay.refund.query", content)
        except ChannelRefused as refusal:
            if refusal.code == _MISSING:
                return RefundNews(out_refund_no=wanted.out_refund_no, state=RefundWord.MISSING)
            raise
        if not told.get("out_request_no"):
            return RefundNews(out_refund_no=wanted.out_refund_no, state=RefundWord.MISSING)
        is_done = told.get("refund_status", "REFUND_SUCCESS") == "REFUND_SUCCESS"
        return RefundNews(
            out_refund_no=wanted.out_refund_no,
            state=RefundWord.DONE if is_done else RefundWord.PROCESSING,
            channel_ref=_trade_no(told),
            amount_fen=fen(told.get("refund_amount")),
        )

    # Bills

    @property
    def merchant(self) -> str:
        return self._account.seller_id

    async def fetch_bill(self, day: date, to: Path) -> None:
        content = {"bill_type": "trade", "bill_date": day.isoformat()}
        try:
            told = await self._ask("alipay.data.dataservice.bill.downloadurl.query", content)
        except ChannelRefused as refusal:
            if refusal.code in _NO_BILL:
                raise BillNotReady from refusal
            raise
        # The address was signed, and lives for half a minute; what is there has nothing but its own checksums.
        answer = await self._calls.download(_text(told, "bill_download_url"), headers={"User-Agent": "fieldhub"}, to=to)
        if answer.status != 200:
            raise ChannelUnreachable(f"answered {answer.status}")
        await asyncio.to_thread(alipay_bill.check, to)

    def read_bill(self, path: Path) -> Iterator[BillLine]:
        return alipay_bill.read(path)

    async def _ask(self, method: str, content: Mapping[str, Any], *, notify: bool = False) -> dict[str, Any]:
        fields = {
            "app_id": self._account.app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": wall_time(self._clock.now()),
            "version": "1.0",
            "biz_content": codec.dumps(content).decode(),
        }
        if notify:
            fields["notify_url"] = self._account.notify_url
        fields["sign"] = signing.sign(self._account.key, signing.pairs(fields))
        headers = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8", "User-Agent": "fieldhub"}
        answer = await self._calls.send("POST", self._account.url, headers=headers, body=urlencode(fields).encode())
        if answer.status != 200:
            raise ChannelUnreachable(f"answered {answer.status}")
        return self._read(method.replace(".", "_") + "_response", answer.body)

    def _read(self, name: str, body: bytes) -> dict[str, Any]:
        """The verified node of an answer. Raises BadSignature, ChannelRefused, ChannelUnreachable."""
        try:
            text = body.decode()
            told = json.loads(text)
        except ValueError as wrong:
            raise ChannelUnreachable("an answer that cannot be read") from wrong
        if not isinstance(told, dict) or name not in told:
            problem = told.get("error_response") if isinstance(told, dict) else None
            raise _refusal(problem) if isinstance(problem, dict) else ChannelUnreachable(f"an answer without {name}")
        # What is read is what was signed, even where a name comes twice.
        signed = _node_text(text, name)
        node = json.loads(signed)
        if "sign" in told or node.get("code") == _DONE:
            signing.check(self._account.public_key, signed.encode(), str(told.get("sign", "")))
        if node.get("code") != _DONE:
            raise _refusal(node)
        return dict(node)

    # Notifications

    def read_notification(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notification:  # noqa: ARG002
        """Form fields signed as a whole. A repeat is known by its id, whatever its age. Raises BadSignature."""
        try:
            given = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=_FIELDS_MAX)
        except ValueError as wrong:
            raise BadSignature from wrong
        fields = dict(given)
        if fields.get("sign_type") != "RSA2":
            raise BadSignature
        text = signing.pairs(fields, without=("sign", "sign_type"))
        signing.check(self._account.public_key, text, fields.get("sign", ""))
        ours = (self._account.app_id, self._account.seller_id)
        is_ours = (fields.get("app_id"), fields.get("seller_id")) == ours
        notify_id = fields.get("notify_id", "")[:128]
        if fields.get("gmt_refund") and fields.get("out_biz_no"):
            refund = RefundNews(
                out_refund_no=fields["out_biz_no"][:64], state=RefundWord.DONE, channel_ref=fields.get("trade_no"),
                is_ours=is_ours,
            )  # fmt: skip
            return Notification(notify_id=notify_id, nonce=None, refund=refund)
        return Notification(notify_id=notify_id, nonce=None, trade=_trade(fields, is_ours=is_ours))


def _named(wanted: RefundOrder) -> dict[str, str]:
    """The trade, by our number or theirs."""
    if wanted.out_trade_no is not None:
        return {"out_trade_no": wanted.out_trade_no}
    return {"trade_no": wanted.trade_no or ""}


def _trade(told: Mapping[str, Any], *, is_ours: bool) -> Trade:
    return Trade(
        out_trade_no=str(told.get("out_trade_no", "")),
        state=_STATES.get(str(told.get("trade_status")), TradeState.WAITING),
        trade_no=_trade_no(told),
        amount_fen=fen(told.get("total_amount")),
        currency=str(told.get("trans_currency") or CURRENCY),
        is_ours=is_ours,
    )


def _trade_no(told: Mapping[str, Any]) -> str | None:
    return str(told["trade_no"]) if told.get("trade_no") else None


def _refusal(node: Mapping[str, Any]) -> Exception:
    code, sub = str(node.get("code", "")), str(node.get("sub_code", ""))[:64]
    if code in _BUSY or sub in _BUSY_SUB:
        return ChannelUnreachable(f"answered {code} {sub}")
    return ChannelRefused(sub or code, str(node.get("sub_msg", "")))


def _node_text(text: str, name: str) -> str:
    """The text of `"name": {…}` as it was sent. Raises BadSignature."""
    at = text.find(f'"{name}"')
    start = text.find("{", at + len(name) + 2)
    if at < 0 or start < 0:
        raise BadSignature
    _, end = json.JSONDecoder().raw_decode(text, start)
    return text[start:end]


def _text(told: Mapping[str, Any], name: str) -> str:
    found = told.get(name)
    if not isinstance(found, str) or not found:
        raise ChannelUnreachable(f"an answer without {name}")
    return found
