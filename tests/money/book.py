"""The ledger once more, in pure Python: what the real one is compared with, and a shorthand for tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rest.money import ledger
from tests.conftest import MONDAY

NAMES = {
    "ann": "customer:acc_ann:wallet",
    "ben": "customer:acc_ben:wallet",
    "o1": "order:ord_1:escrow",
    "o2": "order:ord_2:escrow",
    "wu": "worker:wrk_wu:wallet",
    "top": "platform:topup",
    "rev": "platform:revenue:homeservice",
    "wx": "channel:wechat:clearing",
    "late": "customer:acc_ann:unapplied",
    "pts": "customer:acc_ann:points",
    "pool": "platform:points",
}


def moves(text: str) -> list[tuple[str, int]]:
    """`ann-300 o1+300` → [(code, fen), …]."""
    found = []
    for word in text.split():
        name, sign, amount = word.partition("-" if "-" in word else "+")
        found.append((NAMES.get(name, name), int(sign + amount)))
    return found


@dataclass
class Book:
    """Balances by code, references by name; answers with the same words as `ledger_post`."""

    balances: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    versions: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    posted: dict[str, tuple[str, dict[str, int]]] = field(default_factory=dict)
    history: list[tuple[datetime, dict[str, int]]] = field(default_factory=list)

    def post(
        self,
        ref: str,
        kind: str,
        entries: Sequence[tuple[str, int]],
        *,
        overdraw: bool = False,
        at: datetime = MONDAY,
    ) -> str:
        amounts: dict[str, int] = defaultdict(int)
        for code, amount in entries:
            amounts[code] += amount
        if ref in self.posted:
            return "repeated" if self.posted[ref] == (kind, dict(amounts)) else "ref_reused"
        for code, amount in amounts.items():
            account = ledger.account_of(code)
            allowed = account.floor_fen is None or (overdraw and account.may_overdraw)
            if not allowed and amount < 0 and self.balances[code] + amount < (account.floor_fen or 0):
                return "short"
        for code, amount in amounts.items():
            self.balances[code] += amount
            self.versions[code] += 1
        self.posted[ref] = (kind, dict(amounts))
        self.history.append((at, dict(amounts)))
        return "posted"

    def balance_at(self, code: str, at: datetime) -> int:
        """The replay of all transfers dated then or before."""
        return sum(amounts.get(code, 0) for dated, amounts in self.history if dated <= at)
