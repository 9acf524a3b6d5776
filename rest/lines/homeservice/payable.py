"""Home-service orders as the cashier sees them: something a customer owes until the lock of his technician ends."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dispatch.model import CandidateGone
from rest.lines.homeservice import members
from rest.lines.homeservice.actions.paying import pay, policy_of
from rest.lines.homeservice.actions.pool import is_lock_running
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import LINE, PENDING_PAYMENT
from rest.lines.homeservice.prices import agreed_lines
from rest.lines.homeservice.vouchers import VoucherGone
from rest.money.cashier import Due
from rest.money.payments import Ask
from rest.trade import orders
from rest.trade.orders import WrongState
from rest.trade.pricing import PriceChanged, quote_hash, total
from storage.base.errors import HubError
from storage.tx import Tx


class HomeservicePayable:
    """What the cashier asks of this line."""

    line = LINE
    refusals: tuple[type[HubError], ...] = (WrongState, CandidateGone, PriceChanged, VoucherGone)

    async def due(self, tx: Tx, order_id: str) -> Due | None:
        """What is owed for an order; None when it is of another line."""
        job = await HOMESERVICE.read(tx, order_id)
        if job is None:
            return None
        lines = agreed_lines(await members.fair(tx, job))
        is_payable = job.order.status == PENDING_PAYMENT and is_lock_running(tx, job)
        return Due(
            order_id=order_id,
            line=LINE,
            account_id=job.order.customer_id,
            payable_fen=max(0, total(lines) - job.order.kept_fen) if is_payable else 0,
            is_payable=is_payable,
            pay_by=job.visit.lock_expires_at,
            policy=policy_of(job),
            worker_id=job.visit.worker_id,
            quote_hash=quote_hash(lines) if is_payable else None,
        )

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
        """Raises as `actions.pay`."""
        await pay(tx, order_id, account_id, asked=asked, payer=payer, open_channels=open_channels, shown=shown)

    async def await_review(self, tx: Tx, order_id: str) -> None:  # noqa: ARG002 - see below
        """A technician is held for minutes, a transfer takes days: the line's policy offers none."""
        raise AssertionError(f"{order_id}: no policy of this line lets it be paid by transfer")

    async def lock(self, tx: Tx, order_id: str, account_id: str) -> None:
        """Raises NotFound."""
        await orders.lock_for_customer(tx, HOMESERVICE, order_id, account_id)
