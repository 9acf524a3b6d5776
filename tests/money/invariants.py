"""What is true of all money at every moment (I1 to I24 of the kernel), asked of the database itself.

Each invariant is a function whose docstring begins with its number and whose SQL finds offenders, one text a row.
`INVARIANTS` hold after every commit; `AT_REST` once nothing is due any more: what a fact has promised is then done.
`JOINED` are those that a domain keeps beside its own tests: payments with their parts and holds, points in lots (I19),
the points mall (I9), memberships, settlements. Those of the kernel that are rules of arithmetic (I6, I7, I16, I20) are tested on the
pure functions, bills (I23) where they are read. `tests/money/test_invariants.py` breaks each one on purpose and sees
that just its name is called.
"""

# ruff: noqa: E501 - SQL reads better unbroken

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from rest.lines.homeservice.model import MACHINE as HOMESERVICE
from rest.money.channels import suspense_store
from rest.money.payments.audit import CHECKS as PAYMENTS
from rest.trade.orders import Machine
from storage.postgres import Database
from storage.tx import Tx
from tests.money.members_book import CHECKS as MEMBERS
from tests.money.points_book import CHECKS as POINTS
from tests.money.points_book import MALL_CHECKS as MALL
from tests.money.settling import CHECKS as SETTLEMENTS

Check = Callable[[Tx], Awaitable[list[str]]]

INVARIANTS: dict[str, Check] = {}
JOINED: Mapping[str, str] = {**PAYMENTS, **POINTS, **MALL, **MEMBERS, **SETTLEMENTS}
"""By name, the statement that finds offenders; they hold after every commit."""
AT_REST: dict[str, Check] = {}
MACHINES: dict[str, Machine] = {"homeservice": HOMESERVICE}
"""Every line's table of transitions; a line that is not here may not have orders."""


def always(check: Check) -> Check:
    INVARIANTS[check.__name__] = check
    return check


def at_rest(check: Check) -> Check:
    AT_REST[check.__name__] = check
    return check


async def faults(tx: Tx, *, rest: bool = False) -> list[str]:
    """Everything that does not hold now, each fault after the name of its invariant; `rest`: nothing is due."""
    await tx.execute("SET LOCAL enable_seqscan = on")
    known = {**INVARIANTS, **AT_REST} if rest else INVARIANTS
    found = [f"{name}: {fault}" for name, check in known.items() for fault in await check(tx)]
    return found + [f"{name}: {fault}" for name, sql in JOINED.items() for fault in await _rows(tx, sql)]


async def violations(db: Database, *, rest: bool = False) -> list[str]:
    """`faults` of one snapshot, as people at work may commit between two questions."""
    async with db.begin() as tx:
        await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return await faults(tx, rest=rest)


async def _rows(tx: Tx, sql: str) -> list[str]:
    return [str(row[0]) for row in await tx.fetch(sql)]


CHANNELS = "('wechat', 'alipay', 'offline')"

SOURCE = """CASE q.tender WHEN 'credit' THEN 'customer:' || p.account_id || ':credit:' || q.worker_id
                              WHEN 'points' THEN 'platform:promo:points'
                              WHEN 'wechat' THEN 'channel:wechat:{0}' WHEN 'alipay' THEN 'channel:alipay:{0}'
                              WHEN 'offline' THEN 'channel:offline:{0}'
                              ELSE 'customer:' || p.account_id || ':' || q.tender END"""
"""The account of the part `q` of the payment `p`; what a channel has owed us lies on another until it is given back."""


# The book


@always
async def i1_transfers_sum_to_zero(tx: Tx) -> list[str]:
    """I1: the entries of a transfer sum to zero in each unit, and there are two or more."""
    return await _rows(
        tx,
        """
        SELECT format('%s sums to %s %s', e.transfer_id, sum(e.amount_fen), a.unit)
          FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
         GROUP BY e.transfer_id, a.unit HAVING sum(e.amount_fen) <> 0
        UNION ALL
        SELECT format('%s has %s entries', t.id, count(e.n))
          FROM ledger_transfers t LEFT JOIN ledger_entries e ON e.transfer_id = t.id GROUP BY t.id HAVING count(e.n) < 2
        UNION ALL
        SELECT format('entry %s of %s belongs to nothing', e.n, e.transfer_id) FROM ledger_entries e
         WHERE NOT EXISTS (SELECT FROM ledger_transfers t WHERE t.id = e.transfer_id)
            OR NOT EXISTS (SELECT FROM ledger_accounts a WHERE a.id = e.account_id)""",
    )


