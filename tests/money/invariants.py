"""What is true of all money at every moment (I1 to I24 of the kernel), asked of the database itself.

Each invariant is a function whose docstring begins with its number and whose SQL finds offenders, one text a row.
`INVARIANTS` hold after every commit; `AT_REST` once nothing is due any more: what a fact has promised is then done.
Those of the kernel that are rules of arithmetic (I6, I7, I16, I20) are tested on the pure functions; stock (I9), points
in lots (I19) and bills (I23) are checked by the domains that own them. `tests/money/test_invariants.py` breaks each one
on purpose and sees that just its number is called.
"""

# ruff: noqa: E501 - SQL reads better unbroken

from __future__ import annotations

from collections.abc import Awaitable, Callable

from rest.lines.homeservice.model import MACHINE as HOMESERVICE
from rest.trade.orders import Machine
from storage.postgres import Database
from storage.tx import Tx

Check = Callable[[Tx], Awaitable[list[str]]]

INVARIANTS: dict[str, Check] = {}
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
    return [f"{name}: {fault}" for name, check in known.items() for fault in await check(tx)]


async def violations(db: Database, *, rest: bool = False) -> list[str]:
    """`faults` of one snapshot, as people at work may commit between two questions."""
    async with db.begin() as tx:
        await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return await faults(tx, rest=rest)


async def _rows(tx: Tx, sql: str) -> list[str]:
    return [row[0] for row in await tx.fetch(sql)]


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
        SELECT format('payment %s gave %s of %s back', id, refunded_fen, amount_fen) FROM payments
         WHERE refunded_fen > CASE WHEN state IN ('paid', 'refunded') THEN amount_fen ELSE 0 END
            OR (state = 'refunded') <> (state IN ('paid', 'refunded') AND refunded_fen = amount_fen)
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
          LEFT JOIN (SELECT order_id, sum(amount_fen) AS came, sum(refunded_fen) AS back
                       FROM payments WHERE state IN ('paid', 'refunded') GROUP BY 1) p ON p.order_id = o.id
         WHERE o.paid_fen <> coalesce(p.came, 0) OR o.refunded_fen <> coalesce(p.back, 0)""",
    )


@always
async def i4_refunds_are_booked_once(tx: Tx) -> list[str]:
    """I4: what a payment gave back left its order's escrow, or the unapplied money of a late one, once."""
    return await _rows(
        tx,
        """
        SELECT format('payment %s gave %s back, the book %s', p.id, p.refunded_fen, coalesce(b.total, 0))
          FROM payments p
          LEFT JOIN (SELECT split_part(t.ref, ':', 1) AS payment_id, -sum(e.amount_fen) AS total
                       FROM ledger_transfers t JOIN ledger_entries e ON e.transfer_id = t.id AND e.amount_fen < 0
                      WHERE t.kind = 'refund' GROUP BY 1) b ON b.payment_id = p.id
         WHERE p.refunded_fen <> coalesce(b.total, 0)""",
    )


@at_rest
async def i4_every_refund_over_a_channel_has_its_leg(tx: Tx) -> list[str]:
    """I4: the refunds asked of a channel sum to what its payment gave back."""
    return await _rows(
        tx,
        """
        SELECT format('payment %s gave %s back, its channel was asked for %s', p.id, p.refunded_fen, coalesce(sum(r.amount_fen), 0))
          FROM payments p LEFT JOIN channel_refunds r ON r.payment_id = p.id
         WHERE p.method <> 'wallet' GROUP BY p.id HAVING p.refunded_fen <> coalesce(sum(r.amount_fen), 0)""",
    )


