"""Money in suspense and payments without news: what finance can have done about them, once each (FR-074)."""

from __future__ import annotations

from typing import Any

from rest.money import ledger
from rest.money.channels import store
from rest.money.channels.actions import refunds
from rest.money.channels.actions.attempts import CLOSE, PREPAY, WATCH
from rest.money.channels.model import ASK_AGAIN_S, AttemptState, Outcome, WrongChannelState
from storage.base.errors import Conflict, Invalid, NotFound
from storage.base.log import log
from storage.tx import Tx


class AlreadyHandled(Conflict):
    """Somebody has seen to this already."""

    code = "already_handled"


class StrayByHand(Invalid):
    """This money cannot be given back over its channel; note what was done with it instead."""

    code = "stray_by_hand"


async def give_back_stray(tx: Tx, news_id: str, *, by: str, reason: str) -> None:
    """Money of a wrong amount goes back over its channel: the trade is ours, so the channel knows it by our number.

    Raises NotFound, AlreadyHandled, StrayByHand: money under a number that is not ours, or a second one under a number
    whose first is good, has no number of its own that we could ask by.
    """
    news = await _handle(tx, news_id, by=by, reason=reason)
    if news["outcome"] != Outcome.WRONG_AMOUNT or news["out_trade_no"] is None:
        raise StrayByHand
    channel, amount_fen, ref = news["channel"], news["amount_fen"], f"{news_id}:returned"
    entries = [(ledger.suspense(channel), -amount_fen), (ledger.refunding(channel), amount_fen)]
    await ledger.post(tx, ref=ref, kind="suspense_returned", note=reason, by_id=by, entries=entries)
    await refunds.request(
        tx,
        payment_id=news["out_trade_no"],
        channel=channel,
        ref=ref,
        amount_fen=amount_fen,
        total_fen=amount_fen,
        reason="wrong_amount",
    )


async def note_handled(tx: Tx, news_id: str, *, by: str, reason: str) -> None:
    """Finance has seen to it in some other way. Raises NotFound, AlreadyHandled."""
    await _handle(tx, news_id, by=by, reason=reason)


async def _handle(tx: Tx, news_id: str, *, by: str, reason: str) -> Any:  # noqa: ANN401 - a row
    news = await store.lock_alarm(tx, news_id)
    if news is None:
        raise NotFound
    if news["handled_at"] is not None:
        raise AlreadyHandled(by=news["handled_by"])
    await store.save_handled(tx, news_id, by=by, reason=reason)
    log("channel.alarm_handled", news_id=news_id, by=by)
    return news


async def ask_again(tx: Tx, payment_id: str, *, by: str) -> None:
    """Have the channel asked about this payment now, whatever we believe of it.

    Raises NotFound; WrongChannelState when its money is here, or the channel never took it.
    """
    attempt = await store.lock_attempt(tx, payment_id)
    if attempt is None:
        raise NotFound
    kind = {AttemptState.ASKING: PREPAY, AttemptState.READY: WATCH}.get(attempt.state, CLOSE)
    if attempt.state in {AttemptState.PAID, AttemptState.REFUSED}:
        raise WrongChannelState(state=attempt.state.value)
    payload = {"payment_id": payment_id, **({"asked": len(ASK_AGAIN_S)} if kind == WATCH else {})}
    tx.schedule(kind, f"{payment_id}:asked_by_hand", tx.now, payload)
    log("channel.asked_by_hand", payment_id=payment_id, by=by)