@always
async def i1_accounts_sum_to_zero(tx: Tx) -> list[str]:
    """I1: all balances together are zero in each unit, by what the accounts themselves say."""
    return await _rows(
        tx,
        """
        SELECT format('all accounts together hold %s %s', sum(coalesce(a.balance_fen, e.total, 0)), a.unit)
          FROM ledger_accounts a
          LEFT JOIN (SELECT account_id, sum(amount_fen) AS total FROM ledger_entries GROUP BY 1) e ON e.account_id = a.id
         GROUP BY a.unit HAVING sum(coalesce(a.balance_fen, e.total, 0)) <> 0""",
    )


@always
async def i2_balances_are_their_entries(tx: Tx) -> list[str]:
    """I2: a balance is the sum of its entries, and a version counts them."""
    return await _rows(
        tx,
        """
        SELECT format('%s holds %s at version %s, %s entries sum to %s', a.code, a.balance_fen, a.version, e.steps, e.total)
          FROM ledger_accounts a
          LEFT JOIN (SELECT account_id, sum(amount_fen) AS total, count(*) AS steps FROM ledger_entries GROUP BY 1) e
            ON e.account_id = a.id
         WHERE a.floor_fen IS NOT NULL AND (a.balance_fen <> coalesce(e.total, 0) OR a.version <> coalesce(e.steps, 0))""",
    )


@always
async def i2_chains_have_no_gaps(tx: Tx) -> list[str]:
    """I2: versions of an account count up without gaps, each entry saying the balance it left."""
    return await _rows(
        tx,
        """
        SELECT format('%s: entry %s of %s says %s, the chain %s', code, account_version, transfer_id, balance_after_fen, running)
          FROM (SELECT a.code, e.account_version, e.transfer_id, e.balance_after_fen, row_number() OVER steps AS place,
                       sum(e.amount_fen) OVER steps AS running
                  FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id WHERE a.floor_fen IS NOT NULL
                WINDOW steps AS (PARTITION BY e.account_id ORDER BY e.account_version NULLS FIRST)) AS chain
         WHERE account_version IS DISTINCT FROM place OR balance_after_fen IS DISTINCT FROM running""",
    )


@always
async def i2_checkpoints_are_their_entries(tx: Tx) -> list[str]:
    """I2: a checkpoint says what the entries up to its place sum to."""
    return await _rows(
        tx,
        """
        SELECT format('%s: the checkpoint at %s says %s', c.account_id, c.upto_place, c.balance_fen)
          FROM ledger_checkpoints c
         WHERE c.balance_fen IS DISTINCT FROM (SELECT sum(e.amount_fen) FROM ledger_entries e
                                                WHERE e.account_id = c.account_id AND e.place <= c.upto_place)""",
    )


@always
async def i3_floors_hold(tx: Tx) -> list[str]:
    """I3: no account is below its floor or ever was, but those that may be overdrawn."""
    return await _rows(
        tx,
        """
        SELECT format('%s holds %s', code, balance_fen) FROM ledger_accounts WHERE NOT may_overdraw AND balance_fen < floor_fen
        UNION ALL
        SELECT format('%s: %s left %s', a.code, e.transfer_id, e.balance_after_fen)
          FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
         WHERE NOT a.may_overdraw AND e.balance_after_fen < a.floor_fen""",
    )


# Refunds


@always
async def i4_refunds_stay_within_payments(tx: Tx) -> list[str]:
    """I4: refunded and reserved never exceed what came, of each payment and of each order."""
    return await _rows(
        tx,
        """
        SELECT format('payment %s gave %s of %s back', id, refunded_fen, paid_fen) FROM payments
         WHERE refunded_fen > CASE WHEN state IN ('paid', 'refunded') THEN paid_fen ELSE 0 END
            OR (state = 'refunded') <> (state IN ('paid', 'refunded') AND refunded_fen = paid_fen)
        UNION ALL
        SELECT format('order %s gave %s back and reserved %s of %s', id, refunded_fen, refund_reserved_fen, paid_fen)
          FROM orders WHERE refunded_fen + refund_reserved_fen > paid_fen""",
    )


@always
async def i4_an_order_is_the_sum_of_its_payments(tx: Tx) -> list[str]:
    """I4: what an order says was paid and given back is what its payments say."""
    return await _rows(
        tx,
        """
        SELECT format('order %s: %s paid, %s back; its payments say %s and %s', o.id, o.paid_fen, o.refunded_fen,
                      coalesce(p.came, 0), coalesce(p.back, 0))
          FROM orders o
          LEFT JOIN (SELECT order_id, sum(paid_fen) AS came, sum(refunded_fen) AS back
                       FROM payments WHERE state IN ('paid', 'refunded') GROUP BY 1) p ON p.order_id = o.id
         WHERE o.paid_fen <> coalesce(p.came, 0) OR o.refunded_fen <> coalesce(p.back, 0)""",
    )


