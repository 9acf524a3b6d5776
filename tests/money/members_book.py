"""What is true of memberships at every moment, asked of the database itself, and one sold for those who break it."""

# ruff: noqa: E501 - SQL reads better unbroken

from __future__ import annotations

from typing import Any

from rest.marketing import coupons, membership
from storage.postgres import Database

CHECKS = {
    "HS-188 the price of a purchase that is paid is earned, and nothing is left in its escrow": """
        SELECT a.code FROM ledger_accounts a WHERE a.code LIKE 'order:mem%' AND a.balance_fen <> 0
        UNION ALL SELECT b.id FROM member_purchases b
          LEFT JOIN ledger_transfers t ON t.ref = b.id || ':settled'
          LEFT JOIN ledger_entries e ON e.transfer_id = t.id AND e.amount_fen = b.price_fen
          LEFT JOIN ledger_accounts a ON a.id = e.account_id AND a.code = 'platform:revenue:membership'
         WHERE (b.state IN ('paid', 'done', 'refunded')) <> (a.id IS NOT NULL)""",
    "HS-188 a membership is what its last purchase made of it, and not worth more than was paid": """
        SELECT m.id FROM memberships m
          LEFT JOIN LATERAL (SELECT max(ended_at) AS last_at, sum(price_fen) AS fen, min(starts_at) AS first_at FROM member_purchases p
                              WHERE p.account_id = m.account_id AND p.line = m.line AND p.state IN ('paid', 'done')) AS paid ON true
         WHERE (m.state = 'none') <> (paid.last_at IS NULL) OR m.worth_fen > coalesce(paid.fen, 0) OR m.since < paid.first_at
            OR m.state <> 'none' AND NOT EXISTS (
               SELECT FROM member_purchases p JOIN member_levels l ON l.code = p.level AND l.version = p.level_version
                WHERE p.account_id = m.account_id AND p.line = m.line AND p.ended_at = paid.last_at AND p.ends_at = m.ends_at
                  AND p.level = m.level AND l.version = m.level_version AND l.rank = m.rank AND l.discount_bps = m.discount_bps)""",
    "HS-188 a membership that runs has its deadlines": """
        SELECT id FROM memberships m WHERE (state = 'active') <> EXISTS (SELECT FROM jobs WHERE key = m.id || ':expire')""",
    "HS-188 a purchase that waits has its end, and one that is done its coupons": """
        SELECT b.id FROM member_purchases b JOIN member_levels l ON l.code = b.level AND l.version = b.level_version
         WHERE (b.state = 'created') <> EXISTS (SELECT FROM jobs WHERE key = b.id || ':expire')
            OR (b.state = 'paid') <> EXISTS (SELECT FROM jobs WHERE key = b.id || ':grant')
            OR (SELECT count(*) FROM member_coupons c WHERE c.purchase_id = b.id)
               <> ALL (CASE b.state WHEN 'done' THEN ARRAY[cardinality(l.coupon_templates)]
                                    WHEN 'refunded' THEN ARRAY[0, cardinality(l.coupon_templates)] ELSE ARRAY[0] END)""",
    "RV-269 what was earned by a purchase and given back is its price if it was given back, and nothing else": """
        SELECT b.id FROM member_purchases b
         CROSS JOIN LATERAL (SELECT coalesce(sum(-e.amount_fen), 0) AS fen FROM ledger_transfers t
                               JOIN ledger_entries e ON e.transfer_id = t.id JOIN ledger_accounts a ON a.id = e.account_id
                              WHERE t.ref = b.id || ':taken_back' AND a.code = 'platform:revenue:membership') taken
         CROSS JOIN LATERAL (SELECT coalesce(sum(r.amount_fen), 0) AS fen FROM payment_refunds r WHERE r.given_as = b.id || ':refund') given
         WHERE (taken.fen, given.fen) IS DISTINCT FROM
               CASE b.state WHEN 'refunded' THEN (b.price_fen::numeric, b.price_fen::numeric) ELSE (0::numeric, 0::numeric) END""",
    "RV-269 what was given back has made no order cheaper, and none of its coupons is left": """
        SELECT b.id FROM member_purchases b JOIN memberships m ON m.account_id = b.account_id AND m.line = b.line
          JOIN member_uses u ON u.membership_id = m.id AND u.membership_version = b.membership_version
         WHERE b.state = 'refunded'
        UNION ALL SELECT b.id FROM member_purchases b JOIN member_coupons mc ON mc.purchase_id = b.id JOIN coupons c ON c.id = mc.coupon_id
         WHERE (b.state = 'refunded') <> (c.state = 'revoked')
        UNION ALL SELECT b.id FROM member_purchases b JOIN coupons c ON c.account_id = b.account_id AND c.source = 'claim'
          JOIN coupon_templates t ON t.id = c.template_id AND t.member_line = b.line
         WHERE b.state = 'refunded' AND c.state <> 'revoked' AND c.issued_at > b.ended_at AND c.issued_at < b.refunded_at""",
    "RV-269 an order that a membership has made cheaper has used it": """
        SELECT v.order_id FROM homeservice_orders v
         WHERE v.member_fen > 0 AND NOT EXISTS (SELECT FROM member_uses u WHERE u.order_id = v.order_id)""",
}
"""What is true of memberships: their money, their time, and what comes with them."""


async def publish(db: Database, code: str = "gold", **changes: Any) -> membership.Level:
    """A level of home service: 10 % for a month at 30 yuan, unless something else is said."""
    given = {
        "line": "homeservice", "name": {"zh-CN": "金卡", "en": "Gold"}, "rank": {"gold": 2, "black": 3}.get(code, 1),
        "price_fen": 3_000, "months": 1, "discount_bps": 1_000, "coupon_templates": (), "on_sale": True, "by_id": "acc_opal",
    }  # fmt: skip
    return await db.run(membership.publish_level, code, **(given | changes))


async def sell_membership(db: Database, account_id: str) -> str:
    """With a coupon; paid from the wallet. The purchase's id."""
    template = await db.run(
        coupons.create_template, name={"en": "Coupon"}, terms=coupons.Terms(amount_fen=500, valid_days=9), quota=9,
        per_account_max=9, claimable=False, by_id="acc_opal",
    )  # fmt: skip
    level = await publish(db, coupon_templates=(template.id,))
    return (await db.run(membership.buy, account_id, level.code, shown=level.version, method="wallet")).id
