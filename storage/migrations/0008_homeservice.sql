-- What can be ordered. Names and details by language tag: {"zh-CN": …, "en": …}.
CREATE TABLE items (
    id         text        PRIMARY KEY,
    name       jsonb       NOT NULL,
    detail     jsonb       NOT NULL DEFAULT '{}',
    minutes    int         NOT NULL CHECK (minutes BETWEEN 1 AND 1440),
    state      text        NOT NULL DEFAULT 'on' CHECK (state IN ('on', 'off')),
    created_at timestamptz NOT NULL
);

-- A region's terms. Travel: base fee for the first metres, then per started kilometre (HS-046).
CREATE TABLE region_settings (
    region_code         text   PRIMARY KEY CHECK (region_code ~ '^[A-Za-z0-9_-]{1,32}$'),
    open                bool   NOT NULL DEFAULT true,
    travel_base_m       int    NOT NULL CHECK (travel_base_m >= 0),
    travel_base_fen     bigint NOT NULL CHECK (travel_base_fen >= 0),
    travel_per_km_fen   bigint NOT NULL CHECK (travel_per_km_fen >= 0),
    technician_rate_bps int    NOT NULL CHECK (technician_rate_bps BETWEEN 0 AND 10000)
);

CREATE TABLE region_items (
    region_code text   NOT NULL REFERENCES region_settings (region_code),
    item_id     text   NOT NULL REFERENCES items (id),
    price_fen   bigint NOT NULL CHECK (price_fen BETWEEN 1 AND 1000000000000),
    enabled     bool   NOT NULL DEFAULT true,
    PRIMARY KEY (region_code, item_id)
);

-- The technician side of an account; what dispatch must know (items, radius, hours) is on the worker.
CREATE TABLE technicians (
    worker_id     text        PRIMARY KEY,
    account_id    text        NOT NULL UNIQUE,
    real_name     text        NOT NULL,
    city          text        NOT NULL,
    status        text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    free_travel_m int         NOT NULL DEFAULT 0 CHECK (free_travel_m BETWEEN 0 AND 100000),
    auto_accept   bool        NOT NULL DEFAULT false,
    orders_done   int         NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL
);

-- What only a home-service order has; one row per order, always locked together with it.
CREATE TABLE homeservice_orders (
    order_id          text             PRIMARY KEY REFERENCES orders (id),
    item_id           text             NOT NULL REFERENCES items (id),
    qty               int              NOT NULL CHECK (qty >= 1),
    region_code       text             NOT NULL,
    contact           text             NOT NULL,
    phone             text             NOT NULL,
    detail            text             NOT NULL,
    lon               double precision NOT NULL,
    lat               double precision NOT NULL,
    start_at          timestamptz      NOT NULL,
    minutes           int              NOT NULL CHECK (minutes >= 1),
    item_fen          bigint           NOT NULL CHECK (item_fen >= 0),
    travel_fen        bigint           CHECK (travel_fen >= 0),
    coupon_fen        bigint           NOT NULL DEFAULT 0 CHECK (coupon_fen >= 0),
    voucher_fen       bigint           NOT NULL DEFAULT 0 CHECK (voucher_fen >= 0),
    grab_id           text,
    worker_id         text,
    lock_epoch        int              NOT NULL DEFAULT 0,
    unbinds           int              NOT NULL DEFAULT 0,
    push_round        int              NOT NULL DEFAULT 1,
    no_grab_stage     int              NOT NULL DEFAULT 0,
    pool_entered_at   timestamptz      NOT NULL,
    grab_first_at     timestamptz,
    lock_expires_at   timestamptz,
    no_grab_due_at    timestamptz,
    choice_due_at     timestamptz,
    pool_close_due_at timestamptz,
    answer_due_at     timestamptz,
    departure_due_at  timestamptz,
    departed_at       timestamptz,
    arrived_at        timestamptz,
    started_at        timestamptz,
    ends_at           timestamptz,
    ended_at          timestamptz,
    leave_due_at      timestamptz
) WITH (fillfactor = 80);

-- The one-time code that starts a service; a new one replaces it. Hashed: the code is the customer's proof.
CREATE TABLE service_codes (
    order_id   text        PRIMARY KEY REFERENCES orders (id),
    code_hash  bytea       NOT NULL,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    tries      int         NOT NULL DEFAULT 0
);

-- Links by which others may watch one order. 128 random bits, kept only as a hash.
CREATE TABLE order_shares (
    id         text        PRIMARY KEY,
    order_id   text        NOT NULL REFERENCES orders (id),
    token_hash bytea       NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX order_shares_order ON order_shares (order_id) WHERE revoked_at IS NULL;

-- Posting is one call: the order, its first event and the visit.
CREATE FUNCTION homeservice_place(
    p_id text, p_no text, p_customer_id text, p_call_id text, p_snapshot jsonb, p_at timestamptz,
    p_item_id text, p_qty int, p_region_code text, p_contact text, p_phone text, p_detail text,
    p_lon double precision, p_lat double precision, p_start_at timestamptz, p_minutes int, p_item_fen bigint,
    p_no_grab_due_at timestamptz, p_pool_close_due_at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM order_place(p_id, p_no, 'homeservice', 'service', 'grab', NULL, p_customer_id, p_call_id, 'in_pool', 0,
                        p_snapshot, p_at, 'customer:' || p_customer_id, 'post');
    INSERT INTO homeservice_orders (order_id, item_id, qty, region_code, contact, phone, detail, lon, lat, start_at,
                                    minutes, item_fen, pool_entered_at, no_grab_due_at, pool_close_due_at)
    VALUES (p_id, p_item_id, p_qty, p_region_code, p_contact, p_phone, p_detail, p_lon, p_lat, p_start_at,
            p_minutes, p_item_fen, p_at, p_no_grab_due_at, p_pool_close_due_at);
END $$;