@always
async def i4_refunds_are_booked_once(tx: Tx) -> list[str]:
    """I4: every leg of a refund moved once, as much as it says, to where its part came from; nothing else did."""
    return await _rows(
        tx,
        f"""
        WITH legs AS (
            SELECT r.ref, {SOURCE.format("refunding")} AS code, sum(r.amount_fen) AS fen
              FROM payment_refunds r JOIN payments p ON p.id = r.payment_id
              JOIN payment_parts q ON q.payment_id = r.payment_id AND q.n = r.n GROUP BY 1, 2
        ), moved AS (
            SELECT t.ref, a.code, sum(e.amount_fen) AS fen
              FROM ledger_transfers t JOIN ledger_entries e ON e.transfer_id = t.id AND e.amount_fen > 0
              JOIN ledger_accounts a ON a.id = e.account_id AND a.unit = 'CNY'
             WHERE t.kind = 'refund' AND t.ref NOT LIKE 'sus\\_%' GROUP BY 1, 2)
        SELECT format('refund %s: its legs give %s to %s, the book %s', ref, coalesce(l.fen, 0), code, coalesce(m.fen, 0))
          FROM legs l FULL JOIN moved m USING (ref, code) WHERE l.fen IS DISTINCT FROM m.fen""",
    )


@at_rest
async def i4_every_refund_over_a_channel_has_its_leg(tx: Tx) -> list[str]:
    """I4: the refunds asked of a channel sum to what its part of the payment gave back."""
    return await _rows(
        tx,
        f"""
        SELECT format('payment %s gave %s back, its channel was asked for %s', q.payment_id, q.refunded_fen, coalesce(sum(r.amount_fen), 0))
          FROM payment_parts q LEFT JOIN channel_refunds r ON r.payment_id = q.payment_id AND r.channel = q.tender
         WHERE q.tender IN {CHANNELS} GROUP BY q.payment_id, q.n HAVING q.refunded_fen <> coalesce(sum(r.amount_fen), 0)""",
    )


@always
async def i4_no_leg_beyond_its_payment(tx: Tx) -> list[str]:
    """I4: a channel is never asked for more than its part of the payment gave back."""
    return await _rows(
        tx,
        """
        SELECT format('payment %s gave %s back, its channel was asked for %s', r.payment_id, coalesce(q.refunded_fen, 0), sum(r.amount_fen))
          FROM channel_refunds r LEFT JOIN payment_parts q ON q.payment_id = r.payment_id AND q.tender = r.channel
         WHERE r.payment_id IS NOT NULL
         GROUP BY r.payment_id, q.refunded_fen HAVING sum(r.amount_fen) > coalesce(q.refunded_fen, 0)""",
    )


@always
async def i4_an_executed_request_gave_what_was_approved(tx: Tx) -> list[str]:
    """I4: the legs of an executed refund request sum to what was approved, and no other request has any."""
    return await _rows(
        tx,
        """
        SELECT format('request %s is %s, approved %s, its legs gave %s', r.id, r.state, r.approved_fen, coalesce(sum(l.amount_fen), 0))
          FROM refund_requests r LEFT JOIN payment_refunds l ON l.given_as = r.id
         GROUP BY r.id HAVING coalesce(sum(l.amount_fen), 0) <> CASE WHEN r.state = 'executed' THEN r.approved_fen ELSE 0 END""",
    )


@always
async def d3_what_is_reserved_is_what_is_asked_for(tx: Tx) -> list[str]:
    """D3: what an order has reserved is the sum of its open refund requests."""
    return await _rows(
        tx,
        """
        SELECT format('order %s reserved %s, its open requests are %s', o.id, o.refund_reserved_fen, coalesce(sum(r.amount_fen), 0))
          FROM orders o LEFT JOIN refund_requests r ON r.order_id = o.id AND r.state IN ('review', 'requested', 'approving')
         GROUP BY o.id HAVING o.refund_reserved_fen <> coalesce(sum(r.amount_fen), 0)""",
    )


# Prices, coupons, bookings


@always
async def i5_price_lines_are_whole(tx: Tx) -> list[str]:
    """I5: lines sum to zero or more, and every discount is allocated to a line that it does not take below zero."""
    return await _rows(
        tx,
        """
        SELECT format('order %s, price %s: sums to %s', order_id, epoch, sum(amount_fen))
          FROM order_lines GROUP BY order_id, epoch HAVING sum(amount_fen) < 0
        UNION ALL
        SELECT format('order %s, price %s: line %s is discounted to %s', d.order_id, d.epoch, d.allocated_to,
                      min(i.amount_fen) + sum(d.amount_fen))
          FROM order_lines d LEFT JOIN order_lines i
            ON i.order_id = d.order_id AND i.epoch = d.epoch AND i.n = d.allocated_to AND i.allocated_to IS NULL
         WHERE d.allocated_to IS NOT NULL GROUP BY d.order_id, d.epoch, d.allocated_to
        HAVING coalesce(min(i.amount_fen) + sum(d.amount_fen), -1) < 0""",
    )


