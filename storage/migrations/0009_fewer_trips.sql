-- What every transaction and the relay do, each in one call: a round trip costs more than the work behind it.
-- The plans of these statements do not depend on their values, and are not made anew for them.

-- The tail of a transaction: facts, deadlines, the answer kept under an idempotency key, and the end of the job that
-- ran it (p_job under p_lease). False when that job is no longer this runner's, and then nothing else counts. With
-- p_fingerprint the key is taken here, and a key that somebody has taken ends the transaction (unique_violation).
-- Facts keep the order of the arrays. Job rows are taken in key order, own row first (see storage/tx.py).
CREATE FUNCTION tx_write(
    p_at timestamptz,
    p_fact_ids text[], p_topics text[], p_bodies text[], p_audiences text[], p_expires_at timestamptz[],
    p_gone text[],
    p_keys text[], p_kinds text[], p_due_at timestamptz[], p_payloads text[],
    p_scope text, p_key text, p_fingerprint bytea, p_status int, p_headers text, p_answer bytea,
    p_job bigint, p_lease text
) RETURNS boolean LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF p_job IS NOT NULL THEN
        DELETE FROM jobs WHERE id = p_job AND lease = p_lease;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
    END IF;
    IF cardinality(p_fact_ids) > 0 THEN
        INSERT INTO outbox (fact_id, topic, body, audience, at, expires_at)
        SELECT fact_id, topic, body, string_to_array(audience, E'\n'), p_at, expires_at
          FROM unnest(p_fact_ids, p_topics, p_bodies, p_audiences, p_expires_at)
               WITH ORDINALITY AS told (fact_id, topic, body, audience, expires_at, n)
         ORDER BY n;
    END IF;
    IF cardinality(p_gone) > 0 THEN
        DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE key = ANY(p_gone) ORDER BY key FOR UPDATE);
    END IF;
    IF cardinality(p_keys) > 0 THEN
        INSERT INTO jobs (key, kind, due_at, first_due_at, payload)
        SELECT key, kind, due_at, due_at, payload
          FROM unnest(p_keys, p_kinds, p_due_at, p_payloads) AS job (key, kind, due_at, payload)
        ON CONFLICT (key) DO UPDATE
           SET kind = EXCLUDED.kind, due_at = EXCLUDED.due_at, first_due_at = EXCLUDED.due_at,
               payload = EXCLUDED.payload, attempts = 0, lease = NULL, leased_until = NULL, parked_at = NULL;
    END IF;
    IF p_fingerprint IS NOT NULL THEN
        INSERT INTO idempotency_keys (scope, key, fingerprint, status, headers, body, created_at)
        VALUES (p_scope, p_key, p_fingerprint, p_status, p_headers, p_answer, p_at);
    ELSIF p_key IS NOT NULL THEN
        UPDATE idempotency_keys SET status = p_status, headers = p_headers, body = p_answer
         WHERE scope = p_scope AND key = p_key;
    END IF;
    RETURN true;
END $$;

-- Move up to p_limit waiting facts to the feed, in order, and return them; before that, remember that the hubs have
-- everything up to p_told (NULL: nothing new). The relay's row is locked, so places are given by one at a time.
CREATE FUNCTION feed_advance(p_limit int, p_told bigint) RETURNS SETOF feed
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF p_told IS NOT NULL THEN
        UPDATE relay_state SET told_seq = p_told WHERE told_seq < p_told;
    END IF;
    -- By the index: the table's own pages are full of rows already moved.
    IF (SELECT id FROM outbox ORDER BY id LIMIT 1) IS NULL THEN
        RETURN;
    END IF;
    PERFORM FROM relay_state FOR UPDATE;
    RETURN QUERY
    WITH taken AS (
        DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT p_limit)
        RETURNING id, fact_id, topic, body, audience, at, expires_at
    ), numbered AS (
        SELECT (SELECT last_seq FROM relay_state) + row_number() OVER (ORDER BY id) AS seq,
               fact_id, topic, body, audience, at, expires_at
          FROM taken
    ), fed AS (
        INSERT INTO feed (seq, fact_id, topic, body, audience, at, expires_at)
        SELECT seq, fact_id, topic, body, audience, at, expires_at FROM numbered
    ), heard AS (
        INSERT INTO feed_audience (audience, seq)
        SELECT DISTINCT listener, seq FROM numbered, unnest(audience) AS listener
    ), moved AS (
        UPDATE relay_state SET last_seq = last_seq + (SELECT count(*) FROM numbered)
    )
    SELECT seq, fact_id, topic, body, audience, at, expires_at FROM numbered ORDER BY seq;
END $$;
