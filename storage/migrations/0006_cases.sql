-- Questions business lines put to people. `stage` says who has been called: the queue, all of support, the lead.
CREATE TABLE cases (
    id           text        PRIMARY KEY,
    type         text        NOT NULL,
    line         text        NOT NULL,
    subject_kind text        NOT NULL,
    subject_id   text        NOT NULL,
    title        text        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('open', 'taken', 'closed')),
    stage        text        NOT NULL CHECK (stage IN ('queue', 'all', 'lead')),
    priority     smallint    NOT NULL CHECK (priority BETWEEN 0 AND 9),
    audience     text[]      NOT NULL,
    due_at       timestamptz NOT NULL,
    opened_at    timestamptz NOT NULL,
    taken_by     text,
    taken_at     timestamptz,
    closed_by    text,
    closed_at    timestamptz,
    outcome      text,
    note         text,
    version      bigint      NOT NULL DEFAULT 1,
    CHECK ((state = 'closed') = (closed_at IS NOT NULL) AND (state = 'closed') = (outcome IS NOT NULL)),
    CHECK (state <> 'taken' OR taken_by IS NOT NULL)
);
-- One open case per subject and type (HS-190).
CREATE UNIQUE INDEX cases_one_open ON cases (subject_kind, subject_id, type) WHERE state <> 'closed';
-- The desk's lists: newest first by id, and the queue by urgency.
CREATE INDEX cases_subject ON cases (subject_id, id);
CREATE INDEX cases_type ON cases (type, id);
CREATE INDEX cases_queue ON cases ((-priority), due_at, id) WHERE state <> 'closed';