@always
async def i5_what_was_paid_is_the_price(tx: Tx) -> list[str]:
    """I5: the payment an order lives on is exactly the price fixed under its lock.

    Less what the order has kept since it was turned into a pool order (HS-068).
    """
    return await _rows(
        tx,
        """
        SELECT format('payment %s of %s fen, %s came, the price was %s', p.id, p.amount_fen, p.paid_fen, l.total)
          FROM payments p
          JOIN orders o ON o.id = p.order_id
          JOIN (SELECT order_id, epoch, sum(amount_fen) AS total FROM order_lines GROUP BY 1, 2) l
            ON l.order_id = p.order_id AND l.epoch = p.lock_epoch
         WHERE p.state = 'paid' AND (p.paid_fen <> p.amount_fen OR p.amount_fen > l.total
               OR (p.amount_fen < l.total AND NOT EXISTS (
                   SELECT FROM order_events e WHERE e.order_id = o.id AND e.verb = 'convert_to_pool' AND e.at <= p.created_at)))""",
    )


@always
async def i8_a_coupon_is_on_one_live_order(tx: Tx) -> list[str]:
    """I8: no coupon is on two orders that keep or wait for money."""
    return await _rows(
        tx,
        """
        SELECT format('coupon %s is on %s orders', v.coupon_id, count(*))
          FROM homeservice_orders v JOIN orders o ON o.id = v.order_id
         WHERE v.coupon_id IS NOT NULL AND o.status <> 'cancelled'
           AND NOT (o.closed_at IS NOT NULL AND o.paid_fen > 0 AND o.paid_fen = o.refunded_fen)
         GROUP BY v.coupon_id HAVING count(*) > 1""",
    )


@always
async def i8_issued_is_counted(tx: Tx) -> list[str]:
    """I8: a template has issued as many coupons as it says, within its quota and each person's share."""
    return await _rows(
        tx,
        """
        SELECT format('template %s says %s of %s, there are %s', t.id, t.issued, t.quota, sum(c.kept))
          FROM coupon_templates t LEFT JOIN (SELECT template_id, account_id, count(*) FILTER (WHERE state <> 'revoked') AS kept
                                               FROM coupons GROUP BY 1, 2) c ON c.template_id = t.id
         GROUP BY t.id HAVING t.issued <> coalesce(sum(c.kept), 0) OR t.issued > t.quota OR max(c.kept) > t.per_account_max""",
    )


@always
async def i10_nobody_is_booked_twice(tx: Tx) -> list[str]:
    """I10: no two live bookings of a unit overlap."""
    return await _rows(
        tx,
        """
        SELECT format('unit %s: %s and %s', one.unit_no, one.id, other.id)
          FROM bookings one JOIN bookings other
            ON other.unit_no = one.unit_no AND other.id > one.id AND other.during && one.during
         WHERE one.state IN ('held', 'firm') AND other.state IN ('held', 'firm')""",
    )


@always
async def i11_every_key_has_its_answer(tx: Tx) -> list[str]:
    """I11: an idempotency key is never committed without the answer to repeat."""
    return await _rows(
        tx, "SELECT format('%s of %s', key, scope) FROM idempotency_keys WHERE status IS NULL OR body IS NULL"
    )


# Money of channels


@always
async def i12_a_trade_is_booked_once(tx: Tx) -> list[str]:
    """I12: a channel's own number stands for one movement: one payment's, or one in suspense until it was assigned."""
    return await _rows(
        tx,
        """
        SELECT format('%s %s is booked %s times', channel, trade_no, count(*))
          FROM (SELECT method AS channel, ref AS trade_no FROM payments WHERE ref IS NOT NULL AND paid_at IS NOT NULL
                 UNION ALL
                SELECT split_part(t.ref, ':', 1), split_part(t.ref, ':', 2) FROM ledger_transfers t
                 WHERE t.kind = 'suspense' AND NOT EXISTS (
                       SELECT FROM suspense_items i WHERE i.ref = t.ref AND i.state = 'assigned')) AS booked
         GROUP BY channel, trade_no HAVING count(*) > 1""",
    )


