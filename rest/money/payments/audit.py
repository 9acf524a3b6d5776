"""Whether attempts to pay and the book tell the same story; for audits and tests, not for requests."""

from __future__ import annotations

from storage.tx import Tx


async def verify(tx: Tx) -> list[str]:
    """Every fen received is booked once, and unapplied money is that of late attempts; empty when it is so (I13)."""
    rows = await tx.fetch(
        """
        SELECT format('payment %s: is %s, booked %s times, %s of %s fen', p.id, p.state, count(e.n),
                      coalesce(sum(e.amount_fen), 0), p.amount_fen)
          FROM payments AS p
          LEFT JOIN ledger_transfers AS t ON t.ref = p.id || ':received'
          LEFT JOIN ledger_entries AS e ON e.transfer_id = t.id AND e.amount_fen > 0
         GROUP BY p.id
        HAVING CASE WHEN p.state IN ('paid', 'paid_late', 'refunded')
                    THEN count(e.n) <> 1 OR sum(e.amount_fen) <> p.amount_fen ELSE count(e.n) > 0 END
        UNION ALL
        SELECT format('account %s: holds %s fen, late payments of its owner are %s', a.code, a.balance_fen,
                      coalesce(sum(p.amount_fen), 0))
          FROM ledger_accounts AS a
          LEFT JOIN payments AS p ON p.account_id = a.owner_id AND p.state = 'paid_late'
         WHERE a.kind = 'customer_unapplied'
         GROUP BY a.id HAVING a.balance_fen <> coalesce(sum(p.amount_fen), 0)
        """
    )
    return [row[0] for row in rows]
