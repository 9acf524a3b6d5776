-- Who is on a case is told on, what was done to it is kept, and whose own case it is.
-- parties: who may read state and result, as audiences (customer:…, worker:…); never the notes.
ALTER TABLE cases ADD COLUMN parties text[] NOT NULL DEFAULT '{}';
-- Own cases, newest first.
CREATE INDEX cases_parties ON cases USING gin (parties);
-- What an agent is on, and what is late, whatever was closed long ago.
CREATE INDEX cases_taken ON cases (taken_by, id) WHERE state <> 'closed';
CREATE INDEX cases_late ON cases (due_at, id) WHERE state <> 'closed';

-- What was done to a case: n is the version it made. actor: an account, or none for what happened by itself.
CREATE TABLE case_events (
    case_id text        NOT NULL REFERENCES cases (id),
    n       bigint      NOT NULL CHECK (n > 0),
    at      timestamptz NOT NULL,
    actor   text,
    verb    text        NOT NULL,
    data    jsonb       NOT NULL,
    PRIMARY KEY (case_id, n)
);
-- What is known of cases that are older than their history.
INSERT INTO case_events (case_id, n, at, actor, verb, data)
SELECT id, version, coalesce(closed_at, taken_at, opened_at), coalesce(closed_by, taken_by),
       CASE state WHEN 'closed' THEN 'close' WHEN 'taken' THEN 'take' ELSE 'open' END, '{}'
  FROM cases;

CREATE FUNCTION case_events_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER case_events_stay BEFORE UPDATE OR DELETE ON case_events
    FOR EACH ROW EXECUTE FUNCTION case_events_refuse_change();
