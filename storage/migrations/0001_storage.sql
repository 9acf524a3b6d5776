-- Facts on their way: written by business transactions, taken by the relay in the same order.
CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fact_id     text        NOT NULL,
    topic       text        NOT NULL,
    body        text        NOT NULL,
    audience    text[]      NOT NULL,
    at          timestamptz NOT NULL,
    expires_at  timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000);

-- Facts told: seq is given at relay time, so a fact that committed late is never below one already told.
CREATE TABLE feed (
    seq         bigint      PRIMARY KEY,
    fact_id     text        NOT NULL UNIQUE,
    topic       text        NOT NULL,
    body        text        NOT NULL,
    audience    text[]      NOT NULL,
    at          timestamptz NOT NULL,
    expires_at  timestamptz
);

-- Who may hear a fact; one row per listener, read by resume in seq order.
CREATE TABLE feed_audience (
    audience    text   NOT NULL,
    seq         bigint NOT NULL,
    PRIMARY KEY (audience, seq)
);
CREATE INDEX feed_audience_seq ON feed_audience (seq);

-- One row: the head of the feed, what was surely handed to the hubs, and the epoch that says "same stream".
CREATE TABLE relay_state (
    one_row     boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    epoch       text    NOT NULL,
    last_seq    bigint  NOT NULL DEFAULT 0,
    told_seq    bigint  NOT NULL DEFAULT 0,
    floor_seq   bigint  NOT NULL DEFAULT 0,
    CHECK (told_seq <= last_seq AND floor_seq <= last_seq)
);
INSERT INTO relay_state (epoch) VALUES (replace(gen_random_uuid()::text, '-', ''));

-- Deadlines and work between transactions. A key names the one row a deadline may have.
CREATE TABLE jobs (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text        NOT NULL,
    key          text        NOT NULL UNIQUE,
    payload      text        NOT NULL,
    due_at       timestamptz NOT NULL,
    first_due_at timestamptz NOT NULL,
    attempts     int         NOT NULL DEFAULT 0,
    lease        text,
    leased_until timestamptz,
    parked_at    timestamptz,
    last_error   text
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX jobs_due ON jobs (due_at) WHERE parked_at IS NULL;

-- Answers to requests that carried an Idempotency-Key, written in the transaction of their effect.
CREATE TABLE idempotency_keys (
    scope       text        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    status      int,
    headers     text,
    body        bytea,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
