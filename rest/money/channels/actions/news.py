"""Verified news of channels: kept once, judged, and passed on in the same transaction.

Whatever order and number it comes in, a trade's money is booked once: news is known by its own number, money by the
trade's, and the attempt's row is held while it is judged. The order is not locked here: its line hears a fact.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rest.money import ledger
from rest.money.channels import store
from rest.money.channels.actions import refunds, suspense
from rest.money.channels.errors import BadSignature
from rest.money.channels.facts import MoneyCame
from rest.money.channels.model import (
    ALARMS,
    SUSPENSE,
    Attempt,
    Notification,
    Outcome,
    RefundNews,
    Trade,
    judge,
)
from rest.money.channels.suspense_model import Cause
from storage.base.log import log
from storage.tx import Tx

TEXT_MAX = 64


async def take(tx: Tx, channel: str, told: Notification, body: bytes) -> Outcome:
    """Take a verified notification. Raises BadSignature for a nonce that was used before: a message sent again."""
    if told.nonce is not None and not await store.take_nonce(tx, channel, told.nonce):
        raise BadSignature
    notify_id = _plain(told.notify_id, 128)
    if not notify_id:
        raise BadSignature
    if told.refund is not None:
        return await _take_refund(tx, channel, notify_id, told.refund, body)
    assert told.trade is not None  # noqa: S101 - a notification is of one of the two
    return await _take_trade(tx, channel, notify_id, told.trade, body)


async def take_found(tx: Tx, channel: str, trade: Trade) -> Outcome:
    """Take a paid trade that we have asked for: the news that never came."""
    notify_id = f"query:{_plain(trade.out_trade_no)}:{_plain(trade.trade_no or '')}"
    return await _take_trade(tx, channel, notify_id, trade, b"")


async def _take_trade(tx: Tx, channel: str, notify_id: str, told: Trade, body: bytes) -> Outcome:
    trade_no = None if told.trade_no is None else _plain(told.trade_no) or None
    trade = replace(told, out_trade_no=_plain(told.out_trade_no), trade_no=trade_no)
    news_id = await store.insert_news(
        tx,
        channel=channel,
        notify_id=notify_id,
        body=body,
        out_trade_no=trade.out_trade_no,
        trade_no=trade.trade_no,
        amount_fen=trade.amount_fen,
    )
    if news_id is None:
        return Outcome.REPEATED
    attempt = await store.lock_attempt(tx, trade.out_trade_no)
    outcome = judge(trade, attempt, channel)
    parked = _suspense_ref(channel, trade)
    if outcome is Outcome.PASSED_ON and await ledger.is_posted(tx, parked):
        outcome = Outcome.REPEATED  # a person has this money in hand already
    if outcome is Outcome.PASSED_ON and attempt is not None:
        await _pass_on(tx, attempt, trade)
    if outcome in SUSPENSE:
        await _park(tx, channel, trade, attempt, ref=parked, outcome=outcome)
    return await _end(tx, news_id, outcome, channel=channel, out_trade_no=trade.out_trade_no, trade_no=trade.trade_no)


async def _pass_on(tx: Tx, attempt: Attempt, trade: Trade) -> None:
    await store.save_attempt(tx, replace(attempt.after("pay"), trade_no=trade.trade_no))
    tx.tell(MoneyCame(order_id=attempt.order_id, payment_id=attempt.payment_id, ref=trade.trade_no or ""), to=())


async def _park(tx: Tx, channel: str, trade: Trade, attempt: Attempt | None, *, ref: str, outcome: Outcome) -> None:
    try:
        await suspense.park(
            tx,
            channel,
            ref=ref,
            cause=Cause(outcome.value),
            out_trade_no=trade.out_trade_no,
            trade_no=trade.trade_no or "",
            amount_fen=trade.amount_fen or 0,
            total_fen=trade.amount_fen or 0,
            order_id=attempt.order_id if attempt is not None else None,
        )
    except ledger.RefReused:
        log("channel.two_amounts", level="error", channel=channel, trade_no=trade.trade_no)


async def _take_refund(tx: Tx, channel: str, notify_id: str, told: RefundNews, body: bytes) -> Outcome:
    out_refund_no = _plain(told.out_refund_no)
    news_id = await store.insert_news(
        tx,
        channel=channel,
        notify_id=notify_id,
        body=body,
        out_trade_no=out_refund_no,
        trade_no=None if told.channel_ref is None else _plain(told.channel_ref),
        amount_fen=told.amount_fen,
    )
    if news_id is None:
        return Outcome.REPEATED
    outcome = await refunds.hear(tx, channel, replace(told, out_refund_no=out_refund_no))
    return await _end(tx, news_id, outcome, channel=channel, out_refund_no=out_refund_no)


async def _end(tx: Tx, news_id: str, outcome: Outcome, **fields: Any) -> Outcome:  # noqa: ANN401 - of the log line
    await store.save_outcome(tx, news_id, outcome)
    if outcome in ALARMS:
        log("channel.alarm", level="error", news_id=news_id, outcome=outcome.value, **fields)
    return outcome


def _suspense_ref(channel: str, trade: Trade) -> str:
    return f"{channel}:{trade.trade_no}:suspense"


def _plain(text: str, length: int = TEXT_MAX) -> str:
    """What a text column and a log line can hold."""
    return "".join(sign for sign in text if sign.isascii() and sign.isprintable())[:length]