@always
async def i12_news_is_passed_on_once(tx: Tx) -> list[str]:
    """I12: a paid attempt has one piece of news that paid it, or money assigned to it; every such piece has its attempt."""
    return await _rows(
        tx,
        """
        SELECT format('attempt %s was paid by %s news', a.payment_id, count(n.id))
          FROM channel_attempts a
          LEFT JOIN (SELECT id, channel, trade_no FROM channel_news WHERE outcome = 'passed_on'
                      UNION ALL SELECT id, channel, trade_no FROM suspense_items WHERE state = 'assigned') n
            ON n.channel = a.channel AND n.trade_no = a.trade_no
         WHERE a.state = 'paid' GROUP BY a.payment_id HAVING count(n.id) <> 1
        UNION ALL
        SELECT format('news %s paid nothing', n.id) FROM channel_news n
         WHERE n.outcome = 'passed_on' AND NOT EXISTS (
               SELECT FROM channel_attempts a WHERE a.state = 'paid' AND a.channel = n.channel AND a.trade_no = n.trade_no)""",
    )


@at_rest
async def i12_what_a_channel_paid_is_in_the_book(tx: Tx) -> list[str]:
    """I12: a paid attempt is a payment whose money has come, under the channel's number, of just its part."""
    return await _rows(
        tx,
        """
        SELECT format('attempt %s is paid as %s, its payment is %s', a.payment_id, a.trade_no, p.state)
          FROM channel_attempts a JOIN payments p ON p.id = a.payment_id
          LEFT JOIN payment_parts q ON q.payment_id = p.id AND q.tender = a.channel
         WHERE a.state = 'paid'
           AND (p.paid_at IS NULL OR p.ref IS DISTINCT FROM a.trade_no OR q.amount_fen IS DISTINCT FROM a.amount_fen)""",
    )


@always
async def i13_what_came_is_booked_once(tx: Tx) -> list[str]:
    """I13: a payment took each of its parts once, from the account it names: what is held, or what has come; no more."""
    return await _rows(
        tx,
        f"""
        WITH wanted AS (
            SELECT p.id, {SOURCE.format("clearing")} AS code, sum(q.amount_fen) AS fen
              FROM payments p JOIN payment_parts q ON q.payment_id = p.id
             WHERE (p.is_held AND q.tender NOT IN ('points', 'wechat', 'alipay', 'offline'))
                OR (p.paid_at IS NOT NULL AND (p.paid_fen = p.amount_fen OR q.tender IN {CHANNELS})) GROUP BY 1, 2
        ), took AS (
            SELECT split_part(t.ref, ':', 1) AS id, a.code, -sum(e.amount_fen) AS fen
              FROM ledger_transfers t JOIN ledger_entries e ON e.transfer_id = t.id JOIN ledger_accounts a ON a.id = e.account_id
             WHERE t.ref LIKE 'pay\\_%' AND split_part(t.ref, ':', 2) IN ('received', 'restored', 'held', 'freed')
               AND a.kind IN ('customer_wallet', 'customer_prepaid', 'customer_bonus', 'customer_credit', 'platform_promo', 'channel_clearing')
             GROUP BY 1, 2 HAVING sum(e.amount_fen) <> 0)
        SELECT format('payment %s took %s of %s, its part is %s', id, coalesce(t.fen, 0), code, coalesce(w.fen, 0))
          FROM wanted w FULL JOIN took t USING (id, code) WHERE w.fen IS DISTINCT FROM t.fen""",
    )


@always
async def i13_channels_owe_what_was_told(tx: Tx) -> list[str]:
    """I13: what a channel has of ours, in whatever account, is what came over it, less what it gave back, paid out and shared."""
    return await _rows(
        tx,
        """
        SELECT format('%s: the book says %s and %s on the way back, payments and refunds %s and %s', c.channel, c.has, c.refunding,
                      p.came - p.back - c.paid_out - s.held, p.back + r.strange - r.done)
          FROM (SELECT a.owner_id AS channel, -sum(e.amount_fen) AS has,
                       coalesce(sum(e.amount_fen) FILTER (WHERE a.kind = 'channel_refunding'), 0) AS refunding,
                       coalesce(sum(e.amount_fen) FILTER (WHERE a.kind = 'channel_clearing' AND EXISTS (
                                SELECT FROM withdrawals w WHERE t.ref = w.id || ':paid_out')), 0) AS paid_out
                  FROM ledger_accounts a JOIN ledger_entries e ON e.account_id = a.id JOIN ledger_transfers t ON t.id = e.transfer_id
                 WHERE (a.kind LIKE 'channel\\_%' OR a.kind = 'platform_written_off') AND a.owner_id IN ('wechat', 'alipay', 'offline')
                 GROUP BY a.owner_id) c
         CROSS JOIN LATERAL (SELECT coalesce(sum(q.amount_fen), 0) AS came, coalesce(sum(q.refunded_fen), 0) AS back
                               FROM payment_parts q JOIN payments p ON p.id = q.payment_id AND p.paid_at IS NOT NULL
                              WHERE q.tender = c.channel) p
         CROSS JOIN LATERAL (SELECT coalesce(sum(amount_fen) FILTER (WHERE state = 'done'), 0) AS done,
                                    coalesce(sum(amount_fen) FILTER (WHERE payment_id IS NULL), 0) AS strange
                               FROM channel_refunds WHERE channel = c.channel) r
         CROSS JOIN LATERAL (SELECT coalesce(sum(part.amount_fen - part.returned_fen), 0) AS held FROM share_parts part
                               JOIN share_splits split ON split.id = part.split_id WHERE split.channel = c.channel AND part.is_paid) s
         WHERE c.has <> p.came - p.back - c.paid_out - s.held OR c.refunding <> p.back + r.strange - r.done""",
    )


