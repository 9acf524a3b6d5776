-- Membership: levels as versions that never change, who is a member until when, and what was bought. One programme a line.
CREATE TABLE member_levels (
    code             text        NOT NULL,
    version          int         NOT NULL CHECK (version >= 1),
    line             text        NOT NULL,
    name             jsonb       NOT NULL,
    rank             int         NOT NULL CHECK (rank BETWEEN 1 AND 100),
    price_fen        bigint      NOT NULL CHECK (price_fen BETWEEN 1 AND 1000000000),
    months           int         NOT NULL CHECK (months BETWEEN 1 AND 36),
    discount_bps     int         NOT NULL CHECK (discount_bps BETWEEN 0 AND 9000),
    coupon_templates text[]      NOT NULL,
    on_sale          boolean     NOT NULL,
    changed_by       text        NOT NULL,
    created_at       timestamptz NOT NULL,
    PRIMARY KEY (code, version)
);
CREATE TRIGGER member_levels_stay BEFORE UPDATE OR DELETE ON member_levels
    FOR EACH ROW EXECUTE FUNCTION settlement_refuse_change();

-- One row for each person and line, from the first purchase on: its lock orders all that happens to a membership.
-- ends_at is `months` calendar months after anchor_at. worth_fen is what of the money paid was not used up at worth_at; it
-- wears off evenly until ends_at.
CREATE TABLE memberships (
    id            text        PRIMARY KEY,
    account_id    text        NOT NULL,
    line          text        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('none', 'active', 'expired')),
    level         text,
    level_version int,
    rank          int,
    discount_bps  int,
    since         timestamptz,
    anchor_at     timestamptz,
    months        int,
    ends_at       timestamptz,
    worth_fen     bigint      NOT NULL DEFAULT 0 CHECK (worth_fen >= 0),
    worth_at      timestamptz,
    version       int         NOT NULL DEFAULT 1,
    updated_at    timestamptz NOT NULL,
    UNIQUE (account_id, line),
    FOREIGN KEY (level, level_version) REFERENCES member_levels (code, version),
    CHECK ((state = 'none') = (level IS NULL)),
    CHECK (num_nulls(level, level_version, rank, discount_bps, since, anchor_at, months, ends_at, worth_at) IN (0, 9)),
    CHECK (since < ends_at AND worth_at < ends_at)
) WITH (fillfactor = 80);
CREATE INDEX memberships_line ON memberships (line, id);

-- One level bought once. starts_at and ends_at: the time it gave; carried_fen: what the level before was still worth.
CREATE TABLE member_purchases (
    id            text        PRIMARY KEY,
    account_id    text        NOT NULL,
    line          text        NOT NULL,
    level         text        NOT NULL,
    level_version int         NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('buy', 'renew', 'upgrade')),
    price_fen     bigint      NOT NULL CHECK (price_fen >= 1),
    method        text        NOT NULL CHECK (method IN ('wallet', 'wechat', 'alipay')),
    state         text        NOT NULL CHECK (state IN ('created', 'paid', 'done', 'closed')),
    reason        text,
    carried_fen   bigint      NOT NULL DEFAULT 0 CHECK (carried_fen >= 0),
    starts_at     timestamptz,
    ends_at       timestamptz,
    version       int         NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    FOREIGN KEY (level, level_version) REFERENCES member_levels (code, version),
    CHECK ((state IN ('paid', 'done')) = (starts_at IS NOT NULL)),
    CHECK ((starts_at IS NULL) = (ends_at IS NULL)),
    CHECK ((state = 'closed') = (reason IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX member_purchases_account ON member_purchases (account_id, id);
-- Somebody waits for the money of one purchase at a time.
CREATE UNIQUE INDEX member_purchases_open ON member_purchases (account_id, line) WHERE state = 'created';

-- What came of each coupon that a level gives with a purchase: the coupon, or the code of the reason why there is none.
CREATE TABLE member_coupons (
    purchase_id text        NOT NULL REFERENCES member_purchases (id),
    n           int         NOT NULL CHECK (n >= 1),
    template_id text        NOT NULL REFERENCES coupon_templates (id),
    coupon_id   text        UNIQUE REFERENCES coupons (id),
    skipped     text,
    at          timestamptz NOT NULL,
    PRIMARY KEY (purchase_id, n),
    CHECK ((coupon_id IS NULL) <> (skipped IS NULL))
);

-- The member's discount on an order: how much, by which level, and until when the membership ran as the order was posted.
ALTER TABLE homeservice_orders
    ADD COLUMN member_fen   bigint NOT NULL DEFAULT 0 CHECK (member_fen >= 0),
    ADD COLUMN member_level text,
    ADD COLUMN member_until timestamptz,
    ADD CHECK ((member_fen = 0) = (member_until IS NULL) AND (member_fen = 0) = (member_level IS NULL));

-- The call, the order with its first event, and the visit, in one call. From p_call_id on: what call_open takes; the
-- member's discount comes last, so that code which knows of none still fits.
DROP FUNCTION homeservice_place;
CREATE FUNCTION homeservice_place(
    p_id text, p_no text, p_customer_id text, p_snapshot jsonb, p_at timestamptz,
    p_item_id text, p_qty int, p_region_code text, p_contact text, p_phone text, p_detail text,
    p_lon double precision, p_lat double precision, p_start_at timestamptz, p_minutes int, p_item_fen bigint,
    p_no_grab_due_at timestamptz, p_pool_close_due_at timestamptz,
    p_call_id text, p_subject_kind text, p_subject_id text, p_mode text, p_service text, p_area_code text,
    p_call_lon double precision, p_call_lat double precision, p_call_start_at timestamptz, p_busy_until timestamptz,
    p_plan text, p_call_detail text, p_audience text[], p_owner_account_id text, p_excluded text[],
    p_named_worker_id text, p_call_at timestamptz,
    p_member_fen bigint DEFAULT 0, p_member_level text DEFAULT NULL, p_member_until timestamptz DEFAULT NULL
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM call_open(p_call_id, p_subject_kind, p_subject_id, p_mode, p_service, p_area_code, p_call_lon, p_call_lat,
                      p_call_start_at, p_busy_until, p_plan, p_call_detail, p_audience, p_owner_account_id, p_excluded,
                      p_named_worker_id, p_call_at);
    PERFORM order_place(p_id, p_no, 'homeservice', 'service', 'grab', NULL, p_customer_id, p_call_id, 'in_pool', 0,
                        p_snapshot, p_at, 'customer:' || p_customer_id, 'post');
    INSERT INTO homeservice_orders (order_id, item_id, qty, region_code, contact, phone, detail, lon, lat, start_at,
                                    minutes, item_fen, pool_entered_at, no_grab_due_at, pool_close_due_at,
                                    member_fen, member_level, member_until)
    VALUES (p_id, p_item_id, p_qty, p_region_code, p_contact, p_phone, p_detail, p_lon, p_lat, p_start_at,
            p_minutes, p_item_fen, p_at, p_no_grab_due_at, p_pool_close_due_at,
            p_member_fen, p_member_level, p_member_until);
END $$;
