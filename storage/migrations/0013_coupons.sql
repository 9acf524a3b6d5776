-- What coupons are made from. A percentage has a cap, so that the worth of every coupon has a bound. Empty lists mean
-- any; `line` NULL means every line. Valid in a fixed window, or for so many days after it was issued.
CREATE TABLE coupon_templates (
    id              text        PRIMARY KEY,
    name            jsonb       NOT NULL,
    line            text,
    amount_fen      bigint      CHECK (amount_fen BETWEEN 1 AND 1000000000000),
    percent_bps     int         CHECK (percent_bps BETWEEN 1 AND 10000),
    cap_fen         bigint      CHECK (cap_fen BETWEEN 1 AND 1000000000000),
    threshold_fen   bigint      NOT NULL CHECK (threshold_fen BETWEEN 0 AND 1000000000000),
    item_ids        text[]      NOT NULL,
    worker_ids      text[]      NOT NULL,
    region_codes    text[]      NOT NULL,
    valid_from      timestamptz,
    valid_until     timestamptz,
    valid_days      int         CHECK (valid_days BETWEEN 1 AND 3650),
    quota           int         NOT NULL CHECK (quota >= 1),
    issued          int         NOT NULL DEFAULT 0 CHECK (issued >= 0),
    per_account_max int         NOT NULL CHECK (per_account_max >= 1),
    claimable       boolean     NOT NULL,
    active          boolean     NOT NULL,
    version         int         NOT NULL DEFAULT 1,
    created_by      text        NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    CHECK ((amount_fen IS NULL) <> (percent_bps IS NULL) AND (percent_bps IS NULL) = (cap_fen IS NULL)),
    CHECK ((valid_days IS NULL) = (valid_from IS NOT NULL) AND (valid_from IS NULL) = (valid_until IS NULL)),
    CHECK (valid_until > valid_from),
    CHECK (issued <= quota)
) WITH (fillfactor = 80);
CREATE INDEX coupon_templates_claimable ON coupon_templates (id) WHERE claimable AND active;

-- Coupons given by staff: who gave what to how many, and why. `value_fen` is the most they can take off together.
CREATE TABLE coupon_gifts (
    id          text        PRIMARY KEY,
    template_id text        NOT NULL REFERENCES coupon_templates (id),
    by_id       text        NOT NULL,
    reason      text        NOT NULL,
    case_id     text,
    count       int         NOT NULL CHECK (count >= 1),
    value_fen   bigint      NOT NULL CHECK (value_fen >= 1),
    at          timestamptz NOT NULL
);
CREATE INDEX coupon_gifts_template ON coupon_gifts (template_id, id);
CREATE INDEX coupon_gifts_case ON coupon_gifts (case_id) WHERE case_id IS NOT NULL;

-- A person's coupon. It belongs to an order from the moment it is locked until it is given back; an order has one.
CREATE TABLE coupons (
    id          text        PRIMARY KEY,
    template_id text        NOT NULL REFERENCES coupon_templates (id),
    account_id  text        NOT NULL,
    seq         int         NOT NULL CHECK (seq >= 1),
    state       text        NOT NULL CHECK (state IN ('issued', 'locked', 'used', 'expired')),
    order_id    text,
    source      text        NOT NULL CHECK (source IN ('claim', 'gift')),
    gift_id     text        REFERENCES coupon_gifts (id),
    valid_from  timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    issued_at   timestamptz NOT NULL,
    locked_at   timestamptz,
    used_at     timestamptz,
    version     int         NOT NULL DEFAULT 1,
    UNIQUE (template_id, account_id, seq),
    CHECK (valid_until > valid_from),
    CHECK ((source = 'gift') = (gift_id IS NOT NULL)),
    CHECK ((state IN ('locked', 'used')) = (order_id IS NOT NULL) AND (order_id IS NULL) = (locked_at IS NULL)),
    CHECK ((state = 'used') = (used_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX coupons_one_per_order ON coupons (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX coupons_account ON coupons (account_id, id);

-- What an order's price is made of, written when it is fixed and never changed: a price fixed again is a set under the
-- next epoch. A discount has a row for each item line it takes from (`allocated_to`), so that each line has its net.
CREATE TABLE order_lines (
    order_id     text     NOT NULL REFERENCES orders (id),
    epoch        int      NOT NULL CHECK (epoch >= 1),
    n            smallint NOT NULL CHECK (n >= 1),
    kind         text     NOT NULL CHECK (kind <> ''),
    ref          text     NOT NULL,
    qty          int      NOT NULL CHECK (qty >= 1),
    amount_fen   bigint   NOT NULL CHECK (abs(amount_fen) <= 1000000000000),
    allocated_to smallint,
    PRIMARY KEY (order_id, epoch, n),
    FOREIGN KEY (order_id, epoch, allocated_to) REFERENCES order_lines (order_id, epoch, n),
    CHECK ((kind LIKE 'discount.%') = (allocated_to IS NOT NULL)),
    CHECK ((kind LIKE 'discount.%') = (amount_fen < 0))
);
CREATE FUNCTION order_lines_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'price lines are never changed; a price fixed again is a new set'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER order_lines_final BEFORE UPDATE OR DELETE ON order_lines
    FOR EACH ROW EXECUTE FUNCTION order_lines_are_final();

-- The customer's coupon on this order, and what it takes off (`coupon_fen`).
ALTER TABLE homeservice_orders ADD COLUMN coupon_id text, ADD CHECK (coupon_fen = 0 OR coupon_id IS NOT NULL);
