-- Mixed payment: a payment is made of parts, each from one source. What was paid in one way before becomes one part.
ALTER TABLE payments DROP CONSTRAINT payments_method_check, DROP CONSTRAINT payments_state_check;
ALTER TABLE payments
    ADD COLUMN paid_fen   bigint  NOT NULL DEFAULT 0,
    ADD COLUMN is_held    boolean NOT NULL DEFAULT false,
    ADD COLUMN counted_on date;
UPDATE payments SET paid_fen = amount_fen WHERE state IN ('paid', 'paid_late', 'refunded');
-- `method` is the channel the payment waits for; without one, what its first part is paid with. `paid_fen` is what
-- has come: of late money only what came over the channel. `is_held`: the parts that need no channel lie on the
-- payment's own accounts. `counted_on`: the business day whose limit it counts against.
ALTER TABLE payments
    ADD CHECK (method IN ('wallet', 'credit', 'prepaid', 'bonus', 'points', 'wechat', 'alipay', 'offline')),
    ADD CHECK (state IN ('created', 'review', 'paid', 'failed', 'closed', 'paid_late', 'refunded')),
    ADD CHECK (refunded_fen <= paid_fen AND paid_fen <= amount_fen),
    ADD CHECK (NOT is_held OR state IN ('created', 'review', 'paid_late')),
    ADD CHECK (state <> 'review' OR method = 'offline');
DROP INDEX payments_one_open;
CREATE UNIQUE INDEX payments_one_open ON payments (order_id) WHERE state IN ('created', 'review');
-- A customer's own payments, newest first; and those that wait, for finance.
CREATE INDEX payments_account ON payments (account_id, id);
CREATE INDEX payments_late ON payments (id) WHERE state = 'paid_late';

CREATE TABLE payment_parts (
    payment_id      text     NOT NULL REFERENCES payments (id),
    n               smallint NOT NULL CHECK (n >= 1),
    tender          text     NOT NULL CHECK (tender IN (
                        'wallet', 'credit', 'prepaid', 'bonus', 'points', 'wechat', 'alipay', 'offline')),
    amount_fen      bigint   NOT NULL CHECK (amount_fen > 0),
    refunded_fen    bigint   NOT NULL DEFAULT 0 CHECK (refunded_fen BETWEEN 0 AND amount_fen),
    points          bigint   NOT NULL DEFAULT 0 CHECK (points >= 0 AND (points > 0) = (tender = 'points')),
    points_refunded bigint   NOT NULL DEFAULT 0 CHECK (points_refunded BETWEEN 0 AND points),
    worker_id       text     CHECK ((worker_id IS NOT NULL) = (tender = 'credit')),
    PRIMARY KEY (payment_id, n),
    UNIQUE (payment_id, tender)
);
-- At most one part is somebody else's to confirm.
CREATE UNIQUE INDEX payment_parts_one_channel ON payment_parts (payment_id)
    WHERE tender IN ('wechat', 'alipay', 'offline');
INSERT INTO payment_parts (payment_id, n, tender, amount_fen, refunded_fen)
SELECT id, 1, method, amount_fen, refunded_fen FROM payments;

-- Where each refund went: its legs, one for each part that gave something. ref is the transfer that took it out of the
-- escrow, given_as what an order's refund was given for: a request, or a step of the order. How far a channel has come,
-- its channel_refunds of this ref says.
CREATE TABLE payment_refunds (
    ref        text        NOT NULL,
    given_as   text        NOT NULL,
    payment_id text        NOT NULL,
    n          smallint    NOT NULL,
    amount_fen bigint      NOT NULL CHECK (amount_fen > 0),
    points     bigint      NOT NULL CHECK (points >= 0),
    reason     text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (ref, payment_id, n),
    FOREIGN KEY (payment_id, n) REFERENCES payment_parts (payment_id, n)
);
CREATE INDEX payment_refunds_payment ON payment_refunds (payment_id, n);
CREATE INDEX payment_refunds_given_as ON payment_refunds (given_as);
INSERT INTO payment_refunds (ref, given_as, payment_id, n, amount_fen, points, reason, at)
SELECT id || ':refunds_before_parts', id || ':refunds_before_parts', id, 1, refunded_fen, 0, 'several', coalesce(ended_at, paid_at)
  FROM payments WHERE refunded_fen > 0;

-- What a customer has begun or made on a day, less what was given up. One row, so that payments of one customer begun
-- at the same moment count each other.
CREATE TABLE payment_days (
    account_id text   NOT NULL,
    day        date   NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen >= 0),
    PRIMARY KEY (account_id, day)
);

-- Transfers to the platform's bank account, which a person compares with the statement. `file_id` is the picture of the
-- voucher, `bank_ref` the bank's number of the money.
CREATE TABLE transfers (
    payment_id text        PRIMARY KEY REFERENCES payments (id),
    account_id text        NOT NULL,
    order_id   text        NOT NULL,
    amount_fen bigint      NOT NULL CHECK (amount_fen > 0),
    file_id    text        NOT NULL,
    state      text        NOT NULL CHECK (state IN ('review', 'confirmed', 'rejected')),
    bank_ref   text        UNIQUE CHECK (length(bank_ref) BETWEEN 1 AND 64),
    reason     text,
    decided_by text,
    version    bigint      NOT NULL DEFAULT 1,
    sent_at    timestamptz NOT NULL,
    decided_at timestamptz,
    CHECK ((state = 'confirmed') = (bank_ref IS NOT NULL)),
    CHECK ((state = 'review') = (decided_at IS NULL) AND (state = 'review') = (decided_by IS NULL))
);
CREATE INDEX transfers_review ON transfers (payment_id) WHERE state = 'review';

-- Attempts whose end is not known: finance looks for those that hang.
CREATE INDEX channel_attempts_open ON channel_attempts (payment_id) WHERE state IN ('asking', 'ready', 'closing');

ALTER TABLE channel_refunds DROP CONSTRAINT channel_refunds_channel_check;
ALTER TABLE channel_refunds ADD CHECK (channel IN ('wechat', 'alipay', 'offline'));

-- The password asked for before money of the wallet is spent, as a slow hash. Six digits are few: what protects them
-- is the key the hash is made with, which is not in the database, and the lock after some wrong tries.
CREATE TABLE wallet_passwords (
    account_id   text        PRIMARY KEY,
    salt         bytea       NOT NULL,
    hash         bytea       NOT NULL,
    wrong_tries  int         NOT NULL DEFAULT 0 CHECK (wrong_tries >= 0),
    locked_until timestamptz,
    changed_at   timestamptz NOT NULL
);
