-- Devices that sign payments instead of their owner's password (RV-043). password_salt: of the password that let the
-- device in; under another one it signs nothing.
CREATE TABLE wallet_devices (
    id            text        PRIMARY KEY,
    account_id    text        NOT NULL,
    name          text        NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
    algorithm     text        NOT NULL CHECK (algorithm IN ('p256', 'ed25519')),
    public_key    bytea       NOT NULL CHECK (octet_length(public_key) BETWEEN 32 AND 200),
    password_salt bytea       NOT NULL,
    created_at    timestamptz NOT NULL,
    used_at       timestamptz,
    UNIQUE (account_id, public_key)
);

-- What a device is asked to sign: one payment of one amount, once, within minutes.
CREATE TABLE wallet_challenges (
    id         text        PRIMARY KEY,
    account_id text        NOT NULL,
    device_id  text        NOT NULL REFERENCES wallet_devices (id) ON DELETE CASCADE,
    action     text        NOT NULL CHECK (action IN ('pay', 'withdraw', 'redeem', 'membership')),
    subject    text        NOT NULL CHECK (length(subject) BETWEEN 1 AND 64),
    amount_fen bigint      NOT NULL CHECK (amount_fen BETWEEN 0 AND 1000000000000),
    nonce      text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    CHECK (expires_at > created_at)
);
CREATE INDEX wallet_challenges_account ON wallet_challenges (account_id, expires_at);
CREATE INDEX wallet_challenges_device ON wallet_challenges (device_id);

-- Days that are not what their weekday says: holidays, and the weekends that are worked for them.
CREATE TABLE odd_days (
    day        date        PRIMARY KEY,
    works      boolean     NOT NULL,
    note       text        NOT NULL CHECK (length(note) BETWEEN 1 AND 200),
    changed_by text        NOT NULL,
    changed_at timestamptz NOT NULL
);

-- A refund that is not done after its working days (RV-290): when finance was told.
ALTER TABLE channel_refunds ADD COLUMN slow_at timestamptz;
-- Refunds that a person has to look at.
DROP INDEX channel_refunds_manual;
CREATE INDEX channel_refunds_looked_at ON channel_refunds (id)
    WHERE state <> 'done' AND (state = 'manual' OR slow_at IS NOT NULL);

-- Rows that are written once: one function says so for all of them.
CREATE FUNCTION rows_never_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE OR REPLACE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION rows_never_change();
CREATE OR REPLACE TRIGGER case_events_stay BEFORE UPDATE OR DELETE ON case_events
    FOR EACH ROW EXECUTE FUNCTION rows_never_change();
CREATE OR REPLACE TRIGGER member_levels_stay BEFORE UPDATE OR DELETE ON member_levels
    FOR EACH ROW EXECUTE FUNCTION rows_never_change();
CREATE OR REPLACE TRIGGER order_events_final BEFORE UPDATE OR DELETE ON order_events
    FOR EACH ROW EXECUTE FUNCTION rows_never_change();
CREATE OR REPLACE TRIGGER order_lines_final BEFORE UPDATE OR DELETE ON order_lines
    FOR EACH ROW EXECUTE FUNCTION rows_never_change();
CREATE OR REPLACE TRIGGER reconciliation_events_stay BEFORE UPDATE OR DELETE ON reconciliation_events
    FOR EACH ROW EXECUTE FUNCTION rows_never_change();
CREATE OR REPLACE TRIGGER refund_events_stay BEFORE UPDATE OR DELETE ON refund_events
    FOR EACH ROW EXECUTE FUNCTION rows_never_change();
CREATE OR REPLACE TRIGGER refund_policies_stay BEFORE UPDATE OR DELETE ON refund_policies
    FOR EACH ROW EXECUTE FUNCTION rows_never_change();
CREATE OR REPLACE TRIGGER split_rules_stay BEFORE UPDATE OR DELETE ON split_rules
    FOR EACH ROW EXECUTE FUNCTION rows_never_change();
CREATE OR REPLACE TRIGGER withdrawal_events_stay BEFORE UPDATE OR DELETE ON withdrawal_events
    FOR EACH ROW EXECUTE FUNCTION rows_never_change();
DROP FUNCTION audit_refuse_change();
DROP FUNCTION case_events_refuse_change();
DROP FUNCTION order_events_are_final();
DROP FUNCTION order_lines_are_final();
DROP FUNCTION refunds_refuse_change();
DROP FUNCTION settlement_refuse_change();
