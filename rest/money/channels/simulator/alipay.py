"""The pretended Alipay: the gateway and its notifications."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from rest.money.channels import signing
from rest.money.channels.errors import BadSignature
from rest.money.channels.model import fen
from rest.money.channels.simulator import bills
from rest.money.channels.simulator.bank import Bank, News, Refusal, Trade
from rest.money.channels.simulator.keys import Identity
from rest.money.channels.simulator.sharing import Shares
from rest.money.channels.simulator.wechat import broken
from storage.base.clock import BUSINESS_ZONE, wall_time
from storage.base.money import yuan

_STATES = {"waiting": "WAIT_BUYER_PAY", "paying": "WAIT_BUYER_PAY", "paid": "TRADE_SUCCESS"}
_CODES = {"PARAM_MISMATCH": "ACQ.CONTEXT_INCONSISTENT", "TRADE_OVER": "ACQ.TRADE_HAS_CLOSE",
          "ORDERPAID": "ACQ.TRADE_STATUS_ERROR", "NOT_ENOUGH": "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"}  # fmt: skip


class AlipaySide:
    """The gateway's methods, and the notifications."""

    def __init__(self, bank: Bank, identity: Identity) -> None:
        self._bank = bank
        self._identity = identity
        self.shares = Shares(bank, "alipay")
        self._methods: Mapping[str, Callable[[Mapping[str, str], Any], dict[str, Any]]] = {
            "alipay.trade.precreate": self._precreate,
            "alipay.trade.create": self._create,
            "alipay.trade.query": self._query,
            "alipay.trade.close": self._close,
            "alipay.trade.refund": self._refund,
            "alipay.trade.fastpay.refund.query": self._query_refund,
            "alipay.data.dataservice.bill.downloadurl.query": self._bill,
            "alipay.trade.royalty.relation.bind": self._bind,
            "alipay.trade.order.settle": self._settle,
            "alipay.trade.order.settle.query": self._query_settle,
        }

    def add_to(self, app: web.Application) -> None:
        app.router.add_route("*", "/gateway.do", self._gateway)  # as the real one, which also takes GET
        app.router.add_get("/downloadBillFile.resource", self._download)

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        fields = {**request.query, **dict(parse_qsl((await request.read()).decode()))}
        fault = self._bank.fault("alipay")
        if fault in {"hang", "drop", "error"}:
            return await broken(request, fault)
        try:
            self._check(fields)
            if fault == "refuse":
                raise Refusal("ACQ.ACCESS_FORBIDDEN")
            fields["origin"] = str(request.url.origin())  # for addresses in answers
            told = self._methods[fields["method"]](fields, json.loads(fields["biz_content"]))
            node = {"code": "10000", "msg": "Success", **told}
        except Refusal as refusal:
            code = _CODES.get(refusal.code, refusal.code)
            node = {"code": "40004", "msg": "Business Failed", "sub_code": code, "sub_msg": "refused"}
        if fault == "lose":
            return await broken(request, "drop")
        return self._answer(fields.get("method", ""), node, forge=fault == "forge")

    def _check(self, fields: Mapping[str, str]) -> None:
        self._bank.asked["alipay"] += 1
        try:
            signing.check(self._identity.merchant_public, signing.pairs(fields), fields.get("sign", ""))
        except BadSignature:
            raise Refusal("isv.invalid-signature") from None
        if fields.get("app_id") != self._identity.alipay_app_id or fields.get("method") not in self._methods:
            raise Refusal("isv.invalid-app-id")

    def _answer(self, method: str, node: Mapping[str, Any], *, forge: bool) -> web.Response:
        # Not the way our own encoder writes: the signature is over these very bytes.
        text = json.dumps(node, ensure_ascii=False)
        signed = signing.sign(self._identity.platform_key, ("another" if forge else text).encode())
        name = method.replace(".", "_") + "_response"
        return web.Response(text=f'{{"{name}": {text}, "sign": "{signed}"}}', content_type="application/json")

    # Work

    def _open(self, fields: Mapping[str, str], asked: Any) -> Trade:  # noqa: ANN401 - JSON
        amount_fen = fen(asked["total_amount"])
        if amount_fen is None:
            raise Refusal("ACQ.INVALID_PARAMETER")
        at = datetime.strptime(asked["time_expire"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=BUSINESS_ZONE)
        trade = Trade(
            channel="alipay", number=asked["out_trade_no"], amount_fen=amount_fen, description=asked["subject"],
            payer=asked.get("buyer_id") or asked.get("buyer_open_id"), notify_url=fields["notify_url"], expires_at=at,
            asked=asked, is_shareable=asked.get("extend_params", {}).get("royalty_freeze") == "true",
        )  # fmt: skip
        return self._bank.open(trade)

    def _precreate(self, fields: Mapping[str, str], asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        trade = self._open(fields, asked)
        return {"out_trade_no": trade.number, "qr_code": f"https://qr.alipay.example/{trade.number}"}

    def _create(self, fields: Mapping[str, str], asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        trade = self._open(fields, asked)
        trade.trade_no = trade.trade_no or self._bank.number()
        return {"out_trade_no": trade.number, "trade_no": trade.trade_no}

    def _find(self, asked: Any) -> Trade:  # noqa: ANN401 - JSON
        own = asked.get("trade_no")
        trade = self._bank.find_own("alipay", own) if own else self._bank.find("alipay", asked["out_trade_no"])
        if trade is None:
            raise Refusal("ACQ.TRADE_NOT_EXIST")
        return trade

    def _query(self, _fields: Mapping[str, str], asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        trade = self._find(asked)
        return {
            "out_trade_no": trade.number,
            "trade_no": trade.trade_no or "",
            "trade_status": _state(trade),
            "total_amount": yuan(trade.paid_fen or trade.amount_fen),
        }

    def _close(self, _fields: Mapping[str, str], asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        trade = self._find(asked)
        self._bank.close(trade)
        return {"out_trade_no": trade.number}

    def _refund(self, _fields: Mapping[str, str], asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        trade = self._find(asked)
        for back in asked.get("refund_royalty_parameters", ()):
            split = next(one for one in self.shares.of(trade) if back["trans_out"] in one.shares)
            number = f"{asked['out_request_no']}:{back['trans_out']}"
            self.shares.give_back(split.number, number, back["trans_out"], fen(back["amount"]) or 0)
        refund, is_new = self._bank.refund(trade, asked["out_request_no"], fen(asked["refund_amount"]) or 0)
        if is_new and refund.is_done:
            self._bank.owe(trade, refund.number)
        is_done = is_new and refund.is_done
        return {
            "out_trade_no": trade.number,
            "trade_no": trade.trade_no,
            "fund_change": "Y" if is_done else "N",
            "refund_fee": yuan(trade.refunded_fen),
        }

    def _query_refund(self, _fields: Mapping[str, str], asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        trade = self._find(asked)
        refund = trade.refunds.get(asked["out_request_no"])
        if refund is None:
            return {}
        return {
            "out_trade_no": trade.number,
            "trade_no": trade.trade_no,
            "out_request_no": refund.number,
            "refund_amount": yuan(refund.amount_fen),
            "refund_status": "REFUND_SUCCESS" if refund.is_done else "REFUND_PROCESSING",
        }

    # Shares

    def _bind(self, _fields: Mapping[str, str], asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        self.shares.receivers.update({one["account"]: one["name"] for one in asked["receiver_list"]})
        return {"result_code": "SUCCESS"}

    def _settle(self, _fields: Mapping[str, str], asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        trade = self._find(asked)
        shares = {one["trans_in"]: fen(one["amount"]) or 0 for one in asked["royalty_parameters"]}
        ends = asked.get("extend_params", {}).get("royalty_finish") == "true"
        split = self.shares.split(trade, asked["out_request_no"], shares, ends=ends, asked=asked)
        return {"trade_no": trade.trade_no, "settle_no": split.own_number}

    def _query_settle(self, _fields: Mapping[str, str], asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        try:
            split = self.shares.look(asked["out_request_no"])
        except Refusal:
            raise Refusal("ACQ.SETTLE_NOT_EXIST") from None
        details = []
        for account, amount in split.shares.items():
            state = "PROCESSING" if not split.is_done else "FAIL" if account in split.closed else "SUCCESS"
            failed = {"error_code": "PAYEE_ABNORMAL"} if state == "FAIL" else {}
            one = {"operation_type": "transfer", "trans_in": account, "amount": yuan(amount), "state": state}
            details.append(one | failed)
        return {"out_request_no": split.number, "settle_no": split.own_number, "royalty_detail_list": details}

    # Bills

    def _bill(self, fields: Mapping[str, str], asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        day, seller_id = date.fromisoformat(asked["bill_date"]), self._identity.seller_id
        if not bills.is_ready(self._bank, "alipay", day):
            raise Refusal("isp.bill_not_exist")
        raw = bills.alipay_file(bills.items(self._bank, "alipay", seller_id, day), seller_id, day)
        if self._bank.faults["alipay.bill_broken"] > 0:
            self._bank.faults["alipay.bill_broken"] -= 1
            raw = raw[: len(raw) // 2] + b"something else" + raw[len(raw) // 2 + 14 :]
        return {"bill_download_url": f"{fields['origin']}/downloadBillFile.resource?token={self._bank.put_away(raw)}"}

    async def _download(self, request: web.Request) -> web.StreamResponse:
        raw = self._bank.files.get(request.query.get("token", ""))
        return web.Response(status=404) if raw is None else web.Response(body=raw, content_type="application/zip")

    # News

    def news(self, news: News, *, at: datetime) -> tuple[str, dict[str, str], bytes]:
        """A notification as it goes out: address, headers, body."""
        trade = self._bank.trades["alipay", news.number]
        fields = {
            "notify_id": news.notify_id,
            "notify_type": "trade_status_sync",
            "notify_time": wall_time(at),
            "app_id": self._identity.alipay_app_id,
            "seller_id": self._identity.seller_id,
            "charset": "utf-8",
            "version": "1.0",
            "out_trade_no": trade.number,
            "trade_no": trade.trade_no or "",
            "trade_status": "TRADE_SUCCESS",
            "total_amount": yuan(trade.paid_fen or trade.amount_fen),
            "subject": trade.description,
            "buyer_logon_id": "",
            **trade.told,
        }
        if news.refund is not None:
            fields |= {
                "gmt_refund": fields["notify_time"],
                "out_biz_no": news.refund,
                "refund_fee": yuan(trade.refunds[news.refund].amount_fen),
            }
        fields["sign"] = signing.sign(self._identity.platform_key, signing.pairs(fields))
        fields["sign_type"] = "RSA2"
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        return trade.notify_url, headers, urlencode(fields).encode()


def _state(trade: Trade) -> str:
    whole = trade.refunds and trade.refunded_fen == trade.paid_fen
    return "TRADE_CLOSED" if whole else _STATES.get(trade.state, "TRADE_CLOSED")
