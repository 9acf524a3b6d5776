"""What can be paid for, as the cashier knows it: the lines register theirs when the application is built.

The cashier never knows a line. It asks each of them whose a subject is, and leaves the decision to it: only the line
can lock its order and say whether and what is owed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from aiohttp import web

from rest.money.payments import Ask, PayPolicy
from storage.base.errors import HubError, NotFound
from storage.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What somebody owes. Units: fen. `worker_id`: whose technician's credit may be used for it (HS-176)."""

    order_id: str
    line: str
    account_id: str
    payable_fen: int
    is_payable: bool
    pay_by: datetime | None
    policy: PayPolicy
    worker_id: str | None = None
    quote_hash: str | None = None


class Payable(Protocol):
    """One kind of thing that is paid for: the orders of a line, memberships, top-ups."""

    @property
    def line(self) -> str: ...

    @property
    def refusals(self) -> tuple[type[HubError], ...]:
        """What `pay` refuses beside what its policy and the book do."""

    async def due(self, tx: Tx, order_id: str) -> Due | None:
        """None when it is nobody's of this kind. No lock."""

    async def pay(
        self,
        tx: Tx,
        order_id: str,
        account_id: str,
        asked: Sequence[Ask],
        *,
        payer: str | None,
        open_channels: Collection[str],
        shown: str | None,
    ) -> None:
        """Lock it and open a payment as asked, settled at once where no channel is among its parts.

        Raises NotFound for others' too, and what its policy and its state refuse.
        """

    async def lock(self, tx: Tx, order_id: str, account_id: str) -> None:
        """Lock it, so that its payments stay as they are seen. Raises NotFound, also for others'."""

    async def await_review(self, tx: Tx, order_id: str) -> None:
        """Stop its pay timer: the money was transferred and a person looks (RV-284). The caller has locked it.

        It hears the outcome as of any channel: money.came, or money.refused and is payable again.
        """


class Payables:
    """Everything that can be paid for in this process."""

    def __init__(self, kinds: Sequence[Payable]) -> None:
        self._kinds = tuple(kinds)

    async def find(self, tx: Tx, order_id: str, account_id: str) -> tuple[Payable, Due]:
        """Whose this is and what is owed. Raises NotFound, also for others' (FR-075)."""
        for kind in self._kinds:
            due = await kind.due(tx, order_id)
            if due is not None and due.account_id == account_id:
                return kind, due
        raise NotFound


PAYABLES = web.AppKey("payables", Payables)
