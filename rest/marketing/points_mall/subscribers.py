"""What channels say about purchases. Everything else they say is for others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest.marketing.points_mall import actions
from rest.marketing.points_mall.model import PREFIX
from rest.money.channels.facts import MoneyCame, MoneyRefused
from storage.jobs import Subscriber
from storage.tx import Tx


def ours(fact: Any) -> bool:  # noqa: ANN401 - a fact of a channel: topics give no types
    return str(fact.order_id).startswith(PREFIX)


async def money_came(tx: Tx, fact: dict[str, Any]) -> None:
    if fact["order_id"].startswith(PREFIX):
        await actions.receive_money(tx, fact["order_id"], fact["payment_id"], ref=fact["ref"])


async def money_refused(tx: Tx, fact: dict[str, Any]) -> None:
    if fact["order_id"].startswith(PREFIX):
        await actions.refuse(tx, fact["order_id"], fact["payment_id"], fact["reason"])


SUBSCRIBERS: Mapping[str, list[Subscriber]] = {
    MoneyCame.topic: [Subscriber(money_came, wants=ours)],
    MoneyRefused.topic: [Subscriber(money_refused, wants=ours)],
}
