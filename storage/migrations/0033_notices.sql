-- Notifications: the inbox, the devices and wishes of people, and what became of each thing sent outside.

-- How far the facts of the feed have been made into notices; one row. epoch: of the feed the place belongs to.
CREATE TABLE notice_place (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    epoch   text    NOT NULL,
    seq     bigint  NOT NULL CHECK (seq >= 0)
);

-- What somebody is told. account_id: an account, or group:… for a room of staff, which has no inbox. no: their order,
-- which ids of one millisecond have not. about: what the words of the kind need. collapse_key: a newer notice of the
-- same key says all an unread one said.
CREATE TABLE notices (
    id           text        PRIMARY KEY CHECK (id LIKE 'ntc\_%'),
    no           bigint      GENERATED ALWAYS AS IDENTITY,
    account_id   text        NOT NULL,
    kind         text        NOT NULL,
    fact_id      text        NOT NULL,
    about        jsonb       NOT NULL,
    subject_kind text,
    subject_id   text,
    collapse_key text,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    read_at      timestamptz,
    CHECK ((subject_kind IS NULL) = (subject_id IS NULL)),
    -- A fact is told once to each person, however often it is heard.
    UNIQUE (fact_id, account_id, kind)
);
CREATE INDEX notices_inbox ON notices (account_id, no);
CREATE INDEX notices_unread ON notices (account_id, no) WHERE read_at IS NULL;
CREATE INDEX notices_collapsed ON notices (collapse_key, account_id) WHERE read_at IS NULL AND collapse_key IS NOT NULL;
CREATE INDEX notices_old ON notices (created_at);

-- Where a person's phone is reached. token: a JPush registration id, or an openid of the mini-program.
CREATE TABLE push_devices (
    id         text        PRIMARY KEY CHECK (id LIKE 'dev\_%'),
    account_id text        NOT NULL,
    session_id text        NOT NULL,
    platform   text        NOT NULL CHECK (platform IN ('android', 'ios', 'wechat')),
    -- A device is one account's (HS-199): who signs in on it next takes it over.
    token      text        NOT NULL UNIQUE CHECK (length(token) BETWEEN 8 AND 200),
    created_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL
);
CREATE INDEX push_devices_account ON push_devices (account_id, id);
CREATE INDEX push_devices_session ON push_devices (session_id);

-- What people want. muted: kind/channel, or the first word of kinds. quiet_*_min: minutes of the business day.
CREATE TABLE notice_settings (
    account_id     text        PRIMARY KEY,
    language       text        NOT NULL CHECK (language IN ('zh', 'en')),
    quiet_from_min smallint    CHECK (quiet_from_min BETWEEN 0 AND 1439),
    quiet_to_min   smallint    CHECK (quiet_to_min BETWEEN 0 AND 1439),
    muted          text[]      NOT NULL CHECK (cardinality(muted) <= 200),
    version        integer     NOT NULL DEFAULT 1,
    changed_at     timestamptz NOT NULL,
    CHECK ((quiet_from_min IS NULL) = (quiet_to_min IS NULL))
);

-- One notice on its way over one channel to one place. ticket: what its provider knows this very sending by, so that
-- it is not sent twice when we die between sending and writing that down. No text, number or token is kept here.
CREATE TABLE deliveries (
    id           text        PRIMARY KEY CHECK (id LIKE 'dlv\_%'),
    notice_id    text        NOT NULL REFERENCES notices (id) ON DELETE CASCADE,
    account_id   text        NOT NULL,
    channel      text        NOT NULL CHECK (channel IN ('push', 'wechat', 'sms', 'wecom')),
    device_id    text,
    state        text        NOT NULL
                 CHECK (state IN ('held', 'queued', 'sent', 'delivered', 'failed', 'given_up', 'dropped')),
    attempts     smallint    NOT NULL DEFAULT 0,
    -- A digest says how many held notices it stands for.
    stands_for   smallint    NOT NULL DEFAULT 1 CHECK (stands_for >= 1),
    ticket       text,
    provider_ref text,
    problem      text,
    created_at   timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL,
    CHECK ((device_id IS NOT NULL) = (channel IN ('push', 'wechat')))
);
-- One notice goes to one place once.
CREATE UNIQUE INDEX deliveries_once ON deliveries (notice_id, channel, device_id) NULLS NOT DISTINCT;
CREATE INDEX deliveries_held ON deliveries (account_id) WHERE state = 'held';
CREATE INDEX deliveries_account ON deliveries (account_id, id);

-- How many have gone out of what is limited by the day. scope: an account, or everybody.
CREATE TABLE delivery_counts (
    day     date    NOT NULL,
    channel text    NOT NULL,
    scope   text    NOT NULL,
    n       integer NOT NULL CHECK (n >= 1),
    PRIMARY KEY (day, channel, scope)
);

-- Messages somebody's devices may not have taken. is_waiting: its deadline is set; pushed_at, pushed_seq: when he was
-- told last, and up to which message.
CREATE TABLE chat_waits (
    conversation_id text        NOT NULL,
    account_id      text        NOT NULL,
    fact_id         text        NOT NULL,
    is_waiting      boolean     NOT NULL,
    pushed_at       timestamptz,
    pushed_seq      bigint      NOT NULL DEFAULT 0,
    changed_at      timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, account_id)
);
CREATE INDEX chat_waits_old ON chat_waits (changed_at);
