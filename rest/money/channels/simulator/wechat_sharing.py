"""Profit sharing of the pretended WeChat Pay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from rest.money.channels import signing
from rest.money.channels.errors import BadSignature
from rest.money.channels.simulator.bank import Bank, Refusal
from rest.money.channels.simulator.keys import Identity
from rest.money.channels.simulator.sharing import Shares, Split

Handler = Callable[[Any], Any]


def add_sharing(app: web.Application, handler: Handler, shares: Shares, bank: Bank, identity: Identity) -> None:
    """Routes under /v3/profitsharing."""
    side = _Side(shares, bank, identity)
    base = "/v3/profitsharing"
    app.router.add_post(f"{base}/receivers/add", handler(side.add_receiver))
    app.router.add_post(f"{base}/orders", handler(side.split))
    app.router.add_post(f"{base}/orders/unfreeze", handler(side.unfreeze))
    app.router.add_get(base + "/orders/{number}", handler(side.look))
    app.router.add_post(f"{base}/return-orders", handler(side.give_back))
    app.router.add_get(base + "/return-orders/{number}", handler(side.look_back))


class _Side:
    def __init__(self, shares: Shares, bank: Bank, identity: Identity) -> None:
        self._shares, self._bank, self._identity = shares, bank, identity

    def add_receiver(self, _request: web.Request, asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        if asked["type"] != "MERCHANT_ID" or asked["appid"] != self._identity.wechat_app_id:
            raise Refusal("PARAM_ERROR")
        try:
            name = signing.decrypt(self._identity.platform_key, asked["name"])
        except BadSignature:
            raise Refusal("PARAM_ERROR") from None
        self._shares.receivers[asked["account"]] = name
        return {name: asked[name] for name in ("type", "account", "relation_type")}

    def split(self, _request: web.Request, asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        trade = self._bank.find_own("wechat", asked["transaction_id"])
        if trade is None:
            raise Refusal("ORDER_NOT_EXIST", 404)
        shares = {share["account"]: share["amount"] for share in asked["receivers"]}
        made = self._shares.split(trade, asked["out_order_no"], shares, ends=asked["unfreeze_unsplit"], asked=asked)
        return _told(made)

    def unfreeze(self, _request: web.Request, asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        trade = self._bank.find_own("wechat", asked["transaction_id"])
        if trade is None:
            raise Refusal("ORDER_NOT_EXIST", 404)
        return _told(self._shares.split(trade, asked["out_order_no"], {}, ends=True, asked=asked))

    def look(self, request: web.Request, _asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        return _told(self._shares.look(request.match_info["number"]))

    def give_back(self, _request: web.Request, asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        split = self._shares.give_back(
            asked["out_order_no"], asked["out_return_no"], asked["return_mchid"], asked["amount"]
        )
        return _told_back(split, asked["out_return_no"])

    def look_back(self, request: web.Request, _asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        split, number = self._shares.look(request.query["out_order_no"]), request.match_info["number"]
        if number not in split.returns:
            raise Refusal("RESOURCE_NOT_EXISTS", 404)
        return _told_back(split, number)


def _told(split: Split) -> dict[str, Any]:
    def result(account: str) -> str:
        return "PENDING" if not split.is_done else "CLOSED" if account in split.closed else "SUCCESS"

    receivers = [
        {"type": "MERCHANT_ID", "account": account, "amount": amount, "result": result(account),
         **({"fail_reason": "ACCOUNT_ABNORMAL"} if result(account) == "CLOSED" else {})}
        for account, amount in split.shares.items()
    ]  # fmt: skip
    return {
        "transaction_id": split.trade.trade_no,
        "out_order_no": split.number,
        "order_id": split.own_number,
        "state": "FINISHED" if split.is_done else "PROCESSING",
        "receivers": receivers,
    }


def _told_back(split: Split, number: str) -> dict[str, Any]:
    account, amount = split.returns[number]
    return {
        "out_order_no": split.number,
        "out_return_no": number,
        "return_id": f"r{split.own_number}",
        "return_mchid": account,
        "amount": amount,
        "result": "SUCCESS",
    }
