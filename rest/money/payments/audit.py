"""Whether payments and the book tell the same story; for audits and tests, not for requests."""

from __future__ import annotations

from collections.abc import Mapping

from storage.tx import Tx

CHECKS: Mapping[str, str] = {
    "I12 I13 what has come is booked once, and as much as the payment says": """
    SELECT format('payment %s: is %s, booked %s times, %s of %s fen', p.id, p.state, coalesce(b.times, 0),
                  coalesce(b.fen, 0), p.paid_fen)
      FROM payments AS p
      LEFT JOIN (
           SELECT split_part(t.ref, ':', 1) AS id, sum(e.amount_fen) AS fen,
                  count(DISTINCT t.id) FILTER (WHERE t.ref LIKE '%:received') AS times
             FROM ledger_transfers AS t
             JOIN ledger_entries AS e ON e.transfer_id = t.id
             JOIN ledger_accounts AS a ON a.id = e.account_id AND a.kind IN ('order_escrow', 'customer_unapplied')
            WHERE t.ref LIKE 'pay\\_%:received' OR t.ref LIKE 'pay\\_%:restored'
            GROUP BY 1) AS b ON b.id = p.id
     WHERE coalesce(b.times, 0) <> (p.state IN ('paid', 'paid_late', 'refunded'))::int
        OR coalesce(b.fen, 0) <> p.paid_fen
    """,
    "a payment is the sum of its parts": """
    SELECT format('payment %s: its parts sum to %s of %s fen, %s of %s given back', p.id,
                  coalesce(sum(q.amount_fen), 0), p.amount_fen, coalesce(sum(q.refunded_fen), 0), p.refunded_fen)
      FROM payments AS p LEFT JOIN payment_parts AS q ON q.payment_id = p.id
     GROUP BY p.id
    HAVING coalesce(sum(q.amount_fen), 0) <> p.amount_fen OR coalesce(sum(q.refunded_fen), 0) <> p.refunded_fen
    """,
    "I4 the legs of refunds are what their parts have given": """
    SELECT format('payment %s: part %s gave back %s fen and %s points, its legs say %s and %s', q.payment_id, q.n,
                  q.refunded_fen, q.points_refunded, coalesce(sum(r.amount_fen), 0), coalesce(sum(r.points), 0))
      FROM payment_parts AS q LEFT JOIN payment_refunds AS r ON r.payment_id = q.payment_id AND r.n = q.n
     GROUP BY q.payment_id, q.n
    HAVING q.refunded_fen <> coalesce(sum(r.amount_fen), 0) OR q.points_refunded <> coalesce(sum(r.points), 0)
    """,
    "I13 unapplied money is that of late payments": """
    SELECT format('account %s: holds %s fen, late payments of its owner are %s', a.code, a.balance_fen,
                  coalesce(sum(p.paid_fen), 0))
      FROM ledger_accounts AS a
      LEFT JOIN payments AS p ON p.account_id = a.owner_id AND p.state = 'paid_late'
     WHERE a.kind = 'customer_unapplied'
     GROUP BY a.id HAVING a.balance_fen <> coalesce(sum(p.paid_fen), 0)
    """,
    "I18 what is held is what open payments hold, to the fen and the point": """
    SELECT format('account %s: holds %s, its payment should hold %s', a.code, a.balance_fen, coalesce(w.wanted, 0))
      FROM ledger_accounts AS a
      LEFT JOIN (
           SELECT p.id, k.kind,
                  sum(CASE WHEN k.kind = 'payment_held_points' THEN q.points
                           WHEN q.tender = 'points' THEN 0 ELSE q.amount_fen END) AS wanted
             FROM payments AS p
             JOIN payment_parts AS q ON q.payment_id = p.id AND q.tender NOT IN ('wechat', 'alipay', 'offline')
            CROSS JOIN (VALUES ('payment_held'), ('payment_held_points')) AS k (kind)
            WHERE p.is_held AND p.state IN ('created', 'review')
            GROUP BY p.id, k.kind) AS w ON w.id = a.owner_id AND w.kind = a.kind
     WHERE (a.kind = 'payment_held' OR (a.kind = 'payment_held_points' AND a.owner_id LIKE 'pay\\_%'))
       AND a.balance_fen <> coalesce(w.wanted, 0)
    """,
    "I18 whoever waits for its channel holds its other parts, and nobody else anything": """
    SELECT format('payment %s: is %s and says that it holds something', id, state)
      FROM payments WHERE is_held AND state NOT IN ('created', 'review')
    UNION ALL
    SELECT format('payment %s: waits for its channel and holds nothing', p.id)
      FROM payments AS p
     WHERE p.state IN ('created', 'review') AND NOT p.is_held AND p.method IN ('wechat', 'alipay', 'offline')
       AND (SELECT count(*) FROM payment_parts AS q WHERE q.payment_id = p.id) > 1
    """,
    "RV-280 a day counts what was begun on it and not given up": """
    SELECT format('customer %s: %s counts %s fen, his payments are %s', d.account_id, d.day, d.amount_fen,
                  coalesce(sum(p.amount_fen), 0))
      FROM payment_days AS d LEFT JOIN payments AS p ON p.account_id = d.account_id AND p.counted_on = d.day
     GROUP BY d.account_id, d.day HAVING d.amount_fen <> coalesce(sum(p.amount_fen), 0)
    """,
}
"""What must hold at every moment, and the statement that finds what breaks it."""


async def verify(tx: Tx) -> list[str]:
    """What is wrong between payments, their parts, their refunds, their holds and the book; empty when nothing is."""
    return [row[0] for sql in CHECKS.values() for row in await tx.fetch(sql)]
