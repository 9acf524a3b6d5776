-- Coupons that only members may take, and memberships that are given back.

-- Whose live members may take one themselves: of this line, of one of these levels; no levels mean any.
ALTER TABLE coupon_templates
    ADD COLUMN member_line text,
    ADD COLUMN member_levels text[] NOT NULL DEFAULT '{}',
    ADD CONSTRAINT coupon_templates_members CHECK (member_line IS NOT NULL OR member_levels = '{}');

-- former: the run of time there was before it was paid, if any; membership_version: what the membership became by it. Both
-- are unknown of what was paid before they were kept, and that cannot be given back.
ALTER TABLE member_purchases
    ADD COLUMN former jsonb,
    ADD COLUMN membership_version int,
    ADD COLUMN refunded_at timestamptz,
    DROP CONSTRAINT member_purchases_state_check,
    DROP CONSTRAINT member_purchases_check,
    ADD CONSTRAINT member_purchases_state_check CHECK (state IN ('created', 'paid', 'done', 'closed', 'refunded')),
    ADD CONSTRAINT member_purchases_paid CHECK ((state IN ('paid', 'done', 'refunded')) = (starts_at IS NOT NULL)),
    ADD CONSTRAINT member_purchases_former CHECK (membership_version IS NOT NULL OR former IS NULL),
    ADD CONSTRAINT member_purchases_refunded CHECK ((state = 'refunded') = (refunded_at IS NOT NULL));

-- Orders that a membership has made cheaper, and the version it had when one last did: what was bought up to that version
-- has been used, and is not given back.
CREATE TABLE member_uses (
    membership_id      text        NOT NULL REFERENCES memberships (id),
    order_id           text        NOT NULL,
    membership_version int         NOT NULL,
    at                 timestamptz NOT NULL,
    PRIMARY KEY (membership_id, order_id)
) WITH (fillfactor = 80);
CREATE INDEX member_uses_version ON member_uses (membership_id, membership_version);

-- The order is cheaper by this level, which runs until p_ends_at. The membership stays as it is until the commit; who has
-- been told of another one begins again.
CREATE FUNCTION member_use(
    p_account_id text, p_line text, p_order_id text, p_level text, p_ends_at timestamptz, p_at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO member_uses (membership_id, order_id, membership_version, at)
    SELECT id, p_order_id, version, p_at FROM memberships
     WHERE account_id = p_account_id AND line = p_line AND state = 'active' AND level = p_level AND ends_at = p_ends_at
       FOR SHARE
    ON CONFLICT (membership_id, order_id) DO UPDATE
       SET membership_version = EXCLUDED.membership_version, at = EXCLUDED.at;
    IF NOT FOUND THEN
        RAISE 'the membership is another by now' USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

-- As before, and a membership that makes the order cheaper is used, first of all.
CREATE OR REPLACE FUNCTION homeservice_place(
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
    IF p_member_fen > 0 THEN
        PERFORM member_use(p_customer_id, 'homeservice', p_id, p_member_level, p_member_until, p_at);
    END IF;
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
