-- Payment attempts at their channel. The payment's id is the channel's out_trade_no, so there is no other number.
CREATE TABLE channel_attempts (
    payment_id  text        PRIMARY KEY REFERENCES payments (id),
    order_id    text        NOT NULL,
    account_id  text        NOT NULL,
    channel     text        NOT NULL CHECK (channel IN ('wechat', 'alipay')),
    amount_fen  bigint      NOT NULL CHECK (amount_fen > 0),
    state       text        NOT NULL CHECK (state IN ('asking', 'ready', 'closing', 'refused', 'paid', 'closed')),
    payer       text        CHECK (length(payer) BETWEEN 1 AND 64),
    description text        NOT NULL CHECK (length(description) BETWEEN 1 AND 128),
    expires_at  timestamptz NOT NULL,
    params      text,
    trade_no    text,
    reason      text,
    version     bigint      NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    CHECK ((trade_no IS NOT NULL) = (state = 'paid'))
);

-- Everything a channel has told us and signed, once by its own number, as it came; and what became of it.
CREATE TABLE channel_news (
    id           text        PRIMARY KEY,
    channel      text        NOT NULL CHECK (channel IN ('wechat', 'alipay')),
    notify_id    text        NOT NULL CHECK (length(notify_id) BETWEEN 1 AND 160),
    body         bytea       NOT NULL CHECK (length(body) <= 65536),
    outcome      text        NOT NULL CHECK (outcome IN (
                     'passed_on', 'repeated', 'noted', 'refund_done', 'unknown_order', 'wrong_amount', 'second_money',
                     'wrong_merchant', 'wrong_currency', 'wrong_refund')),
    out_trade_no text,
    trade_no     text,
    amount_fen   bigint,
    received_at  timestamptz NOT NULL,
    UNIQUE (channel, notify_id)
);
CREATE INDEX channel_news_alarms ON channel_news (id)
    WHERE outcome IN ('unknown_order', 'wrong_amount', 'second_money', 'wrong_merchant', 'wrong_currency',
                      'wrong_refund');

-- A signed message is taken once: its nonce is remembered for longer than its time is believed.
CREATE TABLE channel_nonces (
    channel text        NOT NULL,
    nonce   text        NOT NULL CHECK (length(nonce) BETWEEN 1 AND 128),
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (channel, nonce)
);
CREATE INDEX channel_nonces_seen ON channel_nonces (seen_at);

-- Money on its way back. The id is the channel's out_refund_no: asking again by it never gives twice. `ref` is the
-- ledger transfer that set the money aside.
CREATE TABLE channel_refunds (
    id           text        PRIMARY KEY,
    payment_id   text        NOT NULL REFERENCES payments (id),
    channel      text        NOT NULL CHECK (channel IN ('wechat', 'alipay')),
    ref          text        NOT NULL UNIQUE,
    amount_fen   bigint      NOT NULL CHECK (amount_fen > 0 AND amount_fen <= total_fen),
    total_fen    bigint      NOT NULL,
    reason       text        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('requested', 'accepted', 'done', 'manual')),
    failures     int         NOT NULL DEFAULT 0,
    problem      text,
    channel_ref  text,
    version      bigint      NOT NULL DEFAULT 1,
    requested_at timestamptz NOT NULL,
    ended_at     timestamptz,
    CHECK ((ended_at IS NOT NULL) = (state = 'done'))
);
CREATE INDEX channel_refunds_payment ON channel_refunds (payment_id);
CREATE INDEX channel_refunds_manual ON channel_refunds (id) WHERE state = 'manual';
