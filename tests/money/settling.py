"""An order with money in its escrow, settled and refunded as a business line does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rest.money import ledger, settlement, wallet
from rest.money.settlement import Basis, Ended, Party, Settlement
from storage.postgres import Database
from storage.tx import Tx

WORKER = "wrk_wu"
CUSTOMER = "acc_ann"
CHANNEL = Party("customer", "acc_carl")


@dataclass
class Shop:
    """Settles orders of the home-service line."""

    db: Database
    made: int = 0
    orders: list[str] = field(default_factory=list)

    async def order(self, *, worker: str = WORKER, hold_s: int = 86_400, **amounts: int) -> Settlement:
        """A paid order, settled."""
        return await self.db.run(settlement.settle, await self.ended(worker=worker, hold_s=hold_s, **amounts))

    async def ended(self, *, worker: str = WORKER, hold_s: int = 86_400, **amounts: int) -> Ended:
        """A paid order that has ended and is not settled yet."""
        self.made += 1
        order_id = f"ord_{self.made}"
        basis = Basis(**({"rate_bps": 6_000} | amounts))

        async def pay(tx: Tx) -> None:
            if basis.kept:
                await wallet.credit(tx, CUSTOMER, basis.kept, f"gift:{order_id}", "test")
                await wallet.pay(tx, CUSTOMER, order_id, basis.kept, f"{order_id}:paid")

        await self.db.run(pay)
        self.orders.append(order_id)
        return Ended(
            order_id=order_id, line="homeservice", worker_id=worker, split_version=1, basis=basis, hold_s=hold_s
        )

    async def refund(self, order_id: str, kept_fen: int) -> Settlement:
        """What a line does: take it back from the parties, give it to the customer."""

        async def act(tx: Tx) -> Settlement:
            await tx.execute("SELECT pg_advisory_xact_lock(hashtext($1))", order_id)  # a line holds its order's lock
            before = await settlement.of_order(tx, order_id)
            after = await settlement.reverse(tx, order_id, kept_fen, reason="complaint")
            if before.kept_fen > after.kept_fen:
                amount, ref = before.kept_fen - after.kept_fen, f"{order_id}:refund:{after.version}"
                await wallet.refund(tx, CUSTOMER, order_id, amount, ref)
            return after

        return await self.db.run(act)

    async def balance(self, code: str) -> int:
        return await self.db.run(ledger.balance, code)

    async def bonus(self, worker: str = WORKER) -> int:
        async with self.db.begin() as tx:
            found: int = await tx.fetchval("SELECT bonus_fen FROM worker_channels WHERE worker_id = $1", worker)
        return found

    async def bind(self, party: Party = CHANNEL, *, worker: str = WORKER, bonus_fen: int = 0) -> None:
        await self.db.run(settlement.bind_channel, worker, party)
        async with self.db.begin() as tx:
            await tx.execute("UPDATE worker_channels SET bonus_fen = $1", bonus_fen)

    async def faults(self) -> list[str]:
        """What is wrong with the settlements and the book."""
        async with self.db.begin() as tx:
            book = await ledger.verify(tx)
            found = [f"{name}: {row[0]}" for name, sql in CHECKS.items() for row in await tx.fetch(sql)]
        return [*found, *book]


def shares(found: Settlement) -> dict[str, int]:
    """Kind → net, zeros left out."""
    nets: dict[str, int] = {}
    for line in found.live:
        nets[line.kind] = nets.get(line.kind, 0) + line.net_fen
    return {kind: net for kind, net in nets.items() if net}


def amounts(found: Settlement) -> list[tuple[Any, ...]]:
    return [(line.kind, line.cause, line.amount_fen, line.state.value) for line in found.lines]


# ruff: noqa: E501 - SQL reads better unbroken
CHECKS = {
    "I24 the lines of a settlement sum to what the order keeps": """
        SELECT s.id FROM settlements s LEFT JOIN settlement_lines l ON l.settlement_id = s.id
         GROUP BY s.id HAVING coalesce(sum(l.amount_fen), 0) <> s.kept_fen OR coalesce(sum(l.net_fen), 0) <> s.kept_fen""",
    "a line and its reversals are its net": """
        SELECT l.id FROM settlement_lines l WHERE l.reverses_id IS NULL
           AND l.net_fen <> l.amount_fen + coalesce((SELECT sum(r.amount_fen) FROM settlement_lines r WHERE r.reverses_id = l.id), 0)""",
    "HS-174 a kind is paid once for an order": """
        SELECT settlement_id FROM settlement_lines WHERE cause = 'settled' GROUP BY settlement_id, kind HAVING count(*) > 1""",
    "pending accounts hold exactly what has not matured": """
        SELECT a.code FROM ledger_accounts a WHERE a.kind IN ('worker_pending', 'customer_pending') AND a.balance_fen <> coalesce(
            (SELECT sum(l.net_fen) FROM settlement_lines l WHERE l.state IN ('accrued', 'payable')
                AND l.party_kind || ':' || l.party_id || ':pending' = a.code), 0)
        UNION ALL SELECT l.id FROM settlement_lines l
         WHERE l.state IN ('accrued', 'payable') AND l.party_kind <> 'platform' AND l.net_fen <> 0
           AND NOT EXISTS (SELECT FROM ledger_accounts a WHERE a.code = l.party_kind || ':' || l.party_id || ':pending')""",
    "what rests waits for a channel's word": """
        SELECT l.id FROM settlement_lines l WHERE l.state = 'payable' AND NOT EXISTS (
            SELECT FROM share_splits s WHERE s.settlement_id = l.settlement_id AND s.state IN ('planned', 'asked'))""",
    "the bonus counter is the sum of the bonuses, and within the limit": """
        SELECT c.worker_id FROM worker_channels c WHERE c.bonus_fen > 100000 OR c.bonus_fen < coalesce(
            (SELECT sum(l.net_fen) FROM settlement_lines l JOIN settlements s ON s.id = l.settlement_id
              WHERE s.worker_id = c.worker_id AND l.kind = 'platform_bonus'), 0)""",
    "the platform's revenue is the sum of its lines": """
        SELECT s.line FROM settlements s JOIN settlement_lines l ON l.settlement_id = s.id AND l.party_kind = 'platform'
         GROUP BY s.line HAVING sum(l.amount_fen) IS DISTINCT FROM (
            SELECT sum(e.amount_fen) FROM ledger_entries e JOIN ledger_transfers t ON t.id = e.transfer_id AND t.kind = 'settlement'
              JOIN ledger_accounts a ON a.id = e.account_id WHERE a.code = 'platform:revenue:' || s.line)""",
    "what is frozen is the sum of the open withdrawals": """
        SELECT a.code FROM ledger_accounts a WHERE a.kind IN ('worker_frozen', 'customer_frozen') AND a.balance_fen <> coalesce(
            (SELECT sum(w.amount_fen) FROM withdrawals w WHERE w.state IN ('review', 'sending', 'sent')
                AND w.owner_kind || ':' || w.owner_id || ':frozen' = a.code), 0)""",
    "an open withdrawal has its money frozen": """
        SELECT w.id FROM withdrawals w WHERE w.state IN ('review', 'sending', 'sent')
           AND NOT EXISTS (SELECT FROM ledger_accounts a WHERE a.code = w.owner_kind || ':' || w.owner_id || ':frozen')""",
    "a withdrawal's version counts its events": """
        SELECT w.id FROM withdrawals w WHERE w.version <> (SELECT count(*) FROM withdrawal_events e WHERE e.withdrawal_id = w.id)""",
}
"""What is true of settlements and withdrawals at every moment; the invariants of home service ask the same."""
