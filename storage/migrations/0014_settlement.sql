-- How an order's money is shared out. Rules are versions, never changed: an order keeps the number of its own.
-- parts: see rest/money/settlement/split.py. The last part is the platform's and takes what remains (HS-155, HS-220).
CREATE TABLE split_rules (
    line       text        NOT NULL CHECK (line <> ''),
    version    int         NOT NULL CHECK (version >= 1),
    parts      jsonb       NOT NULL,
    note       text        NOT NULL,
    by_id      text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (line, version)
);

CREATE FUNCTION settlement_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER split_rules_stay BEFORE UPDATE OR DELETE ON split_rules
    FOR EACH ROW EXECUTE FUNCTION settlement_refuse_change();

-- HS-154 to HS-160. bps null: the rate of the order's region. whole: taken as it is; a minus sign takes away.
INSERT INTO split_rules (line, version, note, parts) VALUES ('homeservice', 1, 'HS-154 to HS-160', '[
    {"kind": "technician", "party": "worker", "bps": null, "of": ["item", "extension", "penalty_item"],
     "whole": ["travel", "penalty_travel", "tip", "-voucher"]},
    {"kind": "channel_reward", "party": "channel", "bps": 100, "of": ["item", "extension", "-coupon", "-voucher"]},
    {"kind": "platform_bonus", "party": "channel", "bps": 300, "of": ["item", "extension", "-coupon", "-voucher"],
     "cap_fen": 100000},
    {"kind": "platform", "party": "platform"}
]');

-- Who brought a worker, and so earns by his orders (HS-166: one per worker, for ever). A closed one earns nothing more
-- (HS-173). bonus_fen is what the capped part of all the worker's orders has come to; a refund lowers it (HS-161).
CREATE TABLE worker_channels (
    worker_id  text        PRIMARY KEY,
    party_kind text        NOT NULL CHECK (party_kind IN ('customer', 'worker')),
    party_id   text        NOT NULL,
    is_open    bool        NOT NULL DEFAULT true,
    bonus_fen  bigint      NOT NULL DEFAULT 0 CHECK (bonus_fen >= 0),
    since      timestamptz NOT NULL,
    CHECK (party_kind <> 'worker' OR party_id <> worker_id)
);
CREATE INDEX worker_channels_party ON worker_channels (party_kind, party_id);

-- One per order. kept_fen is what the order keeps now; base_kept_fen what it kept when the lines' bases were set, by
-- the settlement or by the last adjustment: a refund scales the bases by kept / base_kept.
CREATE TABLE settlements (
    id            text        PRIMARY KEY,
    order_id      text        NOT NULL UNIQUE,
    line          text        NOT NULL,
    split_version int         NOT NULL,
    worker_id     text        NOT NULL,
    basis         jsonb       NOT NULL,
    settled_fen   bigint      NOT NULL CHECK (settled_fen >= 0),
    kept_fen      bigint      NOT NULL CHECK (kept_fen >= 0 AND kept_fen <= settled_fen),
    base_kept_fen bigint      NOT NULL CHECK (base_kept_fen >= kept_fen),
    version       int         NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    matures_at    timestamptz NOT NULL,
    FOREIGN KEY (line, split_version) REFERENCES split_rules (line, version)
);
CREATE INDEX settlements_worker ON settlements (worker_id, id DESC);
-- What was refunded in part or whole: few of many.
CREATE INDEX settlements_reversed ON settlements (id DESC) WHERE kept_fen < settled_fen;

