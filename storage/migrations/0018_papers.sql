-- Stored files: pictures people sent, documents made for them. Small and bounded, so that the truth stays in one place
-- and processes keep nothing. What expires is forgotten by a job; what a domain has attached stays.
CREATE TABLE files (
    id         text        PRIMARY KEY CHECK (id LIKE 'fil\_%'),
    owner_id   text        NOT NULL CHECK (owner_id <> ''),
    purpose    text        NOT NULL CHECK (purpose <> ''),
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    media_type text        NOT NULL CHECK (media_type <> ''),
    size       int         NOT NULL CHECK (size > 0),
    sha256     bytea       NOT NULL CHECK (length(sha256) = 32),
    content    bytea       NOT NULL,
    subject_id text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    CHECK (size = length(content)),
    -- A file that belongs to something stays; one that belongs to nothing goes.
    CHECK ((subject_id IS NULL) <> (expires_at IS NULL))
);
-- Pictures and PDFs do not get smaller by compressing them again.
ALTER TABLE files ALTER COLUMN content SET STORAGE EXTERNAL;
-- What an owner has stored today.
CREATE INDEX files_of_owner ON files (owner_id, created_at);
CREATE INDEX files_expiring ON files (expires_at) WHERE expires_at IS NOT NULL;

-- Exports: who had which rows made into which file, for ever (they are their own audit); the file itself goes after a
-- while. claimed_until: a process is making it, and another may begin again afterwards.
CREATE TABLE exports (
    id            text        PRIMARY KEY CHECK (id LIKE 'exp\_%'),
    account_id    text        NOT NULL,
    kind          text        NOT NULL,
    format        text        NOT NULL CHECK (format IN ('csv', 'xlsx', 'pdf')),
    language      text        NOT NULL CHECK (language IN ('zh', 'en')),
    filters       jsonb       NOT NULL,
    scope         jsonb       NOT NULL,
    state         text        NOT NULL CHECK (state IN ('waiting', 'done', 'failed')),
    attempts      int         NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    claimed_until timestamptz,
    file_id       text,
    row_count     int         CHECK (row_count >= 0),
    problem       text,
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    CHECK ((state = 'waiting') = (ended_at IS NULL)),
    CHECK ((state = 'done') = (file_id IS NOT NULL AND row_count IS NOT NULL)),
    CHECK ((state = 'failed') = (problem IS NOT NULL))
);
CREATE INDEX exports_of_account ON exports (account_id, id);

-- To whom invoices are made out. Never changed: an invoice keeps a copy of its own.
CREATE TABLE invoice_titles (
    id         text        PRIMARY KEY CHECK (id LIKE 'ttl\_%'),
    account_id text        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('personal', 'company')),
    name       text        NOT NULL CHECK (name <> ''),
    tax_no     text,
    contact    text,
    bank       text,
    created_at timestamptz NOT NULL,
    CHECK ((kind = 'company') = (tax_no IS NOT NULL))
);
CREATE INDEX invoice_titles_of_account ON invoice_titles (account_id, id);

-- needs_red: money went back after it was issued, so it says too much until it is voided.
CREATE TABLE invoices (
    id           text        PRIMARY KEY CHECK (id LIKE 'inv\_%'),
    account_id   text        NOT NULL,
    title        jsonb       NOT NULL,
    state        text        NOT NULL
                 CHECK (state IN ('requested', 'issuing', 'issued', 'rejected', 'voiding', 'voided')),
    tax_bps      int         NOT NULL CHECK (tax_bps BETWEEN 0 AND 10000),
    amount_fen   bigint      NOT NULL CHECK (amount_fen >= 0),
    tax_fen      bigint      NOT NULL CHECK (tax_fen BETWEEN 0 AND amount_fen),
    needs_red    bool        NOT NULL DEFAULT false,
    number       text,
    red_number   text,
    file_id      text,
    red_file_id  text,
    reason       text,
    reissue      bool        NOT NULL DEFAULT false,
    replaces_id  text        REFERENCES invoices (id),
    version      int         NOT NULL CHECK (version >= 1),
    requested_at timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL,
    CHECK (state NOT IN ('issued', 'voiding', 'voided') OR (number IS NOT NULL AND file_id IS NOT NULL)),
    CHECK (state <> 'voided' OR (red_number IS NOT NULL AND red_file_id IS NOT NULL))
);
CREATE INDEX invoices_of_account ON invoices (account_id, id);
CREATE INDEX invoices_by_state ON invoices (state, id);
-- A number is given once, be it to an invoice or to the red one that takes it back.
CREATE TABLE invoice_numbers (
    number     text PRIMARY KEY CHECK (number <> ''),
    invoice_id text NOT NULL REFERENCES invoices (id)
);

-- What an invoice is for. amount_fen includes the tax.
CREATE TABLE invoice_lines (
    invoice_id text   NOT NULL REFERENCES invoices (id),
    n          int    NOT NULL CHECK (n >= 1),
    subject_id text   NOT NULL,
    name       text   NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen >= 0),
    tax_fen    bigint NOT NULL CHECK (tax_fen BETWEEN 0 AND amount_fen),
    is_live    bool   NOT NULL,
    PRIMARY KEY (invoice_id, n)
);
-- One order is invoiced once (RV-287): by an invoice that is neither rejected nor voided.
CREATE UNIQUE INDEX invoice_lines_once ON invoice_lines (subject_id) WHERE is_live;

-- What was done to an invoice, by whom and why.
CREATE TABLE invoice_events (
    invoice_id text        NOT NULL REFERENCES invoices (id),
    n          int         NOT NULL CHECK (n >= 1),
    at         timestamptz NOT NULL,
    actor      text        NOT NULL,
    verb       text        NOT NULL,
    from_state text,
    to_state   text        NOT NULL,
    detail     text,
    PRIMARY KEY (invoice_id, n)
);
