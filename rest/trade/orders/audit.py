"""Whether orders and the book tell the same story; for audits and tests, not for requests."""

from __future__ import annotations

from storage.tx import Tx


async def verify(tx: Tx) -> list[str]:
    """An open order's escrow holds what is paid and not given back, that of a closed one nothing, and no money waits
    for an order that does not exist; empty when it is so (I14).
    """
    rows = await tx.fetch(
        """
        SELECT format('order %s: is %s, %s of %s fen were given back, its escrow holds %s', o.id, o.status,
                      o.refunded_fen, o.paid_fen, coalesce(a.balance_fen, 0))
          FROM orders AS o LEFT JOIN ledger_accounts AS a ON a.code = 'order:' || o.id || ':escrow'
         WHERE coalesce(a.balance_fen, 0)
               <> CASE WHEN o.closed_at IS NULL THEN o.paid_fen - o.refunded_fen ELSE 0 END
        UNION ALL
        SELECT format('order %s: does not exist, its escrow holds %s', a.owner_id, a.balance_fen)
          FROM ledger_accounts AS a
         WHERE a.kind = 'order_escrow' AND a.balance_fen <> 0
           AND NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.id = a.owner_id)
        """
    )
    return [row[0] for row in rows]
