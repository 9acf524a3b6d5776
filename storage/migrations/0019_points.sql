-- Points. A purse sums a customer's lots up and is the lock of all of them. The last check is the balance of points:
-- what was earned and neither used, expired nor taken back is there, is held, or is owed.
CREATE TABLE points_purses (
    account_id text   PRIMARY KEY,
    available  bigint NOT NULL DEFAULT 0 CHECK (available >= 0),
    pending    bigint NOT NULL DEFAULT 0 CHECK (pending >= 0),
    held       bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    owed       bigint NOT NULL DEFAULT 0 CHECK (owed >= 0),
    earned     bigint NOT NULL DEFAULT 0 CHECK (earned >= 0),
    used       bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
    expired    bigint NOT NULL DEFAULT 0 CHECK (expired >= 0),
    clawed     bigint NOT NULL DEFAULT 0 CHECK (clawed >= 0),
    version    int    NOT NULL DEFAULT 1,
    CHECK (earned - used - expired - clawed = available + pending + held - owed)
) WITH (fillfactor = 80);

-- Points that came together. One source event gives points once (`ref`).
CREATE TABLE points_lots (
    id           text        PRIMARY KEY,
    account_id   text        NOT NULL REFERENCES points_purses (account_id),
    ref          text        NOT NULL UNIQUE,
    reason       text        NOT NULL,
    earned       bigint      NOT NULL CHECK (earned BETWEEN 1 AND 1000000000),
    held         bigint      NOT NULL DEFAULT 0 CHECK (held >= 0),
    used         bigint      NOT NULL DEFAULT 0 CHECK (used >= 0),
    expired      bigint      NOT NULL DEFAULT 0 CHECK (expired >= 0),
    clawed       bigint      NOT NULL DEFAULT 0 CHECK (clawed >= 0),
    repaid       bigint      NOT NULL DEFAULT 0 CHECK (repaid >= 0),
    undone       bigint      NOT NULL DEFAULT 0 CHECK (undone BETWEEN 0 AND earned),
    "left"       bigint      GENERATED ALWAYS AS (earned - held - used - expired - clawed - repaid) STORED
                             CHECK ("left" >= 0),
    is_pending   boolean     NOT NULL,
    available_at timestamptz NOT NULL,
    expires_at   timestamptz,
    created_at   timestamptz NOT NULL,
    version      int         NOT NULL DEFAULT 1,
    CHECK (expires_at > available_at),
    CHECK (NOT is_pending OR (held = 0 AND used = 0 AND repaid = 0))
) WITH (fillfactor = 80);
CREATE INDEX points_lots_live ON points_lots (account_id) WHERE "left" > 0;
CREATE INDEX points_lots_account ON points_lots (account_id, id);

-- What a payment or a purchase has of which lot: held until it is used or released, and perhaps given back later.
CREATE TABLE points_uses (
    holder_id  text   NOT NULL,
    lot_id     text   NOT NULL REFERENCES points_lots (id),
    account_id text   NOT NULL REFERENCES points_purses (account_id),
    held       bigint NOT NULL CHECK (held >= 0),
    used       bigint NOT NULL CHECK (used >= 0),
    returned   bigint NOT NULL CHECK (returned >= 0),
    version    int    NOT NULL DEFAULT 1,
    PRIMARY KEY (holder_id, lot_id),
    CHECK (held = 0 OR used = 0)
);
CREATE INDEX points_uses_lot ON points_uses (lot_id);

-- What was given back or taken back, so that the same news does it once even where no account moved (points that had
-- expired when they came back).
CREATE TABLE points_returns (
    ref        text        PRIMARY KEY,
    account_id text        NOT NULL REFERENCES points_purses (account_id),
    points     bigint      NOT NULL CHECK (points >= 0),
    at         timestamptz NOT NULL
);

-- What may be topped up at one tap. One active tier of each amount and kind.
CREATE TABLE topup_tiers (
    id         text        PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('platform', 'recharge', 'technician')),
    amount_fen bigint      NOT NULL CHECK (amount_fen BETWEEN 1 AND 1000000000000),
    place      int         NOT NULL CHECK (place BETWEEN 0 AND 10000),
    active     boolean     NOT NULL,
    version    int         NOT NULL DEFAULT 1,
    changed_by text        NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX topup_tiers_amount ON topup_tiers (kind, amount_fen) WHERE active;

-- What is given for topping up. Empty `tier_ids` mean any tier of the kind. The first by `place` that fits is given.
CREATE TABLE topup_offers (
    id              text        PRIMARY KEY,
    name            jsonb       NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('platform', 'recharge', 'technician')),
    tier_ids        text[]      NOT NULL,
    bonus_fen       bigint      NOT NULL CHECK (bonus_fen BETWEEN 0 AND 1000000000000),
    bonus_points    bigint      NOT NULL CHECK (bonus_points BETWEEN 0 AND 1000000000),
    bonus_coupon    text,
    first_time_only boolean     NOT NULL,
    valid_from      timestamptz NOT NULL,
    valid_until     timestamptz NOT NULL,
    per_account_max int         NOT NULL CHECK (per_account_max >= 1),
    place           int         NOT NULL CHECK (place BETWEEN 0 AND 10000),
    active          boolean     NOT NULL,
    version         int         NOT NULL DEFAULT 1,
    changed_by      text        NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    CHECK (valid_until > valid_from),
    CHECK (bonus_fen > 0 OR bonus_points > 0 OR bonus_coupon IS NOT NULL)
);
CREATE INDEX topup_offers_kind ON topup_offers (kind, place, id) WHERE active;

