-- Technicians' vouchers: what a technician takes off an item of his, at his own cost. Terms never change: other terms are
-- another voucher, and the one they replace keeps what it has promised. stock null: without end; taken: held by orders.
CREATE TABLE technician_vouchers (
    id           text        PRIMARY KEY,
    worker_id    text        NOT NULL REFERENCES technicians (worker_id),
    item_id      text        NOT NULL REFERENCES items (id),
    amount_fen   bigint      NOT NULL CHECK (amount_fen > 0),
    min_item_fen bigint      NOT NULL CHECK (min_item_fen >= 0),
    valid_until  timestamptz,
    stock        int         CHECK (stock >= 0),
    taken        int         NOT NULL DEFAULT 0 CHECK (taken >= 0),
    state        text        NOT NULL CHECK (state IN ('on', 'off', 'used_up')),
    replaced_at  timestamptz,
    version      int         NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    CHECK (state <> 'used_up' OR stock = 0),
    CHECK (state <> 'on' OR stock IS NULL OR stock > 0)
);
-- An item of a technician has one voucher at a time.
CREATE UNIQUE INDEX technician_vouchers_current ON technician_vouchers (worker_id, item_id) WHERE replaced_at IS NULL;
CREATE INDEX technician_vouchers_worker ON technician_vouchers (worker_id, id DESC);

-- Which order holds one, since when, and whether it has given it back.
CREATE TABLE voucher_holds (
    voucher_id  text        NOT NULL REFERENCES technician_vouchers (id),
    order_id    text        NOT NULL REFERENCES orders (id),
    amount_fen  bigint      NOT NULL CHECK (amount_fen > 0),
    held_at     timestamptz NOT NULL,
    returned_at timestamptz
);
-- An order has one voucher at a time.
CREATE UNIQUE INDEX voucher_holds_order ON voucher_holds (order_id) WHERE returned_at IS NULL;
CREATE INDEX voucher_holds_voucher ON voucher_holds (voucher_id) WHERE returned_at IS NULL;

ALTER TABLE homeservice_orders
    ADD COLUMN voucher_id        text REFERENCES technician_vouchers (id),
    ADD COLUMN voucher_worker_id text;

-- Lock the worker, then the order behind the call; what a quote must know of him, his voucher for the order's item too.
DROP FUNCTION homeservice_lock_of_call;
CREATE FUNCTION homeservice_lock_of_call(p_call_id text, p_worker_id text)
RETURNS TABLE (order_id text, free_travel_m int, voucher_id text, amount_fen bigint, min_item_fen bigint,
               valid_until timestamptz)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    found_id text;
    wanted_id text;
BEGIN
    SELECT o.id INTO found_id FROM orders o WHERE o.call_id = p_call_id AND o.line = 'homeservice';
    IF found_id IS NULL THEN
        RETURN;
    END IF;
    PERFORM FROM workers w WHERE w.id = p_worker_id FOR NO KEY UPDATE;
    SELECT v.item_id INTO wanted_id FROM orders o JOIN homeservice_orders v ON v.order_id = o.id
     WHERE o.id = found_id FOR NO KEY UPDATE;
    RETURN QUERY
        SELECT found_id, coalesce((SELECT t.free_travel_m FROM technicians t WHERE t.worker_id = p_worker_id), 0),
               b.id, b.amount_fen, b.min_item_fen, b.valid_until
          FROM (SELECT) AS one
          LEFT JOIN technician_vouchers b
            ON b.worker_id = p_worker_id AND b.item_id = wanted_id AND b.state = 'on' AND b.replaced_at IS NULL;
END $$;
