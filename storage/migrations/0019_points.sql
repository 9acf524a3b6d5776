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
