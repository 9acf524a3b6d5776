"""Handing withdrawals to the outside: the only place that talks to a payout channel, with no transaction open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest.money.withdrawals import actions
from rest.money.withdrawals.payouts import PayoutAdapter, Taken
from storage.jobs import OutsideHandler
from storage.postgres import Database


def outside_jobs(db: Database, adapter: PayoutAdapter) -> Mapping[str, OutsideHandler]:
    """Kind to job, for the runner's `outside`."""

    async def send(payload: dict[str, Any]) -> None:
        withdrawal_id = payload["withdrawal_id"]
        payout = await db.run(actions.begin_payout, withdrawal_id, adapter.name)
        if payout is None:
            return
        answer = await adapter.send(payout)
        if answer is None:
            return
        if isinstance(answer, Taken):
            await db.run(actions.payout_taken, withdrawal_id, answer.ref)
        else:
            await db.run(actions.payout_failed, withdrawal_id, answer.reason)

    return {actions.SEND: send}
