-- Refund policies published after the ones everybody begins with (version 1 of each name: rest/money/refunds/ready.py).
-- An order keeps the content it was sold under, so a new version changes nothing that was sold.
CREATE TABLE refund_policies (
    name       text        NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,31}$'),
    version    int         NOT NULL CHECK (version >= 2),
    content    jsonb       NOT NULL,
    note       text        NOT NULL,
    by_id      text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE FUNCTION refunds_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER refund_policies_stay BEFORE UPDATE OR DELETE ON refund_policies
    FOR EACH ROW EXECUTE FUNCTION refunds_refuse_change();

-- Somebody wants money of an ended order back. While it is open (review, requested, approving) its amount is in the
-- order's refund_reserved_fen. approved_fen is what finance gives of it; the rest of the reserve is released.
CREATE TABLE refund_requests (
    id              text        PRIMARY KEY,
    order_id        text        NOT NULL REFERENCES orders (id),
    line            text        NOT NULL,
    customer_id     text        NOT NULL,
    worker_id       text,
    asker_role      text        NOT NULL CHECK (asker_role IN ('customer', 'staff')),
    asker_id        text        NOT NULL,
    amount_fen      bigint      NOT NULL CHECK (amount_fen > 0),
    approved_fen    bigint      CHECK (approved_fen > 0 AND approved_fen <= amount_fen),
    reason          text        NOT NULL CHECK (reason IN ('quality', 'late', 'no_show', 'mistake', 'goodwill', 'other')),
    note            text        NOT NULL,
    policy          text        NOT NULL,
    policy_version  int         NOT NULL,
    second_over_fen bigint      NOT NULL CHECK (second_over_fen >= 0),
    opinion         text        CHECK (opinion IN ('agrees', 'objects')),
    approved_by     text,
    state           text        NOT NULL CHECK (state IN ('review', 'requested', 'approving', 'executed', 'rejected',
                                                          'withdrawn')),
    version         int         NOT NULL DEFAULT 1,
    requested_at    timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    executed_at     timestamptz,
    CHECK ((state = 'executed') = (executed_at IS NOT NULL)),
    CHECK ((approved_by IS NULL) = (approved_fen IS NULL)),
    CHECK (state NOT IN ('approving', 'executed') OR approved_by IS NOT NULL)
);
CREATE INDEX refund_requests_order ON refund_requests (order_id, id DESC);
CREATE INDEX refund_requests_open ON refund_requests (id DESC) WHERE state IN ('review', 'requested', 'approving');
CREATE INDEX refund_requests_executed ON refund_requests (executed_at) WHERE executed_at IS NOT NULL;

-- Who did what to a request, and why; n equals the version it made.
CREATE TABLE refund_events (
    refund_id  text        NOT NULL REFERENCES refund_requests (id),
    n          int         NOT NULL CHECK (n >= 1),
    at         timestamptz NOT NULL,
    actor      text        NOT NULL,
    verb       text        NOT NULL,
    from_state text,
    to_state   text        NOT NULL,
    detail     text,
    PRIMARY KEY (refund_id, n)
);
CREATE TRIGGER refund_events_stay BEFORE UPDATE OR DELETE ON refund_events
    FOR EACH ROW EXECUTE FUNCTION refunds_refuse_change();

-- What somebody pays because an order broke off. One per order and payer (HS-129, HS-130); taken back once (HS-132).
CREATE TABLE penalties (
    id              text        PRIMARY KEY,
    order_id        text        NOT NULL REFERENCES orders (id),
    line            text        NOT NULL,
    payer_kind      text        NOT NULL CHECK (payer_kind IN ('customer', 'worker')),
    payer_id        text        NOT NULL,
    other_kind      text        NOT NULL CHECK (other_kind IN ('customer', 'worker')),
    other_id        text        NOT NULL,
    cause           text        NOT NULL,
    item_fen        bigint      NOT NULL CHECK (item_fen >= 0),
    travel_fen      bigint      NOT NULL CHECK (travel_fen >= 0),
    state           text        NOT NULL CHECK (state IN ('settled', 'debited', 'reversed')),
    by              text        NOT NULL,
    note            text,
    at              timestamptz NOT NULL,
    reversed_by     text,
    reversed_reason text,
    reversed_at     timestamptz,
    UNIQUE (order_id, payer_kind, payer_id),
    CHECK (item_fen + travel_fen > 0),
    CHECK ((state = 'reversed') = (reversed_at IS NOT NULL)),
    -- Nobody takes a penalty back without a name and a reason.
    CHECK (reversed_at IS NULL OR (reversed_by IS NOT NULL AND reversed_reason IS NOT NULL))
);
CREATE INDEX penalties_payer ON penalties (payer_kind, payer_id, id DESC);

-- The technician waits at a closed door since wait_started_at; wait_due_at is the timer that says it was long enough.
-- travel_extra_fen: what a changed technician's way costs more than the customer has paid; the platform bears it.
ALTER TABLE homeservice_orders
    ADD COLUMN wait_started_at timestamptz,
    ADD COLUMN wait_due_at timestamptz,
    ADD COLUMN travel_extra_fen bigint NOT NULL DEFAULT 0 CHECK (travel_extra_fen >= 0);