@always
async def i13_suspense_is_its_open_items(tx: Tx) -> list[str]:
    """I13: suspense accounts hold their open items, and strange money has one item a trade, of just its amount."""
    return await suspense_store.faults(tx) + await _rows(
        tx,
        """
        SELECT format('%s %s: its news says %s, its item %s', channel, trade_no, n.fen, i.fen)
          FROM (SELECT DISTINCT ON (channel, trade_no) channel, trade_no, amount_fen AS fen FROM channel_news
                 WHERE outcome IN ('unknown_order', 'wrong_amount', 'second_money') ORDER BY channel, trade_no, id) n
          FULL JOIN (SELECT channel, trade_no, amount_fen AS fen FROM suspense_items WHERE cause <> 'bill') i
               USING (channel, trade_no)
         WHERE n.fen IS DISTINCT FROM i.fen""",
    )


@always
async def i14_escrow_is_what_an_open_order_keeps(tx: Tx) -> list[str]:
    """I14: an open order's escrow holds what was paid and not given back, a closed one's nothing."""
    return await _rows(
        tx,
        """
        SELECT format('order %s is %s, escrow %s', o.id, o.status, coalesce(a.balance_fen, 0))
          FROM orders o LEFT JOIN ledger_accounts a ON a.code = 'order:' || o.id || ':escrow'
         WHERE coalesce(a.balance_fen, 0) <> CASE WHEN o.closed_at IS NULL THEN o.paid_fen - o.refunded_fen ELSE 0 END""",
    )


@always
async def i13_a_topup_is_credited_once(tx: Tx) -> list[str]:
    """I13: a paid top-up has given what was paid and promised once, no other has, and nothing is left in its escrow."""
    return await _rows(
        tx,
        """
        SELECT format('topup %s of %s and %s is %s, the book gave %s', p.id, p.amount_fen, p.bonus_fen, p.state, coalesce(sum(e.amount_fen), 0))
          FROM topups p LEFT JOIN (ledger_transfers t JOIN ledger_entries e ON e.transfer_id = t.id AND e.amount_fen > 0)
            ON t.ref = p.id || ':credited'
         GROUP BY p.id
        HAVING coalesce(sum(e.amount_fen), 0) <> CASE WHEN p.state = 'paid' THEN p.amount_fen + p.bonus_fen ELSE 0 END
        UNION ALL
        SELECT format('%s holds %s', code, balance_fen) FROM ledger_accounts WHERE code LIKE 'order:top\\_%' AND balance_fen <> 0""",
    )


# Orders


@always
async def i15_versions_count_the_steps(tx: Tx) -> list[str]:
    """I15: an order's version is the number of its events, without gaps, each beginning where the last one ended."""
    return await _rows(
        tx,
        """
        SELECT format('order %s is at version %s of %s events, the last is %s', o.id, o.version, count(e.n), max(e.n))
          FROM orders o LEFT JOIN order_events e ON e.order_id = o.id
         GROUP BY o.id HAVING o.version <> count(e.n) OR o.version <> max(e.n)
        UNION ALL
        SELECT format('order %s: step %s begins at %s', e.order_id, e.n, e.from_status)
          FROM order_events e LEFT JOIN order_events p ON p.order_id = e.order_id AND p.n = e.n - 1
         WHERE e.from_status IS DISTINCT FROM p.to_status
        UNION ALL
        SELECT format('order %s is %s, its last step led to %s', o.id, o.status, e.to_status)
          FROM orders o JOIN order_events e ON e.order_id = o.id AND e.n = o.version WHERE e.to_status <> o.status""",
    )


@always
async def i15_only_the_table_happens(tx: Tx) -> list[str]:
    """I15: every step is a row of the line's table, by an actor it allows; nothing leaves a terminal status."""
    rows = await tx.fetch(
        """
        SELECT o.line, e.from_status, e.verb, e.to_status, split_part(e.actor, ':', 1) AS role, min(e.order_id) AS first
          FROM order_events e JOIN orders o ON o.id = e.order_id WHERE e.n > 1 GROUP BY 1, 2, 3, 4, 5"""
    )
    found = []
    for line, before, verb, after, role, first in rows:
        machine = MACHINES[line]
        row = machine.table.get((before, verb))
        left = before in machine.terminal and after != before
        if row is None or after not in row.to or role not in row.roles or left:
            found.append(f"order {first}: {role} made {verb} of {before} into {after}")
    return found


