-- What staff did: one row per change, written in the transaction of the change, never changed itself. body: what was
-- asked, without secrets and phone numbers; null where it was long. outcome_version: of the resource after it.
-- subject_ids: the values of subject, to be found by.
CREATE TABLE audit (
    id              text        PRIMARY KEY,
    at              timestamptz NOT NULL,
    actor_id        text        NOT NULL,
    operation       text        NOT NULL,
    subject         jsonb       NOT NULL,
    subject_ids     text[]      NOT NULL,
    body            jsonb,
    status          int         NOT NULL,
    outcome_version text,
    request_id      text        NOT NULL,
    address         text        NOT NULL
);
CREATE INDEX audit_actor ON audit (actor_id, id DESC);
CREATE INDEX audit_operation ON audit (operation, id DESC);
CREATE INDEX audit_subject ON audit USING gin (subject_ids);

CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
