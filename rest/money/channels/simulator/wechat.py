"""The pretended WeChat Pay: its answers and its notifications."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from aiohttp import web

from rest.money.channels import signing
from rest.money.channels.errors import BadSignature
from rest.money.channels.simulator import bills
from rest.money.channels.simulator.bank import Bank, News, Refund, Refusal, Trade
from rest.money.channels.simulator.keys import Identity
from rest.money.channels.simulator.sharing import Shares
from rest.money.channels.simulator.wechat_sharing import add_sharing
from storage.base import codec

_AUTHORIZATION = re.compile(
    r'WECHATPAY2-SHA256-RSA2048 mchid="([^"]*)",nonce_str="([^"]*)",signature="([^"]*)",timestamp="(\d+)",'
    r'serial_no="([^"]*)"'
)
_STATES = {"waiting": "NOTPAY", "paying": "USERPAYING", "paid": "SUCCESS", "failed": "PAYERROR", "closed": "CLOSED"}


class WechatSide:
    """Routes under /v3, and the notifications."""

    def __init__(self, bank: Bank, identity: Identity) -> None:
        self._bank = bank
        self._identity = identity
        self.shares = Shares(bank, "wechat")

    def add_to(self, app: web.Application) -> None:
        for kind in ("native", "jsapi"):
            app.router.add_post(f"/v3/pay/transactions/{kind}", self._handler(self._prepay))
        number = "/v3/pay/transactions/out-trade-no/{number}"
        app.router.add_get(number, self._handler(self._query))
        app.router.add_post(number + "/close", self._handler(self._close))
        app.router.add_post("/v3/refund/domestic/refunds", self._handler(self._refund))
        app.router.add_get("/v3/refund/domestic/refunds/{number}", self._handler(self._query_refund))
        add_sharing(app, self._handler, self.shares, self._bank, self._identity)
        app.router.add_get("/v3/bill/tradebill", self._handler(self._bill))
        app.router.add_get("/v3/billdownload/file", self._download)

    def _handler(self, work: Any) -> Any:  # noqa: ANN401 - aiohttp's handlers
        async def handle(request: web.Request) -> web.StreamResponse:
            raw = await request.read()
            fault = self._bank.fault("wechat")
            if fault in {"hang", "drop", "error"}:
                return await broken(request, fault)
            try:
                self._check(request, raw)
                if fault == "refuse":
                    raise Refusal("NO_AUTH", 403)
                told = work(request, codec.loads(raw) if raw else {})
            except Refusal as refusal:
                return self._answer({"code": refusal.code, "message": "refused"}, refusal.status)
            if fault == "lose":
                return await broken(request, "drop")
            return self._answer(told, 200 if told else 204, forge=fault == "forge")

        return handle

    def _check(self, request: web.Request, raw: bytes) -> None:
        found = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
        self._bank.asked["wechat"] += 1
        if found is None or (found[1], found[5]) != (self._identity.merchant_id, self._identity.merchant_serial):
            raise Refusal("SIGN_ERROR", 401)
        text = signing.lines(request.method, request.raw_path, found[4], found[2]) + raw + b"\n"
        try:
            signing.check(self._identity.merchant_public, text, found[3])
        except BadSignature:
            raise Refusal("SIGN_ERROR", 401) from None

    def _answer(self, told: Mapping[str, Any], status: int, *, forge: bool = False) -> web.Response:
        raw = codec.dumps(told) if told else b""
        headers = self.signed(raw)
        if forge:
            headers["Wechatpay-Signature"] = self.signed(b"something else")["Wechatpay-Signature"]
        return web.Response(status=status, body=raw, headers={**headers, "Content-Type": "application/json"})

    def signed(self, raw: bytes, *, at: datetime | None = None) -> dict[str, str]:
        """The headers that prove a body."""
        time, nonce = str(int((at or self._bank.now).timestamp())), secrets.token_hex(16)
        return {
            "Wechatpay-Serial": self._identity.platform_serial,
            "Wechatpay-Timestamp": time,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": signing.sign(self._identity.platform_key, signing.lines(time, nonce) + raw + b"\n"),
            "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
        }

    # Work

    def _prepay(self, request: web.Request, asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        kind = request.path.rsplit("/", 1)[1]
        if (asked["mchid"], asked["appid"]) != (self._identity.merchant_id, self._identity.wechat_app_id):
            raise Refusal("APPID_MCHID_NOT_MATCH")
        payer = asked["payer"]["openid"] if kind == "jsapi" else None
        expires_at = datetime.fromisoformat(asked["time_expire"])
        trade = Trade(
            channel="wechat", number=asked["out_trade_no"], amount_fen=asked["amount"]["total"],
            description=asked["description"], payer=payer, notify_url=asked["notify_url"], expires_at=expires_at,
            asked=asked, is_shareable=bool(asked.get("settle_info", {}).get("profit_sharing")),
        )  # fmt: skip
        opened = self._bank.open(trade)
        if payer is None:
            return {"code_url": f"weixin://wxpay/bizpayurl?pr={opened.number}"}
        return {"prepay_id": f"wx{opened.number}"}

    def _find(self, number: str) -> Trade:
        trade = self._bank.find("wechat", number)
        if trade is None:
            raise Refusal("ORDER_NOT_EXIST", 404)
        return trade

    def _query(self, request: web.Request, _asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        return self._told(self._find(request.match_info["number"]))

    def _close(self, request: web.Request, _asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        self._bank.close(self._find(request.match_info["number"]))
        return {}

    def _refund(self, _request: web.Request, asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        own = asked.get("transaction_id")
        trade = self._find(asked["out_trade_no"]) if own is None else self._bank.find_own("wechat", own)
        if trade is None:
            raise Refusal("RESOURCE_NOT_EXISTS", 404)
        refund, is_new = self._bank.refund(trade, asked["out_refund_no"], asked["amount"]["refund"])
        if is_new and refund.is_done:
            self._bank.owe(trade, refund.number)
        return self._told_refund(trade, refund, "status")

    def _query_refund(self, request: web.Request, _asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        number = request.match_info["number"]
        for trade in self._bank.trades.values():
            if trade.channel == "wechat" and number in trade.refunds:
                return self._told_refund(trade, trade.refunds[number], "status")
        raise Refusal("RESOURCE_NOT_EXISTS", 404)

    # Bills

    def _bill(self, request: web.Request, _asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        asked, day = request.query, date.fromisoformat(request.query["bill_date"])
        if not bills.is_ready(self._bank, "wechat", day):
            raise Refusal("NO_STATEMENT_EXIST")
        told = bills.items(self._bank, "wechat", self._identity.merchant_id, day)
        raw, sent = bills.wechat_file(told, self._identity.wechat_app_id, packed=asked.get("tar_type") == "GZIP")
        if self._bank.faults["wechat.bill_broken"] > 0:
            self._bank.faults["wechat.bill_broken"] -= 1
            raw += b"something else"
        url = request.url.origin() / "v3/billdownload/file"
        return {
            "hash_type": "SHA1",
            "hash_value": hashlib.sha1(raw, usedforsecurity=False).hexdigest(),
            "download_url": str(url.with_query(token=self._bank.put_away(sent))),
        }

    async def _download(self, request: web.Request) -> web.StreamResponse:
        """Signed as any request, and not signed by us: as the real one."""
        try:
            self._check(request, b"")
        except Refusal as refusal:
            return web.json_response({"code": refusal.code, "message": "refused"}, status=refusal.status)
        raw = self._bank.files.get(request.query.get("token", ""))
        if raw is None:
            return web.json_response({"code": "RESOURCE_NOT_EXISTS", "message": "no file"}, status=404)
        return web.Response(body=raw, content_type="application/octet-stream")

    def _told(self, trade: Trade) -> dict[str, Any]:
        told: dict[str, Any] = {
            "mchid": self._identity.merchant_id,
            "appid": self._identity.wechat_app_id,
            "out_trade_no": trade.number,
            "trade_state": "REFUND" if trade.refunds else _STATES[trade.state],
            "trade_state_desc": trade.state,
            "amount": {"total": trade.paid_fen or trade.amount_fen, "currency": "CNY"},
        }
        if trade.trade_no:
            told |= {"transaction_id": trade.trade_no, "trade_type": "JSAPI" if trade.payer else "NATIVE"}
        changes = dict(trade.told)
        told["amount"] |= changes.pop("amount", {})
        return told | changes

    def _told_refund(self, trade: Trade, refund: Refund, status: str) -> dict[str, Any]:
        return {
            "mchid": self._identity.merchant_id,
            "out_trade_no": trade.number,
            "transaction_id": trade.trade_no,
            "out_refund_no": refund.number,
            "refund_id": refund.refund_id,
            status: "SUCCESS" if refund.is_done else "PROCESSING",
            "amount": {"total": trade.paid_fen, "refund": refund.amount_fen},
        }

    # News

    def news(self, news: News, *, at: datetime) -> tuple[str, dict[str, str], bytes]:
        """A notification as it goes out: address, headers, body."""
        trade = self._bank.trades["wechat", news.number]
        is_refund = news.refund is not None
        if news.refund is not None:
            told = self._told_refund(trade, trade.refunds[news.refund], "refund_status")
        else:
            told = {**self._told(trade), "trade_state": trade.told.get("trade_state", "SUCCESS")}
        kind, nonce = ("refund" if is_refund else "transaction"), secrets.token_hex(6)
        raw = codec.dumps(
            {
                "id": news.notify_id,
                "create_time": at.isoformat(timespec="seconds"),
                "event_type": "REFUND.SUCCESS" if is_refund else "TRANSACTION.SUCCESS",
                "resource_type": "encrypt-resource",
                "summary": "simulated",
                "resource": {
                    "original_type": kind,
                    "algorithm": "AEAD_AES_256_GCM",
                    "ciphertext": signing.seal(self._identity.api_key, nonce, kind, codec.dumps(told)),
                    "associated_data": kind,
                    "nonce": nonce,
                },
            }
        )
        headers = {**self.signed(raw, at=at), "Content-Type": "application/json"}
        return trade.notify_url, headers, raw


async def broken(request: web.Request, fault: str) -> web.StreamResponse:
    """An answer that is none."""
    if fault == "error":
        return web.Response(status=500, text="something failed")
    if fault == "hang":
        await asyncio.sleep(timedelta(minutes=1).total_seconds())
    if request.transport is not None:
        request.transport.close()
    return web.Response(status=500)
