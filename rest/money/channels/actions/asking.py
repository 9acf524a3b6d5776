"""A payment without news: finance has its channel asked (FR-074)."""

from __future__ import annotations

from rest.money.channels import store
from rest.money.channels.actions.attempts import CLOSE, PREPAY, WATCH
from rest.money.channels.model import ASK_AGAIN_S, AttemptState, WrongChannelState
from storage.base.errors import NotFound
from storage.base.log import log
from storage.tx import Tx


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
