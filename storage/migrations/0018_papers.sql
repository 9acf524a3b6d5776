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
