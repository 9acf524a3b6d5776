-- Broadcasts: what staff tell many people at once, and how the operator has notices worded and sent.

-- audience: whom; tenant_id and account_ids belong to two of the audiences. place: the last account that was told, so
-- that whoever goes on after a crash begins behind it. The counts are of counted_at.
CREATE TABLE broadcasts (
    id          text        PRIMARY KEY CHECK (id LIKE 'brc\_%'),
    title       jsonb       NOT NULL,
    body        jsonb       NOT NULL,
    link        text        CHECK (length(link) <= 300),
    audience    text        NOT NULL CHECK (audience IN ('everybody', 'customers', 'workers', 'tenants', 'tenant',
                                                         'accounts')),
    tenant_id   text        REFERENCES tenants (id),
    account_ids text[]      CHECK (cardinality(account_ids) BETWEEN 1 AND 1000),
    state       text        NOT NULL CHECK (state IN ('scheduled', 'sending', 'sent', 'cancelled')),
    send_at     timestamptz NOT NULL,
    created_by  text        NOT NULL,
    created_at  timestamptz NOT NULL,
    begun_at    timestamptz,
    ended_at    timestamptz,
    place       text        NOT NULL DEFAULT '',
    told        integer     NOT NULL DEFAULT 0,
    sent        integer     NOT NULL DEFAULT 0,
    delivered   integer     NOT NULL DEFAULT 0,
    failed      integer     NOT NULL DEFAULT 0,
    opened      integer     NOT NULL DEFAULT 0,
    counted_at  timestamptz,
    version     integer     NOT NULL DEFAULT 1,
    CHECK ((audience = 'tenant') = (tenant_id IS NOT NULL)),
    CHECK ((audience = 'accounts') = (account_ids IS NOT NULL))
);

-- is_bulk: one of many of a broadcast; it goes by a lane of its own and delays nobody's offer.
ALTER TABLE deliveries ADD COLUMN is_bulk boolean NOT NULL DEFAULT false;
CREATE INDEX deliveries_bulk ON deliveries (due_at) WHERE state = 'queued' AND is_bulk;

-- What the operator has a kind say in a language instead of what it says by itself. The newest version counts; without
-- words it says again what it says by itself.
CREATE TABLE notice_templates (
    kind       text        NOT NULL,
    language   text        NOT NULL CHECK (language IN ('zh', 'en')),
    version    integer     NOT NULL CHECK (version >= 1),
    title      text        CHECK (length(title) BETWEEN 1 AND 60),
    body       text        CHECK (length(body) <= 500),
    created_by text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (kind, language, version),
    CHECK ((title IS NULL) = (body IS NULL))
);

-- Which kinds are not sent over which channels, or not told at all (kind/inbox), and how many one person is sent in an
-- hour. The newest version counts; version 1 is that nothing is switched off, and has no row.
CREATE TABLE notice_rules (
    version    integer     PRIMARY KEY CHECK (version >= 2),
    off        text[]      NOT NULL CHECK (cardinality(off) <= 400),
    hour_max   integer     CHECK (hour_max BETWEEN 1 AND 1000),
    created_by text        NOT NULL,
    created_at timestamptz NOT NULL
);