@always
async def i4_no_leg_beyond_its_payment(tx: Tx) -> list[str]:
    """I4: a channel is never asked for more than its payment gave back."""
    return await _rows(
        tx,
        """
        SELECT format('payment %s gave %s back, its channel was asked for %s', r.payment_id, p.refunded_fen, sum(r.amount_fen))
          FROM channel_refunds r JOIN payments p ON p.id = r.payment_id
         GROUP BY r.payment_id, p.refunded_fen HAVING sum(r.amount_fen) > p.refunded_fen""",
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
    """I5: the payment an order lives on is exactly the price fixed under its lock."""
    return await _rows(
        tx,
        """
        SELECT format('payment %s of %s fen, the price was %s', p.id, p.amount_fen, l.total)
          FROM payments p
          JOIN orders o ON o.id = p.order_id
          JOIN (SELECT order_id, epoch, sum(amount_fen) AS total FROM order_lines GROUP BY 1, 2) l
            ON l.order_id = p.order_id AND l.epoch = p.lock_epoch
         WHERE p.state = 'paid' AND p.amount_fen <> l.total""",
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
        SELECT format('template %s says %s of %s, there are %s', t.id, t.issued, t.quota, count(c.id))
          FROM coupon_templates t LEFT JOIN coupons c ON c.template_id = t.id
         GROUP BY t.id HAVING t.issued <> count(c.id) OR t.issued > t.quota OR max(c.seq) > t.per_account_max""",
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
    """I12: a channel's own number stands for one movement: one payment's, or one in suspense."""
    return await _rows(
        tx,
        """
        SELECT format('%s %s is booked %s times', channel, trade_no, count(*))
          FROM (SELECT method AS channel, ref AS trade_no FROM payments WHERE ref IS NOT NULL AND paid_at IS NOT NULL
                 UNION ALL
                SELECT split_part(ref, ':', 1), split_part(ref, ':', 2) FROM ledger_transfers WHERE kind = 'suspense') AS booked
         GROUP BY channel, trade_no HAVING count(*) > 1""",
    )


@always
async def i12_news_is_passed_on_once(tx: Tx) -> list[str]:
    """I12: a paid attempt has one piece of news that paid it, and every such piece has its attempt."""
    return await _rows(
        tx,
        """
        SELECT format('attempt %s was paid by %s news', a.payment_id, count(n.id))
          FROM channel_attempts a
          LEFT JOIN channel_news n ON n.channel = a.channel AND n.trade_no = a.trade_no AND n.outcome = 'passed_on'
         WHERE a.state = 'paid' GROUP BY a.payment_id HAVING count(n.id) <> 1
        UNION ALL
        SELECT format('news %s paid nothing', n.id) FROM channel_news n
         WHERE n.outcome = 'passed_on' AND NOT EXISTS (
               SELECT FROM channel_attempts a WHERE a.state = 'paid' AND a.channel = n.channel AND a.trade_no = n.trade_no)""",
    )


@at_rest
async def i12_what_a_channel_paid_is_in_the_book(tx: Tx) -> list[str]:
    """I12: a paid attempt is a payment whose money has come, under the channel's number."""
    return await _rows(
        tx,
        """
        SELECT format('attempt %s is paid as %s, its payment is %s', a.payment_id, a.trade_no, p.state)
          FROM channel_attempts a JOIN payments p ON p.id = a.payment_id
         WHERE a.state = 'paid' AND (p.paid_at IS NULL OR p.ref IS DISTINCT FROM a.trade_no OR p.amount_fen <> a.amount_fen)""",
    )


@always
async def i13_what_came_is_booked_once(tx: Tx) -> list[str]:
    """I13: every payment whose money has come has one transfer of just that, from its own source; no other has one."""
    return await _rows(
        tx,
        """
        SELECT format('payment %s of %s fen is %s, booked %s times with %s', p.id, p.amount_fen, p.state, count(e.n), sum(e.amount_fen))
          FROM payments p
          LEFT JOIN ledger_transfers t ON t.ref = p.id || ':received'
          LEFT JOIN (ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id) ON e.transfer_id = t.id AND e.amount_fen < 0
               AND a.code = CASE p.method WHEN 'wallet' THEN 'customer:' || p.account_id || ':wallet'
                                          ELSE 'channel:' || p.method || ':clearing' END
         GROUP BY p.id
        HAVING CASE WHEN p.paid_at IS NOT NULL THEN count(e.n) <> 1 OR sum(e.amount_fen) <> -p.amount_fen ELSE count(t.id) > 0 END""",
    )


@always
async def i13_channels_owe_what_was_told(tx: Tx) -> list[str]:
    """I13: a channel's clearing is what came and was not given back, suspense and payouts among it; nothing is elsewhere."""
    return await _rows(
        tx,
        """
        SELECT format('%s: the book says %s and %s on the way back, payments and refunds %s and %s', c.channel, c.clearing, c.refunding,
                      c.suspense_out - p.came + c.paid_out + r.done, p.back - r.done)
          FROM (SELECT a.owner_id AS channel, coalesce(sum(e.amount_fen) FILTER (WHERE a.kind = 'channel_clearing'), 0) AS clearing,
                       coalesce(sum(e.amount_fen) FILTER (WHERE a.kind = 'channel_refunding'), 0) AS refunding,
                       -coalesce(sum(e.amount_fen) FILTER (WHERE a.kind = 'channel_suspense'), 0) AS suspense_out,
                       coalesce(sum(e.amount_fen) FILTER (WHERE a.kind = 'channel_clearing' AND EXISTS (
                                SELECT FROM withdrawals w WHERE t.ref = w.id || ':paid_out')), 0) AS paid_out
                  FROM ledger_accounts a JOIN ledger_entries e ON e.account_id = a.id JOIN ledger_transfers t ON t.id = e.transfer_id
                 WHERE a.kind IN ('channel_clearing', 'channel_refunding', 'channel_suspense') AND a.owner_id IN ('wechat', 'alipay')
                 GROUP BY a.owner_id) c
         CROSS JOIN LATERAL (SELECT coalesce(sum(amount_fen), 0) AS came, coalesce(sum(refunded_fen), 0) AS back
                               FROM payments WHERE method = c.channel AND paid_at IS NOT NULL) p
         CROSS JOIN LATERAL (SELECT coalesce(sum(amount_fen), 0) AS done
                               FROM channel_refunds WHERE channel = c.channel AND state = 'done') r
         WHERE c.clearing <> c.suspense_out - p.came + c.paid_out + r.done OR c.refunding <> p.back - r.done""",
    )


@always
async def i13_suspense_is_what_nobody_asked_for(tx: Tx) -> list[str]:
    """I13: suspense holds the money of news that fits no attempt, each trade once."""
    return await _rows(
        tx,
        """
        SELECT format('%s: %s in suspense, strange news of %s', coalesce(b.channel, n.channel), coalesce(b.total, 0), coalesce(n.total, 0))
          FROM (SELECT a.owner_id AS channel, sum(e.amount_fen) AS total
                  FROM ledger_accounts a JOIN ledger_entries e ON e.account_id = a.id WHERE a.kind = 'channel_suspense' GROUP BY 1) b
          FULL JOIN (SELECT channel, sum(amount_fen) AS total
                       FROM (SELECT DISTINCT ON (channel, trade_no) channel, amount_fen FROM channel_news
                              WHERE outcome IN ('unknown_order', 'wrong_amount', 'second_money') ORDER BY channel, trade_no, id) AS first
                      GROUP BY 1) n ON n.channel = b.channel
         WHERE coalesce(b.total, 0) <> coalesce(n.total, 0)""",
    )


@always
async def i13_unapplied_is_late_money(tx: Tx) -> list[str]:
    """I13: unapplied money is that of the owner's late payments."""
    return await _rows(
        tx,
        """
        SELECT format('%s holds %s, late payments are %s', a.code, a.balance_fen, coalesce(sum(p.amount_fen), 0))
          FROM ledger_accounts a LEFT JOIN payments p ON p.account_id = a.owner_id AND p.state = 'paid_late'
         WHERE a.kind = 'customer_unapplied' GROUP BY a.id HAVING a.balance_fen <> coalesce(sum(p.amount_fen), 0)""",
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
    """I16: whoever cancelled without a penalty has everything back, and nothing is kept before the work is bound."""
    return await _rows(
        tx,
        """
        SELECT format('order %s is %s and keeps %s', id, status, paid_fen - refunded_fen) FROM orders
         WHERE status IN ('cancelled', 'in_pool', 'has_candidates', 'pending_payment') AND paid_fen <> refunded_fen""",
    )


@always
async def i17_one_winner(tx: Tx) -> list[str]:
    """I17: an order lives on one payment at most, and a call is won by the worker of an order whose price is paid."""
    return await _rows(
        tx,
        """
        SELECT format('order %s keeps money of %s payments', order_id, count(*)) FROM payments
         WHERE state = 'paid' GROUP BY order_id HAVING count(*) > 1
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
async def i24_lines_sum_to_what_is_kept(tx: Tx) -> list[str]:
    """I24: what is left of a settlement's lines is what the order keeps, and so are their reversals."""
    return await _rows(
        tx,
        """
        SELECT format('settlement %s keeps %s, its lines are worth %s', s.id, s.kept_fen, coalesce(sum(l.net_fen), 0))
          FROM settlements s LEFT JOIN settlement_lines l ON l.settlement_id = s.id
         GROUP BY s.id HAVING s.kept_fen <> coalesce(sum(l.net_fen), 0) OR s.kept_fen <> coalesce(sum(l.amount_fen), 0)
        UNION ALL
        SELECT format('settlement %s keeps %s, its order %s', s.id, s.kept_fen, o.paid_fen - o.refunded_fen)
          FROM settlements s JOIN orders o ON o.id = s.order_id WHERE s.kept_fen <> o.paid_fen - o.refunded_fen""",
    )


@always
async def i24_pending_is_what_has_not_matured(tx: Tx) -> list[str]:
    """I24: pending accounts hold exactly the lines that have not matured, frozen ones the open withdrawals."""
    return await _rows(
        tx,
        """
        WITH due AS (
            SELECT party_kind || ':' || party_id || ':pending' AS code, net_fen AS fen FROM settlement_lines WHERE state IN ('accrued', 'payable')
            UNION ALL
            SELECT owner_kind || ':' || owner_id || ':frozen', amount_fen FROM withdrawals WHERE state IN ('review', 'sending', 'sent')
        ), wanted AS (SELECT code, sum(fen) AS fen FROM due GROUP BY code
        ), held AS (SELECT code, balance_fen AS fen FROM ledger_accounts
                     WHERE kind IN ('worker_pending', 'customer_pending', 'worker_frozen', 'customer_frozen'))
        SELECT format('%s holds %s, what waits is %s', code, coalesce(held.fen, 0), coalesce(wanted.fen, 0))
          FROM held FULL JOIN wanted USING (code) WHERE coalesce(held.fen, 0) <> coalesce(wanted.fen, 0)""",
    )


@always
async def i24_whoever_decided_is_on_record(tx: Tx) -> list[str]:
    """I24: staff's steps, adjustments and decided withdrawals name a person; a withdrawal's version counts its events."""
    return await _rows(
        tx,
        """
        SELECT format('order %s: step %s by nobody', order_id, n) FROM order_events WHERE actor = 'staff' OR actor LIKE 'staff:' OR actor = ''
        UNION ALL SELECT format('line %s was adjusted by nobody', id) FROM settlement_lines
                   WHERE cause = 'adjusted' AND (coalesce(by_id, '') = '' OR coalesce(reason, '') = '')
        UNION ALL SELECT format('withdrawal %s is at version %s of %s events', w.id, w.version, count(e.n))
                    FROM withdrawals w LEFT JOIN withdrawal_events e ON e.withdrawal_id = w.id
                   GROUP BY w.id HAVING w.version <> count(e.n)
        UNION ALL SELECT format('withdrawal %s: %s by nobody', withdrawal_id, verb) FROM withdrawal_events WHERE actor IN ('', 'account:')""",
    )
