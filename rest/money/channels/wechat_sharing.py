"""Profit sharing of WeChat Pay: receivers, orders, returns, unfreezing. Everything is asynchronous there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from rest.money.channels import signing
from rest.money.channels.errors import ChannelRefused
from rest.money.channels.sharing import (
    Receiver,
    ReturnNews,
    ReturnOrder,
    ShareNews,
    ShareState,
    SplitNews,
    SplitOrder,
)

Ask = Callable[[str, str, Mapping[str, Any] | None], Awaitable[dict[str, Any]]]

_SHARES = {"PENDING": ShareState.PROCESSING, "SUCCESS": ShareState.DONE, "CLOSED": ShareState.FAILED}
_RETURNS = {"PROCESSING": ShareState.PROCESSING, "SUCCESS": ShareState.DONE, "FAILED": ShareState.FAILED}
_MISSING = frozenset({"RESOURCE_NOT_EXISTS", "ORDER_NOT_EXIST"})
_TEXT_MAX = 80


class WechatSharing:
    """The `Sharing` of WeChat Pay."""

    returns_with_refunds = False

    def __init__(self, ask: Ask, app_id: str, key: RSAPublicKey) -> None:
        self._ask = ask
        self._app_id = app_id
        self._key = key

    async def add_receiver(self, receiver: Receiver) -> None:
        """A name goes sealed for the platform alone. Adding one that is there does nothing."""
        body = {
            "appid": self._app_id,
            "type": "MERCHANT_ID",
            "account": receiver.account,
            "name": signing.encrypt(self._key, receiver.name),
            "relation_type": "PARTNER",
        }
        await self._ask("POST", "/v3/profitsharing/receivers/add", body)

    async def split(self, wanted: SplitOrder) -> SplitNews:
        body = {
            "appid": self._app_id,
            "transaction_id": wanted.trade_no,
            "out_order_no": wanted.out_split_no,
            "receivers": [
                {"type": "MERCHANT_ID", "account": share.account, "amount": share.amount_fen,
                 "description": share.description[:_TEXT_MAX]}
                for share in wanted.shares
            ],
            "unfreeze_unsplit": wanted.ends,
        }  # fmt: skip
        return _split(await self._ask("POST", "/v3/profitsharing/orders", body))

    async def query_split(self, wanted: SplitOrder) -> SplitNews:
        path = f"/v3/profitsharing/orders/{wanted.out_split_no}?transaction_id={wanted.trade_no}"
        try:
            return _split(await self._ask("GET", path, None))
        except ChannelRefused as refusal:
            if refusal.code in _MISSING:
                return SplitNews(out_split_no=wanted.out_split_no, state=ShareState.MISSING)
            raise

    async def give_back(self, wanted: ReturnOrder) -> ReturnNews:
        body = {
            "out_order_no": wanted.out_split_no,
            "out_return_no": wanted.out_return_no,
            "return_mchid": wanted.share.account,
            "amount": wanted.share.amount_fen,
            "description": wanted.share.description[:_TEXT_MAX],
        }
        return _return(await self._ask("POST", "/v3/profitsharing/return-orders", body))

    async def query_return(self, wanted: ReturnOrder) -> ReturnNews:
        path = f"/v3/profitsharing/return-orders/{wanted.out_return_no}?out_order_no={wanted.out_split_no}"
        try:
            return _return(await self._ask("GET", path, None))
        except ChannelRefused as refusal:
            if refusal.code in _MISSING:
                return ReturnNews(out_return_no=wanted.out_return_no, state=ShareState.MISSING)
            raise

    async def unfreeze(self, out_split_no: str, trade_no: str) -> SplitNews:
        body = {"transaction_id": trade_no, "out_order_no": out_split_no, "description": "the rest is ours"}
        return _split(await self._ask("POST", "/v3/profitsharing/orders/unfreeze", body))


def _split(told: Mapping[str, Any]) -> SplitNews:
    shares = [share for share in told.get("receivers") or () if isinstance(share, dict)]
    return SplitNews(
        out_split_no=str(told.get("out_order_no", "")),
        state=ShareState.DONE if told.get("state") == "FINISHED" else ShareState.PROCESSING,
        channel_ref=str(told["order_id"]) if told.get("order_id") else None,
        shares=tuple(
            ShareNews(
                account=str(share.get("account", "")),
                amount_fen=share["amount"] if type(share.get("amount")) is int else 0,
                state=_SHARES.get(str(share.get("result")), ShareState.PROCESSING),
                reason=str(share["fail_reason"])[:_TEXT_MAX] if share.get("fail_reason") else None,
            )
            for share in shares
        ),
    )


def _return(told: Mapping[str, Any]) -> ReturnNews:
    return ReturnNews(
        out_return_no=str(told.get("out_return_no", "")),
        state=_RETURNS.get(str(told.get("result")), ShareState.PROCESSING),
        channel_ref=str(told["return_id"]) if told.get("return_id") else None,
    )
