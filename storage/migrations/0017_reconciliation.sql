-- Bills of channels, what compares them with our records and the book, and money in suspense.

-- A channel's bills, a row per line, fetched again as a whole. What a channel kept of a payment is only known from here.
-- `key`: the channel's own number of a payment's trade, our number of a refund.
CREATE TABLE channel_bill_lines (
    channel      text        NOT NULL CHECK (channel IN ('wechat', 'alipay')),
    day          date        NOT NULL,
    n            int         NOT NULL CHECK (n >= 1),
    kind         text        NOT NULL CHECK (kind IN ('payment', 'refund')),
    key          text        NOT NULL,
    out_trade_no text        NOT NULL,
    trade_no     text        NOT NULL,
    amount_fen   bigint      NOT NULL CHECK (amount_fen >= 0),
    fee_fen      bigint      NOT NULL,
    at           timestamptz NOT NULL,
    state        text        NOT NULL CHECK (state IN ('done', 'processing', 'failed')),
    is_ours      boolean     NOT NULL,
    PRIMARY KEY (channel, day, n)
);
-- Has this trade, or this refund, been billed, and on which day? Also the fee of one payment.
CREATE INDEX channel_bill_lines_key ON channel_bill_lines (channel, kind, key);

-- One comparison: of a channel's day, or of its month. Sums in fen, without what other merchants' lines say.
-- book_*: what the channel's clearing account moved that day. gap_fen: what the differences explain of bill less book.
CREATE TABLE reconciliations (
    id                 text        PRIMARY KEY,
    kind               text        NOT NULL CHECK (kind IN ('daily', 'monthly')),
    channel            text        NOT NULL CHECK (channel IN ('wechat', 'alipay')),
    period_on          date        NOT NULL,
    state              text        NOT NULL CHECK (state IN ('waiting', 'overdue', 'balanced', 'differing', 'closed')),
    line_count         int         NOT NULL DEFAULT 0,
    bill_paid_fen      bigint      NOT NULL DEFAULT 0,
    bill_refunded_fen  bigint      NOT NULL DEFAULT 0,
    fee_fen            bigint      NOT NULL DEFAULT 0,
    book_paid_fen      bigint      NOT NULL DEFAULT 0,
    book_refunded_fen  bigint      NOT NULL DEFAULT 0,
    gap_fen            bigint      NOT NULL DEFAULT 0,
    unexplained_fen    bigint      NOT NULL DEFAULT 0,
    difference_count   int         NOT NULL DEFAULT 0,
    open_count         int         NOT NULL DEFAULT 0,
    fee_booked_fen     bigint      NOT NULL DEFAULT 0,
    problem            text,
    claimed_until      timestamptz,
    version            bigint      NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL,
    ended_at           timestamptz,
    CHECK (kind = 'daily' OR extract(day FROM period_on) = 1),
    UNIQUE (channel, kind, period_on)
);
CREATE INDEX reconciliations_newest ON reconciliations (period_on, id);

-- One thing on which the three do not agree. effect_fen: what it explains of its day's bill less book; gap_fen: what is
-- amiss between the two whatever the day. `line_n` is its bill line, 0 for one that only we have.
CREATE TABLE reconciliation_differences (
    id                text        PRIMARY KEY,
    reconciliation_id text        NOT NULL REFERENCES reconciliations (id),
    channel           text        NOT NULL,
    class             text        NOT NULL CHECK (class IN ('missing', 'extra', 'amount', 'fee', 'status', 'date',
                                                            'duplicate', 'wrong_merchant')),
    state             text        NOT NULL CHECK (state IN ('waiting', 'open', 'resolved')),
    line_kind         text        NOT NULL CHECK (line_kind IN ('payment', 'refund')),
    key               text        NOT NULL,
    line_n            int         NOT NULL,
    out_trade_no      text        NOT NULL,
    trade_no          text        NOT NULL,
    bill_fen          bigint,
    book_fen          bigint,
    fee_fen           bigint,
    expected_fee_fen  bigint,
    effect_fen        bigint      NOT NULL,
    gap_fen           bigint      NOT NULL,
    billed_at         timestamptz,
    booked_at         timestamptz,
    record_state      text,
    resolution        text        CHECK (resolution IN ('taken', 'asked', 'suspended', 'booked', 'other_day',
                                                        'by_person')),
    reason            text        CHECK (length(reason) <= 2000),
    by_id             text,
    version           bigint      NOT NULL DEFAULT 1,
    found_at          timestamptz NOT NULL,
    resolved_at       timestamptz,
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
    CHECK ((state = 'resolved') = (resolution IS NOT NULL)),
    UNIQUE (reconciliation_id, line_kind, key, line_n, class)
);
CREATE INDEX reconciliation_differences_open ON reconciliation_differences (channel, line_kind, key)
    WHERE state <> 'resolved';