-- amount_fen never changes. A line that reverses another names it; net_fen is what reversals have left of a line.
-- The amounts of all lines sum to what the order keeps, and so do the nets of those that reverse nothing.
CREATE TABLE settlement_lines (
    id            text        PRIMARY KEY,
    settlement_id text        NOT NULL REFERENCES settlements (id),
    n             int         NOT NULL CHECK (n >= 1),
    kind          text        NOT NULL,
    party_kind    text        NOT NULL CHECK (party_kind IN ('worker', 'customer', 'platform')),
    party_id      text        NOT NULL,
    cause         text        NOT NULL CHECK (cause IN ('settled', 'refunded', 'adjusted')),
    amount_fen    bigint      NOT NULL CHECK (amount_fen <> 0),
    net_fen       bigint      NOT NULL,
    base_fen      bigint      NOT NULL,
    state         text        NOT NULL CHECK (state IN ('accrued', 'payable', 'paid', 'clawed_back')),
    split_version int         NOT NULL,
    reverses_id   text        REFERENCES settlement_lines (id),
    reason        text,
    by_id         text,
    at            timestamptz NOT NULL,
    UNIQUE (settlement_id, n),
    -- The platform has what rounding leaves, which is now more, now less.
    CHECK (party_kind = 'platform' OR abs(net_fen) <= abs(amount_fen)),
    CHECK ((state = 'clawed_back') <= (net_fen = 0)),
    CHECK (reverses_id IS NULL OR (net_fen = 0 AND cause <> 'settled')),
    -- Nobody changes who gets what without a name and a reason (HS-164).
    CHECK (cause <> 'adjusted' OR (reason IS NOT NULL AND by_id IS NOT NULL))
);
-- HS-174: an order pays each kind at most once.
CREATE UNIQUE INDEX settlement_lines_once ON settlement_lines (settlement_id, kind) WHERE cause = 'settled';
CREATE INDEX settlement_lines_party ON settlement_lines (party_kind, party_id, settlement_id DESC);
-- HS-132, HS-164: an adjustment reverses a line once.
CREATE UNIQUE INDEX settlement_lines_adjusted_once ON settlement_lines (reverses_id) WHERE cause = 'adjusted';

CREATE FUNCTION settlement_line_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (OLD.id, OLD.settlement_id, OLD.n, OLD.kind, OLD.party_kind, OLD.party_id, OLD.cause,
        OLD.amount_fen, OLD.split_version, OLD.reverses_id, OLD.reason, OLD.by_id, OLD.at) IS DISTINCT FROM
        (NEW.id, NEW.settlement_id, NEW.n, NEW.kind, NEW.party_kind, NEW.party_id, NEW.cause,
        NEW.amount_fen, NEW.split_version, NEW.reverses_id, NEW.reason, NEW.by_id, NEW.at) THEN
        RAISE EXCEPTION 'settlement lines are only reversed' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER settlement_lines_keep BEFORE UPDATE OR DELETE ON settlement_lines
    FOR EACH ROW EXECUTE FUNCTION settlement_line_keeps();

-- Money on its way out of a wallet. While it is open (review, sending, sent) its amount is in the owner's frozen account.
CREATE TABLE withdrawals (
    id           text        PRIMARY KEY,
    owner_kind   text        NOT NULL CHECK (owner_kind IN ('customer', 'worker')),
    owner_id     text        NOT NULL,
    account_id   text        NOT NULL,
    method       text        NOT NULL CHECK (method IN ('bank', 'wechat', 'alipay')),
    payee        text        NOT NULL,
    payee_no     text        NOT NULL,
    amount_fen   bigint      NOT NULL CHECK (amount_fen > 0),
    state        text        NOT NULL CHECK (state IN ('review', 'rejected', 'sending', 'sent', 'confirmed', 'failed')),
    reason       text,
    version      int         NOT NULL DEFAULT 1,
    day          date        NOT NULL,
    requested_at timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL
);
CREATE INDEX withdrawals_owner ON withdrawals (owner_kind, owner_id, id DESC);
CREATE INDEX withdrawals_open ON withdrawals (state, id DESC) WHERE state IN ('review', 'sending', 'sent');

-- Who did what to a withdrawal, and why; n equals the version it made.
CREATE TABLE withdrawal_events (
    withdrawal_id text        NOT NULL REFERENCES withdrawals (id),
    n             int         NOT NULL CHECK (n >= 1),
    at            timestamptz NOT NULL,
    actor         text        NOT NULL,
    verb          text        NOT NULL,
    from_state    text,
    to_state      text        NOT NULL,
    detail        text,
    PRIMARY KEY (withdrawal_id, n)
);
CREATE TRIGGER withdrawal_events_stay BEFORE UPDATE OR DELETE ON withdrawal_events
    FOR EACH ROW EXECUTE FUNCTION settlement_refuse_change();

-- What was handed to the outside for a withdrawal, by which adapter, and the outside's own number of it.
CREATE TABLE payouts (
    withdrawal_id text        PRIMARY KEY REFERENCES withdrawals (id),
    adapter       text        NOT NULL,
    begun_at      timestamptz NOT NULL,
    ref           text
);
-- One transfer of the outside pays one withdrawal.
CREATE UNIQUE INDEX payouts_ref ON payouts (adapter, ref) WHERE ref IS NOT NULL;
