-- A bought coupon may be given back within a day: it is revoked, and counts no more as issued.
ALTER TABLE coupons DROP CONSTRAINT coupons_state_check;
ALTER TABLE coupons ADD CONSTRAINT coupons_state_check
    CHECK (state IN ('issued', 'locked', 'used', 'expired', 'revoked'));

-- coupon_id: what was given for it. refunded_at: when its buyer had it taken back.
ALTER TABLE points_purchases ADD COLUMN coupon_id text REFERENCES coupons (id);
ALTER TABLE points_purchases ADD COLUMN refunded_at timestamptz;
ALTER TABLE points_purchases DROP CONSTRAINT points_purchases_state_check;
ALTER TABLE points_purchases ADD CONSTRAINT points_purchases_state_check
    CHECK (state IN ('created', 'done', 'delivered', 'closed', 'refunded'));
ALTER TABLE points_purchases ADD CONSTRAINT points_purchases_refunded
    CHECK ((state = 'refunded') = (refunded_at IS NOT NULL) AND (refunded_at IS NULL OR coupon_template IS NOT NULL));
-- Coupons given before this was written down name their purchase as the reason of their gift.
UPDATE points_purchases p SET coupon_id = c.id
  FROM coupon_gifts g JOIN coupons c ON c.gift_id = g.id
 WHERE g.template_id = p.coupon_template AND g.reason = p.id;
-- A coupon was given for one purchase.
CREATE UNIQUE INDEX points_purchases_coupon ON points_purchases (coupon_id) WHERE coupon_id IS NOT NULL;
-- What a buyer has or waits for, of one product.
DROP INDEX points_purchases_product;
CREATE INDEX points_purchases_product ON points_purchases (product_id, account_id)
    WHERE state NOT IN ('closed', 'refunded');

-- What it costs elsewhere, shown beside its price (RV-322); what is sold for cash alone costs no points (RV-306).
ALTER TABLE points_products ADD COLUMN list_fen bigint CHECK (list_fen BETWEEN 1 AND 1000000000000);
ALTER TABLE points_products DROP CONSTRAINT points_products_points_check;
ALTER TABLE points_products ADD CONSTRAINT points_products_points_check CHECK (points BETWEEN 0 AND 1000000000);
ALTER TABLE points_products ADD CONSTRAINT points_products_price CHECK (points > 0 OR cash_fen > 0);
ALTER TABLE points_purchases ADD COLUMN list_fen bigint CHECK (list_fen BETWEEN 1 AND 1000000000000);
ALTER TABLE points_purchases DROP CONSTRAINT points_purchases_points_check;
ALTER TABLE points_purchases ADD CONSTRAINT points_purchases_points_check CHECK (points >= 0);
