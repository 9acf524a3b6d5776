"""Profit sharing of Alipay: relations, order settlement. A share comes back with the refund that needs it."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rest.money.channels.errors import ChannelRefused, ChannelUnreachable
from rest.money.channels.model import fen
from rest.money.channels.sharing import Receiver, ReturnNews, ReturnOrder, ShareNews, ShareState, SplitNews, SplitOrder
from storage.base.money import yuan

Ask = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]

_STATES = {"SUCCESS": ShareState.DONE, "FAIL": ShareState.FAILED, "PROCESSING": ShareState.PROCESSING}
_MISSING = frozenset({"ACQ.SETTLE_NOT_EXIST", "ACQ.TRADE_NOT_EXIST", "ACQ.TRADE_SETTLE_NOT_EXIST"})


class AlipaySharing:
    """The `Sharing` of Alipay. Receivers are merchants by their 2088 number."""

    returns_with_refunds = True

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def add_receiver(self, receiver: Receiver) -> None:
        """The number of the question is the receiver's own, so that a repeat is one."""
        number = hashlib.sha256(f"{receiver.account}:{receiver.name}".encode()).hexdigest()[:32]
        entry = {"type": "userId", "account": receiver.account, "name": receiver.name, "memo": "partner"}
        content = {"receiver_list": [entry], "out_request_no": number}
        told = await self._ask("alipay.trade.royalty.relation.bind", content)
        if told.get("result_code") != "SUCCESS":
            raise ChannelRefused(str(told.get("result_code", ""))[:64])

    async def split(self, wanted: SplitOrder) -> SplitNews:
        content: dict[str, Any] = {
            "out_request_no": wanted.out_split_no,
            "trade_no": wanted.trade_no,
            "royalty_mode": "async",
            "royalty_parameters": [
                {"royalty_type": "transfer", "trans_in_type": "userId", "trans_in": share.account,
                 "amount": yuan(share.amount_fen), "desc": share.description[:80]}
                for share in wanted.shares
            ],
        }  # fmt: skip
        if wanted.ends:
            content["extend_params"] = {"royalty_finish": "true"}
        told = await self._ask("alipay.trade.order.settle", content)
        ref = str(told["settle_no"]) if told.get("settle_no") else None
        return SplitNews(out_split_no=wanted.out_split_no, state=ShareState.PROCESSING, channel_ref=ref)

    async def query_split(self, wanted: SplitOrder) -> SplitNews:
        content = {"out_request_no": wanted.out_split_no, "trade_no": wanted.trade_no}
        try:
            told = await self._ask("alipay.trade.order.settle.query", content)
        except ChannelRefused as refusal:
            if refusal.code in _MISSING:
                return SplitNews(out_split_no=wanted.out_split_no, state=ShareState.MISSING)
            raise
        details = told.get("royalty_detail_list")
        if not isinstance(details, list):
            raise ChannelUnreachable("an answer without royalty_detail_list")
        shares = tuple(_share(detail) for detail in details if isinstance(detail, dict))
        is_under_way = any(share.state is ShareState.PROCESSING for share in shares)
        return SplitNews(
            out_split_no=wanted.out_split_no,
            state=ShareState.PROCESSING if is_under_way else ShareState.DONE,
            channel_ref=str(told["settle_no"]) if told.get("settle_no") else None,
            shares=shares,
        )

    async def give_back(self, wanted: ReturnOrder) -> ReturnNews:
        raise ChannelRefused("returns_with_refunds", wanted.out_return_no)

    async def query_return(self, wanted: ReturnOrder) -> ReturnNews:
        raise ChannelRefused("returns_with_refunds", wanted.out_return_no)

    async def unfreeze(self, out_split_no: str, trade_no: str) -> SplitNews:
        """A split without shares that ends."""
        return await self.split(SplitOrder(out_split_no=out_split_no, trade_no=trade_no, shares=(), ends=True))


def _share(detail: Mapping[str, Any]) -> ShareNews:
    return ShareNews(
        account=str(detail.get("trans_in", "")),
        amount_fen=fen(detail.get("amount")) or 0,
        state=_STATES.get(str(detail.get("state")), ShareState.PROCESSING),
        reason=str(detail["error_code"])[:80] if detail.get("error_code") else None,
    )