@always
async def i16_a_cancelled_or_unpaid_order_keeps_nothing(tx: Tx) -> list[str]:
    """I16: whoever cancelled without a penalty has everything back, and nothing is kept before the work is bound.

    But an order that support has turned into a pool order keeps what was paid for it (HS-068). Of a penalty no more is kept than was written down; nothing once it was taken back.
    """
    return await _rows(
        tx,
        """
        SELECT format('order %s is %s and keeps %s', o.id, o.status, o.paid_fen - o.refunded_fen) FROM orders o
         WHERE (o.status IN ('cancelled', 'terminated') AND o.paid_fen <> o.refunded_fen)
            OR (o.status IN ('in_pool', 'has_candidates', 'pending_payment') AND o.paid_fen <> o.refunded_fen
                AND NOT EXISTS (SELECT FROM order_events e WHERE e.order_id = o.id AND e.verb = 'convert_to_pool'))
            OR (o.status = 'closed_penalty' AND o.paid_fen - o.refunded_fen > coalesce(
                (SELECT p.item_fen + p.travel_fen FROM penalties p
                  WHERE p.order_id = o.id AND p.payer_kind = 'customer' AND p.state = 'settled'), 0))""",
    )


@always
async def i16_a_workers_penalty_moved_once_each_way(tx: Tx) -> list[str]:
    """I16: a worker's penalty left his wallet once, and came back once if it was taken back."""
    return await _rows(
        tx,
        """
        SELECT format('penalty %s of %s is %s, the book took %s and gave %s back', p.id, p.item_fen, p.state, d.fen, r.fen)
          FROM penalties p
         CROSS JOIN LATERAL (VALUES (p.id || ':debited', 'worker:' || p.payer_id || ':wallet')) AS x (ref, code)
         CROSS JOIN LATERAL (SELECT coalesce(-sum(e.amount_fen), 0) AS fen FROM ledger_transfers t JOIN ledger_entries e ON e.transfer_id = t.id
                               JOIN ledger_accounts a ON a.id = e.account_id AND a.code = x.code WHERE t.ref = x.ref) d
         CROSS JOIN LATERAL (SELECT coalesce(sum(e.amount_fen), 0) AS fen FROM ledger_transfers t JOIN ledger_entries e ON e.transfer_id = t.id
                               JOIN ledger_accounts a ON a.id = e.account_id AND a.code = x.code WHERE t.ref = p.id || ':reversed') r
         WHERE p.payer_kind = 'worker'
           AND (d.fen <> p.item_fen + p.travel_fen OR r.fen <> CASE p.state WHEN 'reversed' THEN d.fen ELSE 0 END)""",
    )


@always
async def i17_one_winner(tx: Tx) -> list[str]:
    """I17: an order lives on one payment at most, and a call is won by the worker of an order whose price is paid.

    Each time it is turned into a pool order, the next choice may need one more (HS-068).
    """
    return await _rows(
        tx,
        """
        SELECT format('order %s keeps money of %s payments', p.order_id, count(*)) FROM payments p
         WHERE p.state = 'paid' GROUP BY p.order_id
        HAVING count(*) > 1 + (SELECT count(*) FROM order_events e WHERE e.order_id = p.order_id AND e.verb = 'convert_to_pool')
        UNION ALL
        SELECT format('order %s is %s, its call won, %s of %s fen kept', o.id, o.status, o.paid_fen - o.refunded_fen, o.total_fen)
          FROM orders o JOIN calls c ON c.id = o.call_id
         WHERE c.status = 'won' AND (o.paid_fen - o.refunded_fen <> o.total_fen OR o.provider_id IS DISTINCT FROM c.worker_id)""",
    )


@always
async def i17_nobody_pays_for_what_is_not_waited_for(tx: Tx) -> list[str]:
    """I17: a payment is open only while its order waits for one, or while somebody decides whether it shall."""
    return await _rows(
        tx,
        """
        SELECT format('payment %s is open, order %s is %s', p.id, o.id, o.status)
          FROM payments p JOIN orders o ON o.id = p.order_id
         WHERE p.state = 'created' AND o.status NOT IN ('pending_payment', 'cancel_requested')""",
    )


@at_rest
async def i17_no_money_is_stuck(tx: Tx) -> list[str]:
    """I17: nothing waits in unapplied accounts, no job is parked, nothing is due and not done."""
    return await _rows(
        tx,
        """
        SELECT format('payment %s is late and not decided', id) FROM payments WHERE state = 'paid_late'
        UNION ALL SELECT format('%s holds %s', code, balance_fen) FROM ledger_accounts WHERE kind = 'customer_unapplied' AND balance_fen <> 0
        UNION ALL SELECT format('job %s of %s is parked: %s', key, kind, last_error) FROM jobs WHERE parked_at IS NOT NULL
        UNION ALL SELECT format('fact %s has not been heard', key) FROM jobs WHERE kind = 'fact.subscribers'""",
    )


