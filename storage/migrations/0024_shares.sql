-- Settlement lines paid by the channel itself: receivers, the splits of trades, and what receivers give back.

-- Whether the channel keeps the trade's money apart, so that it can be shared with receivers.
ALTER TABLE channel_attempts ADD COLUMN is_shared boolean NOT NULL DEFAULT false;

-- Who may have his part from the channel: a worker's merchant account there. name: only until the channel has answered.
CREATE TABLE share_receivers (
    id         text        PRIMARY KEY,
    worker_id  text        NOT NULL,
    channel    text        NOT NULL CHECK (channel IN ('wechat', 'alipay')),
    account    text        NOT NULL CHECK (length(account) BETWEEN 1 AND 32),
    name       text,
    name_hash  text        NOT NULL,
    state      text        NOT NULL CHECK (state IN ('asking', 'bound', 'refused', 'unbound')),
    reason     text,
    by_id      text        NOT NULL,
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    ended_at   timestamptz,
    CHECK ((name IS NOT NULL) = (state = 'asking')),
    CHECK ((ended_at IS NOT NULL) = (state IN ('refused', 'unbound')))
);
-- One account of one worker at a channel: a split names each receiver once.
CREATE UNIQUE INDEX share_receivers_worker ON share_receivers (worker_id, channel) WHERE state IN ('asking', 'bound');
CREATE UNIQUE INDEX share_receivers_account ON share_receivers (channel, account) WHERE state IN ('asking', 'bound');

-- What becomes of a trade whose money the channel keeps apart, once its order's parts have matured. id: its number there.
CREATE TABLE share_splits (
    id            text        PRIMARY KEY,
    payment_id    text        NOT NULL UNIQUE REFERENCES channel_attempts (payment_id),
    settlement_id text        NOT NULL REFERENCES settlements (id),
    order_id      text        NOT NULL,
    channel       text        NOT NULL CHECK (channel IN ('wechat', 'alipay')),
    trade_no      text        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('planned', 'asked', 'done', 'failed')),
    reason        text,
    version       bigint      NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    CHECK ((ended_at IS NOT NULL) = (state IN ('done', 'failed')))
);
CREATE INDEX share_splits_settlement ON share_splits (settlement_id);

-- What each receiver gets of it. is_paid: null until the channel has said; returned_fen: what has come back since.
CREATE TABLE share_parts (
    split_id     text     NOT NULL REFERENCES share_splits (id),
    n            smallint NOT NULL CHECK (n BETWEEN 1 AND 50),
    worker_id    text     NOT NULL,
    account      text     NOT NULL,
    amount_fen   bigint   NOT NULL CHECK (amount_fen > 0),
    is_paid      boolean,
    returned_fen bigint   NOT NULL DEFAULT 0 CHECK (returned_fen BETWEEN 0 AND amount_fen),
    PRIMARY KEY (split_id, n),
    UNIQUE (split_id, worker_id),
    UNIQUE (split_id, account),
    CHECK (returned_fen = 0 OR is_paid)
);

-- What a receiver gives back for a refund. id: its number at the channel.
CREATE TABLE share_returns (
    id         text        PRIMARY KEY,
    split_id   text        NOT NULL,
    n          smallint    NOT NULL,
    refund_id  text        NOT NULL REFERENCES channel_refunds (id),
    amount_fen bigint      NOT NULL CHECK (amount_fen > 0),
    state      text        NOT NULL CHECK (state IN ('asked', 'done', 'failed')),
    reason     text,
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    ended_at   timestamptz,
    UNIQUE (refund_id, n),
    FOREIGN KEY (split_id, n) REFERENCES share_parts (split_id, n),
    CHECK ((ended_at IS NOT NULL) = (state <> 'asked'))
);
CREATE INDEX share_returns_split ON share_returns (split_id, n);