-- Everything done to a run or a difference, in order. Rows never change.
CREATE TABLE reconciliation_events (
    subject_id text        NOT NULL,
    n          int         NOT NULL CHECK (n >= 1),
    at         timestamptz NOT NULL,
    actor      text        NOT NULL,
    verb       text        NOT NULL,
    from_state text,
    to_state   text        NOT NULL,
    detail     text,
    PRIMARY KEY (subject_id, n)
);
CREATE TRIGGER reconciliation_events_stay BEFORE UPDATE OR DELETE ON reconciliation_events
    FOR EACH ROW EXECUTE FUNCTION settlement_refuse_change();

-- Money of a channel that is nobody's yet. amount_fen is negative where the channel has less than we booked.
-- `ref` is the transfer that put it there.
CREATE TABLE suspense_items (
    id           text        PRIMARY KEY,
    channel      text        NOT NULL CHECK (channel IN ('wechat', 'alipay')),
    ref          text        NOT NULL UNIQUE,
    cause        text        NOT NULL CHECK (cause IN ('unknown_order', 'wrong_amount', 'second_money', 'bill')),
    out_trade_no text        NOT NULL,
    trade_no     text        NOT NULL,
    amount_fen   bigint      NOT NULL CHECK (amount_fen <> 0),
    total_fen    bigint      NOT NULL CHECK (total_fen > 0),
    state        text        NOT NULL CHECK (state IN ('open', 'assigned', 'refunded', 'written_off')),
    reason       text        CHECK (length(reason) <= 2000),
    by_id        text,
    version      bigint      NOT NULL DEFAULT 1,
    parked_at    timestamptz NOT NULL,
    ended_at     timestamptz,
    CHECK ((state = 'open') = (ended_at IS NULL)),
    CHECK (state = 'open' OR (reason IS NOT NULL AND by_id IS NOT NULL))
);
CREATE INDEX suspense_items_state ON suspense_items (state, id);

-- What has been parked so far.
INSERT INTO suspense_items (id, channel, ref, cause, out_trade_no, trade_no, amount_fen, total_fen, state, parked_at)
SELECT 'sus_' || substr(n.id, 5), n.channel, t.ref, n.outcome, coalesce(n.out_trade_no, ''), n.trade_no, n.amount_fen,
       n.amount_fen, 'open', t.at
  FROM ledger_transfers AS t
  JOIN LATERAL (SELECT id, channel, outcome, out_trade_no, trade_no, amount_fen
                  FROM channel_news
                 WHERE t.ref = channel || ':' || trade_no || ':suspense'
                   AND outcome IN ('unknown_order', 'wrong_amount', 'second_money')
                 ORDER BY received_at LIMIT 1) AS n ON true
 WHERE t.kind = 'suspense';

-- A refund by the channel's own number of the trade: of money in suspense, which is no payment of ours.
ALTER TABLE channel_refunds
    ALTER COLUMN payment_id DROP NOT NULL,
    ADD COLUMN trade_no text,
    ADD CHECK (payment_id IS NOT NULL OR trade_no IS NOT NULL);

-- Transfers over clearing accounts that are in no bill: few among many, and asked for by their day.
CREATE INDEX ledger_transfers_own ON ledger_transfers (at)
    WHERE kind IN ('channel_fee', 'reconciled', 'suspense_assigned', 'split_done', 'split_returned');
