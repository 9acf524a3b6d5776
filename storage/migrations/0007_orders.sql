-- Every order of every line. What only one line has lives in that line's own table, one row per order.
CREATE TABLE orders (
    id                   text        PRIMARY KEY,
    no                   text        NOT NULL UNIQUE,
    line                 text        NOT NULL CHECK (line <> ''),
    kind                 text        NOT NULL CHECK (kind <> ''),
    mode                 text        NOT NULL CHECK (mode <> ''),
    parent_id            text        REFERENCES orders (id),
    customer_id          text        NOT NULL,
    provider_id          text,
    call_id              text,
    status               text        NOT NULL CHECK (status <> ''),
    status_before_cancel text,
    version              int         NOT NULL CHECK (version >= 1),
    total_fen            bigint      NOT NULL CHECK (total_fen >= 0),
    paid_fen             bigint      NOT NULL DEFAULT 0,
    refunded_fen         bigint      NOT NULL DEFAULT 0,
    refund_reserved_fen  bigint      NOT NULL DEFAULT 0,
    snapshot             jsonb       NOT NULL,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    closed_at            timestamptz,
    -- What goes back, with what is promised to go back, never exceeds what came in.
    CHECK (paid_fen >= 0 AND refunded_fen >= 0 AND refund_reserved_fen >= 0
           AND refunded_fen + refund_reserved_fen <= paid_fen)
) WITH (fillfactor = 80);
-- Ids are time-ordered, so these serve "my orders, newest first" by keyset.
CREATE INDEX orders_customer ON orders (customer_id, id DESC);
CREATE INDEX orders_provider ON orders (provider_id, id DESC) WHERE provider_id IS NOT NULL;
CREATE INDEX orders_call ON orders (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX orders_open ON orders (line, status, id) WHERE closed_at IS NULL;

-- The timeline: who did what, when, from which state to which, and why. n counts from 1 without gaps.
CREATE TABLE order_events (
    order_id    text        NOT NULL REFERENCES orders (id),
    n           int         NOT NULL CHECK (n >= 1),
    at          timestamptz NOT NULL,
    actor       text        NOT NULL,
    verb        text        NOT NULL,
    from_status text,
    to_status   text        NOT NULL,
    data        jsonb,
    PRIMARY KEY (order_id, n)
);

CREATE FUNCTION order_events_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'order events are never changed' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER order_events_final BEFORE UPDATE OR DELETE ON order_events
    FOR EACH ROW EXECUTE FUNCTION order_events_are_final();

-- Who an order belongs to and who is bound to it, held still: whoever may change the worker takes this gate first, so
-- that the worker read here is the one to lock before the order. The second look sees what the one before us committed.
-- No row for an order that does not exist or is not p_owner's; then nothing is locked.
CREATE FUNCTION order_gate(p_id text, p_owner text) RETURNS TABLE (provider_id text) LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM orders o WHERE o.id = p_id AND (p_owner IS NULL OR o.customer_id = p_owner)) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended(p_id, 0));
    RETURN QUERY SELECT o.provider_id FROM orders o WHERE o.id = p_id;
END $$;

-- An order and its first event in one call; a line's own placing function calls this one.
CREATE FUNCTION order_place(
    p_id text, p_no text, p_line text, p_kind text, p_mode text, p_parent_id text, p_customer_id text,
    p_call_id text, p_status text, p_total_fen bigint, p_snapshot jsonb, p_at timestamptz, p_actor text, p_verb text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO orders (id, no, line, kind, mode, parent_id, customer_id, call_id, status, version, total_fen,
                        snapshot, created_at, updated_at)
    VALUES (p_id, p_no, p_line, p_kind, p_mode, p_parent_id, p_customer_id, p_call_id, p_status, 1, p_total_fen,
            p_snapshot, p_at, p_at);
    INSERT INTO order_events (order_id, n, at, actor, verb, from_status, to_status)
    VALUES (p_id, 1, p_at, p_actor, p_verb, NULL, p_status);
END $$;