@always
async def i18_whoever_is_held_is_locked(tx: Tx) -> list[str]:
    """I18: a held booking is that of a locked call, whose order's timer will end it."""
    return await _rows(
        tx,
        """
        SELECT format('booking %s is held, its call is %s', b.id, c.status)
          FROM bookings b JOIN calls c ON c.id = b.call_id
         WHERE b.state = 'held' AND (c.status <> 'locked' OR c.worker_id <> b.worker_id OR c.locked_until IS NULL)
        UNION ALL
        SELECT format('booking %s is held without a timer', b.id)
          FROM bookings b JOIN orders o ON o.call_id = b.call_id
         WHERE b.state = 'held' AND NOT EXISTS (SELECT FROM jobs j WHERE j.key = o.id || ':lock')""",
    )


@at_rest
async def i18_no_hold_outlives_its_window(tx: Tx) -> list[str]:
    """I18: whoever is held when nothing is due is held for a window that is still open."""
    rows = await tx.fetch(
        """
        SELECT format('booking %s is held until %s', b.id, c.locked_until)
          FROM bookings b JOIN calls c ON c.id = b.call_id WHERE b.state = 'held' AND c.locked_until <= $1""",
        tx.now,
    )
    return [row[0] for row in rows]


@always
async def i21_each_step_was_told_once(tx: Tx) -> list[str]:
    """I21: every step of an order is one fact, numbered by its version."""
    return await _rows(
        tx,
        """
        WITH told AS (SELECT body::json->>'order_id' AS id, (body::json->>'version')::int AS version, count(*) AS times
                        FROM (SELECT topic, body FROM feed UNION ALL SELECT topic, body FROM outbox) AS facts
                       WHERE topic = 'order.changed' GROUP BY 1, 2)
        SELECT format('order %s, step %s: told %s times', coalesce(e.order_id, t.id), coalesce(e.n, t.version), coalesce(t.times, 0))
          FROM order_events e FULL JOIN told t ON t.id = e.order_id AND t.version = e.n
         WHERE coalesce(t.times, 0) <> 1 OR e.order_id IS NULL""",
    )


# Settlements and what people decide


@always
async def i7_a_settlement_shares_out_all(tx: Tx) -> list[str]:
    """I7: the first lines of a settlement sum to what was settled."""
    return await _rows(
        tx,
        """
        SELECT format('settlement %s of %s fen, its lines sum to %s', s.id, s.settled_fen, coalesce(sum(l.amount_fen), 0))
          FROM settlements s LEFT JOIN settlement_lines l ON l.settlement_id = s.id AND l.cause = 'settled'
         GROUP BY s.id HAVING s.settled_fen <> coalesce(sum(l.amount_fen), 0)""",
    )


@always
async def i24_a_settlement_keeps_what_its_order_keeps(tx: Tx) -> list[str]:
    """I24: what a settlement says its order keeps is what the order keeps."""
    return await _rows(
        tx,
        """
        SELECT format('settlement %s keeps %s, its order %s', s.id, s.kept_fen, o.paid_fen - o.refunded_fen)
          FROM settlements s LEFT JOIN orders o ON o.id = s.order_id
         WHERE s.kept_fen IS DISTINCT FROM o.paid_fen - o.refunded_fen""",
    )


@always
async def i24_whoever_decided_is_on_record(tx: Tx) -> list[str]:
    """I24: staff's steps, adjustments, decided withdrawals and refunds name a person; a refund's version counts them."""
    return await _rows(
        tx,
        """
        SELECT format('order %s: step %s by nobody', order_id, n) FROM order_events WHERE actor = 'staff' OR actor LIKE 'staff:' OR actor = ''
        UNION ALL SELECT format('line %s was adjusted by nobody', id) FROM settlement_lines
                   WHERE cause = 'adjusted' AND (coalesce(by_id, '') = '' OR coalesce(reason, '') = '')
        UNION ALL SELECT format('refund %s is at version %s of %s events', r.id, r.version, count(e.n))
                    FROM refund_requests r LEFT JOIN refund_events e ON e.refund_id = r.id
                   GROUP BY r.id HAVING r.version <> count(e.n)
        UNION ALL SELECT format('refund %s: %s by nobody', refund_id, verb) FROM refund_events WHERE actor IN ('', 'staff:')
        UNION ALL SELECT format('withdrawal %s: %s by nobody', withdrawal_id, verb) FROM withdrawal_events WHERE actor IN ('', 'account:')""",
    )
