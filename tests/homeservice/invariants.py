"""What is true of home-service orders at every moment, asked of the database itself; of all money, by the kernel's."""

# ruff: noqa: E501 - SQL reads better unbroken

from __future__ import annotations

from rest.lines.homeservice.casework.outcomes import PERMITTED
from rest.lines.homeservice.casework.types import CASE_TYPES
from storage.postgres import Database
from tests.money import invariants as money

CHECKS = {
    "I1 the call stands where its order stands": """
        SELECT o.id FROM orders o JOIN calls c ON c.id = o.call_id
         WHERE NOT (CASE o.status
                WHEN 'in_pool' THEN c.status = 'open' WHEN 'has_candidates' THEN c.status = 'open'
                WHEN 'pending_payment' THEN c.status = 'locked'
                WHEN 'cancel_requested' THEN c.status IN ('paused', 'locked', 'won')
                WHEN 'cancelled' THEN c.status = 'cancelled' WHEN 'terminated' THEN c.status = 'cancelled'
                WHEN 'completed' THEN c.status = 'done' WHEN 'closed_penalty' THEN c.status = 'done'
                ELSE c.status = 'won' END)""",
    "I1 the order's technician is the one its call has": """
        SELECT o.id FROM orders o JOIN calls c ON c.id = o.call_id
         WHERE c.status IN ('locked', 'won', 'done') AND o.provider_id IS DISTINCT FROM c.worker_id
            OR c.status IN ('open', 'paused') AND o.provider_id IS NOT NULL""",
    "I5 candidates are there exactly when the order says so (facts of lost ones may be under way)": """
        SELECT o.id FROM orders o
         WHERE o.status = 'in_pool' AND EXISTS (SELECT FROM grabs g WHERE g.call_id = o.call_id AND g.state = 'offered')""",
    "I10 every waiting order has the timers its state wants": """
        SELECT o.id FROM orders o JOIN homeservice_orders v ON v.order_id = o.id
         WHERE (o.status = 'in_pool' AND NOT EXISTS (SELECT FROM jobs WHERE key = o.id || ':no_grab'))
            OR (o.status = 'pending_payment' AND NOT EXISTS (SELECT FROM jobs WHERE key = o.id || ':lock'))
            OR (o.status = 'has_candidates' AND v.choice_due_at IS NOT NULL AND NOT EXISTS (SELECT FROM jobs WHERE key = o.id || ':choice'))
            OR (o.status = 'paid' AND v.answer_due_at IS NOT NULL AND NOT EXISTS (SELECT FROM jobs WHERE key = o.id || ':answer'))
            OR (o.status = 'arrived' AND v.wait_due_at IS NOT NULL AND NOT EXISTS (SELECT FROM jobs WHERE key = o.id || ':wait'))
            OR (o.status = 'in_service' AND NOT EXISTS (SELECT FROM jobs WHERE key = o.id || ':service_end'))""",
    "I10 no job is parked": "SELECT key FROM jobs WHERE parked_at IS NOT NULL",
    "I11 no timer runs for an order that is closed": """
        SELECT o.id FROM orders o JOIN jobs j ON j.key LIKE o.id || ':%' WHERE o.closed_at IS NOT NULL""",
    "HS-153 an order that ended with money has one settlement of all it keeps, and no other order has one": """
        SELECT o.id FROM orders o LEFT JOIN settlements s ON s.order_id = o.id
         WHERE (o.status IN ('completed', 'closed_penalty')) <> (s.id IS NOT NULL) OR s.kept_fen <> o.paid_fen - o.refunded_fen""",
    "HS-162 what has not matured has its deadline": """
        SELECT s.id FROM settlements s JOIN settlement_lines l ON l.settlement_id = s.id AND l.state = 'accrued'
         WHERE NOT EXISTS (SELECT FROM jobs WHERE key = 'settlement:' || s.id || ':mature')""",
    "I16 what was charged is what was shown": """
        SELECT o.id FROM orders o JOIN homeservice_orders v ON v.order_id = o.id
         WHERE o.status IN ('pending_payment', 'paid', 'accepted', 'rejected', 'departed', 'arrived', 'in_service', 'service_ended', 'leave_confirmed', 'completed')
           AND (o.total_fen <> v.item_fen + v.travel_fen - v.member_fen - v.coupon_fen - v.voucher_fen
                OR (o.status <> 'pending_payment' AND o.paid_fen - o.refunded_fen <> o.total_fen - coalesce(
                    (SELECT sum((e.data->>'amount_fen')::bigint) FROM order_events e WHERE e.order_id = o.id AND e.verb = 'refund'), 0)))""",
    "HS-129 an order that broke off keeps its penalty, less what was given back since": """
        SELECT o.id FROM orders o
         WHERE o.status = 'closed_penalty' AND o.paid_fen - o.refunded_fen <>
               CASE WHEN EXISTS (SELECT FROM order_events e WHERE e.order_id = o.id AND e.verb = 'reverse_penalty') THEN 0
                    ELSE coalesce((SELECT p.item_fen + p.travel_fen FROM penalties p WHERE p.order_id = o.id AND p.payer_kind = 'customer'), 0)
                         - coalesce((SELECT sum((e.data->>'amount_fen')::bigint) FROM order_events e WHERE e.order_id = o.id AND e.verb = 'refund'), 0) END""",
    "HS-129 travel first: nothing is kept of the items before all of the travel is": """
        SELECT p.id FROM penalties p JOIN homeservice_orders v ON v.order_id = p.order_id
         WHERE p.payer_kind = 'customer' AND p.item_fen > 0 AND p.travel_fen <> v.travel_fen""",
    "HS-128 nobody waits but at the door": """
        SELECT o.id FROM orders o JOIN homeservice_orders v ON v.order_id = o.id WHERE o.status <> 'arrived' AND v.wait_started_at IS NOT NULL""",
    "I13 the price agreed is the grab's quote, or that without a voucher that was used up and a membership that is over": """
        SELECT o.id FROM orders o JOIN homeservice_orders v ON v.order_id = o.id JOIN grabs g ON g.id = v.grab_id
         WHERE o.status = 'pending_payment' AND (v.voucher_fen NOT IN (0, (g.quote::json->>'voucher_fen')::bigint)
            OR v.member_fen NOT IN (0, coalesce((g.quote::json->>'member_fen')::bigint, 0))
            OR o.total_fen <> (g.quote::json->>'total_fen')::bigint + (g.quote::json->>'voucher_fen')::bigint - v.voucher_fen
                              + coalesce((g.quote::json->>'member_fen')::bigint, 0) - v.member_fen)""",
    "HS-188 a member's discount is what a level of the line gives, on the price and in its settlement": """
        SELECT o.id FROM orders o JOIN homeservice_orders v ON v.order_id = o.id
         WHERE v.member_fen > 0 AND NOT EXISTS (
               SELECT FROM member_levels l WHERE l.code = v.member_level AND l.line = 'homeservice'
                  AND v.member_fen = (2 * v.item_fen * l.discount_bps + 10000) / 20000)
        UNION ALL SELECT o.id FROM orders o JOIN homeservice_orders v ON v.order_id = o.id
         WHERE o.provider_id IS NOT NULL AND o.status NOT IN ('in_pool', 'has_candidates') AND v.member_fen <> coalesce(
               (SELECT -sum(l.amount_fen) FROM order_lines l
                 WHERE l.order_id = o.id AND l.epoch = v.lock_epoch AND l.kind = 'discount.member'), 0)
        UNION ALL SELECT o.id FROM orders o JOIN homeservice_orders v ON v.order_id = o.id JOIN settlements s ON s.order_id = o.id
         WHERE o.status = 'completed' AND coalesce((s.basis::json->>'member')::bigint, 0) <> v.member_fen""",
    "I5 the lines of the price sum to it, and each time it was fixed has its own set": """
        SELECT o.id FROM orders o JOIN homeservice_orders v ON v.order_id = o.id
         WHERE v.lock_epoch <> (SELECT count(DISTINCT epoch) FROM order_lines l WHERE l.order_id = o.id)
            OR (o.provider_id IS NOT NULL AND o.status NOT IN ('in_pool', 'has_candidates')
                AND o.total_fen IS DISTINCT FROM
                    (SELECT sum(amount_fen) FROM order_lines l WHERE l.order_id = o.id AND l.epoch = v.lock_epoch))""",
    "I5 no item line is discounted below nothing": """
        SELECT i.order_id FROM order_lines i JOIN order_lines d ON d.order_id = i.order_id AND d.epoch = i.epoch AND d.allocated_to = i.n
         GROUP BY i.order_id, i.epoch, i.n, i.amount_fen, i.kind
        HAVING i.amount_fen + sum(d.amount_fen) < 0 OR i.kind <> 'item'""",
    "I8 an order's coupon stands where the order stands": """
        SELECT o.id FROM orders o JOIN homeservice_orders v ON v.order_id = o.id
          LEFT JOIN coupons c ON c.id = v.coupon_id AND c.order_id = o.id
         WHERE v.coupon_id IS NOT NULL AND c.state IS DISTINCT FROM
               CASE WHEN o.status IN ('cancelled', 'terminated') OR (o.status IN ('completed', 'closed_penalty') AND o.paid_fen > 0 AND o.paid_fen = o.refunded_fen) THEN NULL
                    WHEN EXISTS (SELECT FROM order_events e WHERE e.order_id = o.id AND e.verb IN ('pay', 'pay_late')) THEN 'used'
                    ELSE 'locked' END""",
    "I8 a coupon is on one live order, and held by no other": """
        SELECT v.coupon_id FROM homeservice_orders v JOIN orders o ON o.id = v.order_id
         WHERE v.coupon_id IS NOT NULL AND o.status NOT IN ('cancelled', 'terminated')
           AND NOT (o.status IN ('completed', 'closed_penalty') AND o.paid_fen > 0 AND o.paid_fen = o.refunded_fen) GROUP BY v.coupon_id HAVING count(*) > 1
        UNION ALL SELECT c.id FROM coupons c LEFT JOIN homeservice_orders v ON v.order_id = c.order_id
         WHERE c.order_id IS NOT NULL AND v.coupon_id IS DISTINCT FROM c.id""",
    "HS-187 an order holds its technician's voucher exactly while it is priced with it": """
        SELECT o.id FROM orders o JOIN homeservice_orders v ON v.order_id = o.id
          LEFT JOIN voucher_holds h ON h.order_id = o.id AND h.returned_at IS NULL
         WHERE (h.voucher_id IS NOT NULL) <> (v.voucher_id IS NOT NULL AND o.status NOT IN ('in_pool', 'has_candidates', 'cancelled', 'terminated')
                AND (o.status <> 'cancel_requested' OR o.provider_id IS NOT NULL)
                AND NOT (o.status IN ('completed', 'closed_penalty') AND o.paid_fen > 0 AND o.paid_fen = o.refunded_fen))
            OR h.voucher_id IS NOT NULL AND (h.voucher_id <> v.voucher_id OR h.amount_fen <> v.voucher_fen)""",
    "HS-187 what is taken of a voucher is what orders hold, and never more than his share": """
        SELECT b.id FROM technician_vouchers b
         WHERE b.taken <> (SELECT count(*) FROM voucher_holds h WHERE h.voucher_id = b.id AND h.returned_at IS NULL)
        UNION ALL SELECT o.id FROM orders o JOIN homeservice_orders v ON v.order_id = o.id
         WHERE v.voucher_fen * 10000 > v.item_fen * (o.snapshot->>'technician_rate_bps')::bigint + 5000""",
    "HS-190 a case is open only where its question stands": f"""
        SELECT c.id FROM cases c JOIN orders o ON o.id = c.subject_id
          LEFT JOIN (VALUES {", ".join(f"('{kind}', '{status}')" for kind, known in CASE_TYPES.items() for status in sorted(known.live))}) AS live (type, status)
                 ON live.type = c.type AND live.status = o.status
         WHERE c.state <> 'closed' AND live.type IS NULL""",
    "HS-192 a closed case has an outcome that its type permits, and by whom; what nobody decided has moved on by itself": f"""
        SELECT c.id FROM cases c
          LEFT JOIN (VALUES {", ".join(f"('{kind}', '{code}')" for kind, codes in PERMITTED.items() for code in codes)}) AS may (type, outcome)
                 ON may.type = c.type AND may.outcome = c.outcome
         WHERE c.state = 'closed' AND (
               (c.closed_by IS NOT NULL AND (may.type IS NULL OR c.note IS NULL))
            OR (c.closed_by IS NULL AND c.outcome NOT IN ('self_resolved', 'customer_found', 'technician_leaves')))""",
    "HS-192 a case that support has closed was decided in a step of its order, of that instant and that person": """
        SELECT c.id FROM cases c
         WHERE c.state = 'closed' AND c.closed_by IS NOT NULL AND NOT EXISTS (
               SELECT FROM order_events e WHERE e.order_id = c.subject_id AND e.at = c.closed_at AND e.actor = 'staff:' || c.closed_by)""",
    "HS-192 a case named by a step of its order is closed by it": """
        SELECT e.order_id FROM order_events e JOIN cases c ON c.id = e.data->>'case_id'
         WHERE c.subject_id <> e.order_id OR c.closed_at IS DISTINCT FROM e.at""",
    "HS-191 the history of a case has no hole and ends where the case is": """
        SELECT c.id FROM cases c LEFT JOIN (SELECT case_id, count(*) AS rows, max(n) AS last, min(n) AS first FROM case_events GROUP BY case_id) h ON h.case_id = c.id
         WHERE h.rows IS DISTINCT FROM c.version OR h.last <> c.version OR h.first <> 1""",
    "HS-195 every case nobody is on has its deadline, and no other has": """
        SELECT c.id FROM cases c LEFT JOIN jobs j ON j.key = 'case:' || c.id || ':untouched'
         WHERE (c.state = 'open' AND c.stage <> 'lead') <> (j.key IS NOT NULL)""",
    "HS-208 who is under way is listened for, and nobody else": """
        SELECT o.id FROM orders o JOIN homeservice_orders v ON v.order_id = o.id LEFT JOIN jobs j ON j.key = o.id || ':silence'
         WHERE (o.status = 'departed') <> (j.key IS NOT NULL)""",
    "HS-068 an unpaid order keeps money only of the time before it was turned into a pool order": """
        SELECT o.id FROM orders o
         WHERE o.status IN ('in_pool', 'has_candidates', 'pending_payment') AND o.paid_fen > o.refunded_fen
           AND NOT EXISTS (SELECT FROM order_events e WHERE e.order_id = o.id AND e.verb = 'convert_to_pool')""",
    "I10 every coupon that waits has its deadline": """
        SELECT id FROM coupons c WHERE state = 'issued' AND NOT EXISTS (SELECT FROM jobs WHERE key = c.id || ':expire')""",
}


async def violations(db: Database) -> list[str]:
    """The invariants that do not hold now, with the first offender."""
    found = []
    async with db.begin() as tx:
        for name, sql in CHECKS.items():
            rows = await tx.fetch(sql)
            if rows:
                found.append(f"{name}: {rows[0][0]} (+{len(rows) - 1})")
        return found + await money.faults(tx)
