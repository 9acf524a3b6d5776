"""Facts of payments that channels react to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest.money.channels import actions
from rest.money.payments.facts import AttemptClosed, RefundDue
from storage.jobs import Subscriber
from storage.tx import Tx


async def attempt_closed(tx: Tx, fact: dict[str, Any]) -> None:
    await actions.let_go(tx, fact["payment_id"])


async def refund_due(tx: Tx, fact: dict[str, Any]) -> None:
    await actions.request(tx, **{name: fact[name] for name in RefundDue.__struct_fields__})


SUBSCRIBERS: Mapping[str, list[Subscriber]] = {
    AttemptClosed.topic: [Subscriber(attempt_closed)],
    RefundDue.topic: [Subscriber(refund_due)],
}