-- A top-up, and what was promised for it when it was asked for. `worker_id`: whose orders the credit is good for, or
-- whose wallet it is.
CREATE TABLE topups (
    id           text        PRIMARY KEY,
    account_id   text        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('platform', 'recharge', 'technician', 'worker')),
    worker_id    text,
    amount_fen   bigint      NOT NULL CHECK (amount_fen BETWEEN 1 AND 1000000000000),
    tier_id      text        REFERENCES topup_tiers (id),
    offer_id     text        REFERENCES topup_offers (id),
    bonus_fen    bigint      NOT NULL DEFAULT 0 CHECK (bonus_fen >= 0),
    bonus_points bigint      NOT NULL DEFAULT 0 CHECK (bonus_points >= 0),
    bonus_coupon text,
    method       text        NOT NULL CHECK (method IN ('wechat', 'alipay')),
    state        text        NOT NULL CHECK (state IN ('created', 'paid', 'closed')),
    reason       text,
    version      int         NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    paid_at      timestamptz,
    closed_at    timestamptz,
    CHECK ((kind IN ('technician', 'worker')) = (worker_id IS NOT NULL)),
    CHECK (offer_id IS NOT NULL OR (bonus_fen = 0 AND bonus_points = 0 AND bonus_coupon IS NULL)),
    CHECK ((state = 'paid') = (paid_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX topups_account ON topups (account_id, id);
CREATE INDEX topups_offer ON topups (offer_id, account_id) WHERE offer_id IS NOT NULL;
CREATE INDEX ledger_accounts_credits ON ledger_accounts (owner_id) WHERE kind = 'customer_credit';

-- What people get points for. Never changed: a new version of an (event, line) replaces the one before. `line` '' is
-- for events that belong to no line. Where there is no rule, nothing is given.
CREATE TABLE reward_rules (
    event        text        NOT NULL CHECK (event <> ''),
    line         text        NOT NULL,
    version      int         NOT NULL CHECK (version >= 1),
    active       boolean     NOT NULL,
    fixed        bigint      NOT NULL CHECK (fixed BETWEEN 0 AND 1000000000),
    per_100_yuan bigint      NOT NULL CHECK (per_100_yuan BETWEEN 0 AND 1000000),
    points_max   bigint      NOT NULL CHECK (points_max BETWEEN 1 AND 1000000000),
    pending_s    int         NOT NULL CHECK (pending_s BETWEEN 0 AND 31536000),
    valid_days   int         CHECK (valid_days BETWEEN 1 AND 3650),
    changed_by   text        NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (event, line, version)
);

-- What was given by which version for what, so that what is kept of it can be worked out again when money goes back.
CREATE TABLE rewards (
    ref        text        PRIMARY KEY,
    account_id text        NOT NULL,
    event      text        NOT NULL,
    line       text        NOT NULL,
    rule       int         NOT NULL,
    base_fen   bigint      NOT NULL CHECK (base_fen >= 0),
    kept_fen   bigint      NOT NULL CHECK (kept_fen BETWEEN 0 AND base_fen),
    points     bigint      NOT NULL CHECK (points >= 1),
    version    int         NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    FOREIGN KEY (event, line, rule) REFERENCES reward_rules (event, line, version)
);

-- What points buy, perhaps with some cash. `stock` is left, `held` waits for its cash, `sold` is gone; their sum changes
-- only when staff add or take stock.
CREATE TABLE points_products (
    id              text        PRIMARY KEY,
    name            jsonb       NOT NULL,
    coupon_template text        REFERENCES coupon_templates (id),
    points          bigint      NOT NULL CHECK (points BETWEEN 1 AND 1000000000),
    cash_fen        bigint      NOT NULL CHECK (cash_fen BETWEEN 0 AND 1000000000000),
    stock           bigint      NOT NULL CHECK (stock >= 0),
    held            bigint      NOT NULL DEFAULT 0 CHECK (held >= 0),
    sold            bigint      NOT NULL DEFAULT 0 CHECK (sold >= 0),
    per_account_max int         NOT NULL CHECK (per_account_max >= 1),
    active          boolean     NOT NULL,
    version         int         NOT NULL DEFAULT 1,
    changed_by      text        NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX points_products_open ON points_products (id) WHERE active;

-- One thing bought with points. The price is what it was when it was asked for.
CREATE TABLE points_purchases (
    id              text        PRIMARY KEY,
    product_id      text        NOT NULL REFERENCES points_products (id),
    account_id      text        NOT NULL,
    coupon_template text,
    points          bigint      NOT NULL CHECK (points >= 1),
    cash_fen        bigint      NOT NULL CHECK (cash_fen >= 0),
    method          text        CHECK (method IN ('wallet', 'wechat', 'alipay')),
    state           text        NOT NULL CHECK (state IN ('created', 'done', 'delivered', 'closed')),
    reason          text,
    note            text,
    delivered_by    text,
    version         int         NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    CHECK ((cash_fen > 0) = (method IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX points_purchases_account ON points_purchases (account_id, id);
CREATE INDEX points_purchases_product ON points_purchases (product_id, account_id) WHERE state <> 'closed';
