-- What people say about us, and what we say to everybody: feedback, announcements, help.

-- day, day_no: at most five of one account in a business day, whoever sends how many at once.
CREATE TABLE feedback (
    id         text        PRIMARY KEY CHECK (id LIKE 'fbk\_%'),
    account_id text        NOT NULL REFERENCES accounts (id),
    side       text        NOT NULL CHECK (side IN ('customer', 'worker', 'tenant')),
    tenant_id  text        REFERENCES tenants (id),
    kind       text        NOT NULL CHECK (kind IN ('fault', 'idea', 'complaint', 'praise', 'other')),
    body       text        NOT NULL CHECK (length(body) BETWEEN 1 AND 2000),
    file_ids   text[]      NOT NULL CHECK (cardinality(file_ids) <= 6),
    state      text        NOT NULL CHECK (state IN ('open', 'in_progress', 'answered', 'closed')),
    reply      text        CHECK (length(reply) BETWEEN 1 AND 2000),
    handled_by text,
    replied_at timestamptz,
    day        date        NOT NULL,
    day_no     smallint    NOT NULL CHECK (day_no BETWEEN 1 AND 5),
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    version    integer     NOT NULL DEFAULT 1,
    UNIQUE (account_id, day, day_no),
    CHECK ((reply IS NULL) = (replied_at IS NULL)),
    CHECK ((side = 'tenant') = (tenant_id IS NOT NULL))
);
CREATE INDEX feedback_own ON feedback (account_id, id);
CREATE INDEX feedback_state ON feedback (state, id);
CREATE INDEX feedback_day ON feedback (day);

CREATE TABLE announcements (
    id         text        PRIMARY KEY CHECK (id LIKE 'anc\_%'),
    title      jsonb       NOT NULL,
    body       jsonb       NOT NULL,
    audiences  text[]      NOT NULL CHECK (cardinality(audiences) BETWEEN 1 AND 4)
                           CHECK (audiences <@ ARRAY['customers', 'workers', 'tenants', 'staff']),
    begins_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL CHECK (ends_at > begins_at),
    created_by text        NOT NULL,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    withdrawn  boolean     NOT NULL DEFAULT false,
    version    integer     NOT NULL DEFAULT 1
);
CREATE INDEX announcements_now ON announcements (ends_at) WHERE NOT withdrawn;

-- terms: title and body of both languages in one form (NFKC, lower case), for search.
CREATE TABLE help_documents (
    id         text        PRIMARY KEY CHECK (id LIKE 'hlp\_%'),
    category   text        NOT NULL CHECK (category ~ '^[a-z][a-z0-9_]{0,31}$'),
    place      integer     NOT NULL,
    title      jsonb       NOT NULL,
    body       jsonb       NOT NULL,
    terms      text        NOT NULL,
    published  boolean     NOT NULL,
    changed_by text        NOT NULL,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    version    integer     NOT NULL DEFAULT 1
);
CREATE INDEX help_documents_order ON help_documents (category, place, id);
