-- Saying something can be the whole of a transaction, and one of a batch: what is told is filled in by the database.

-- p_fills: fields that only the statement before could know, set in what is told and in the jobs of those who hear it.
DROP FUNCTION tx_write(timestamptz, text[], text[], text[], text[], timestamptz[], text[], text[], text[], timestamptz[],
                       text[], text, text, bytea, int, text, bytea, bigint, text);
CREATE FUNCTION tx_write(
    p_at timestamptz, p_fact_ids text[], p_topics text[], p_bodies text[], p_audiences text[],
    p_expires_at timestamptz[], p_gone text[], p_keys text[], p_kinds text[], p_due_at timestamptz[],
    p_payloads text[], p_scope text, p_key text, p_fingerprint bytea, p_status int, p_headers text, p_answer bytea,
    p_job bigint, p_lease text, p_fills jsonb DEFAULT NULL
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
        SELECT fact_id, topic, CASE WHEN p_fills IS NULL THEN body ELSE (body::jsonb || p_fills)::text END,
               string_to_array(audience, E'\n'), p_at, expires_at
          FROM unnest(p_fact_ids, p_topics, p_bodies, p_audiences, p_expires_at)
               WITH ORDINALITY AS told (fact_id, topic, body, audience, expires_at, n)
         ORDER BY n;
    END IF;
    IF cardinality(p_gone) > 0 THEN
        DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE key = ANY(p_gone) ORDER BY key FOR UPDATE);
    END IF;
    IF cardinality(p_keys) > 0 THEN
        INSERT INTO jobs (key, kind, due_at, first_due_at, payload)
        SELECT key, kind, due_at, due_at,
               CASE WHEN p_fills IS NULL THEN payload
                    ELSE jsonb_set(payload::jsonb, '{fact}', payload::jsonb -> 'fact' || p_fills)::text END
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

-- One more message of a conversation, which stays locked until the commit. outcome: said; dup: it was there; moved:
-- another version; answered: staff said something after p_base_seq, which is message_seq; fixed: it cannot be changed
-- any more; busy: without p_wait, somebody else has the conversation. fills: what its fact could not know. p_words: a
-- word a line, as drivers write one text much faster than an array.
DROP FUNCTION say_message(text, bigint, text, text, text, text, boolean, text, jsonb, text, bigint, bigint, timestamptz,
                          bigint, text[], timestamptz);
CREATE FUNCTION say_message(
    p_conversation text, p_version bigint, p_sender text, p_role text, p_client text, p_kind text, p_internal boolean,
    p_body text, p_data jsonb, p_file text, p_reply_to bigint, p_target bigint, p_changes_from timestamptz,
    p_base_seq bigint, p_words text, p_at timestamptz, p_wait boolean
) RETURNS TABLE (outcome text, is_told boolean, fills jsonb)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    c conversations%ROWTYPE;
    v_seq bigint;
    v_prev bigint;
    v_at timestamptz;
    v_words text[] := string_to_array(p_words, E'\n');
    is_staff boolean := p_role IN ('agent', 'supervisor');
    is_person boolean := p_role IN ('customer', 'worker');
BEGIN
    is_told := false;
    IF p_wait THEN
        SELECT * INTO c FROM conversations WHERE id = p_conversation FOR NO KEY UPDATE;
    ELSE
        SELECT * INTO c FROM conversations WHERE id = p_conversation FOR NO KEY UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            outcome := 'busy'; RETURN NEXT; RETURN;
        END IF;
    END IF;
    outcome := 'dup';
    SELECT m.seq, m.prev_seq, m.at INTO v_seq, v_prev, v_at FROM messages m
     WHERE m.conversation_id = p_conversation AND m.sender_id = p_sender AND m.client_id = p_client;
    IF FOUND THEN
        fills := say_message_fills(v_seq, v_prev, v_at);
        RETURN NEXT; RETURN;
    END IF;
    IF c.id IS NULL OR c.version <> p_version THEN
        outcome := 'moved'; RETURN NEXT; RETURN;
    END IF;
    IF p_base_seq IS NOT NULL THEN
        SELECT m.seq INTO v_seq FROM messages m
         WHERE m.conversation_id = p_conversation AND m.seq > p_base_seq AND m.sender_role IN ('agent', 'supervisor')
           AND NOT m.is_internal AND m.target_seq IS NULL AND m.sender_id <> p_sender
         ORDER BY m.seq DESC LIMIT 1;
        IF FOUND THEN
            outcome := 'answered'; fills := jsonb_build_object('message_seq', v_seq); RETURN NEXT; RETURN;
        END IF;
    END IF;
    v_seq := c.last_seq + 1;
    v_prev := c.public_seq;
    v_at := greatest(p_at, c.last_at);
    IF p_target IS NOT NULL THEN
        UPDATE messages m
           SET body = CASE p_kind WHEN 'edit' THEN p_body ELSE '' END, words = v_words,
               data = CASE p_kind WHEN 'edit' THEN data END, file_id = CASE p_kind WHEN 'edit' THEN file_id END,
               edited_at = CASE p_kind WHEN 'edit' THEN v_at ELSE edited_at END,
               recalled_at = CASE p_kind WHEN 'recall' THEN v_at END
         WHERE m.conversation_id = p_conversation AND m.seq = p_target AND m.sender_id = p_sender
           AND m.recalled_at IS NULL AND m.target_seq IS NULL AND m.at >= p_changes_from
           AND (p_kind = 'recall' OR m.kind IN ('text', 'note'));
        IF NOT FOUND THEN
            outcome := 'fixed'; RETURN NEXT; RETURN;
        END IF;
        IF p_kind = 'recall' THEN
            UPDATE messages m SET body = '' WHERE m.conversation_id = p_conversation AND m.target_seq = p_target;
        END IF;
    END IF;
    INSERT INTO messages (conversation_id, seq, prev_seq, sender_id, sender_role, client_id, kind, is_internal, body,
                          data, file_id, reply_to, target_seq, words, at)
    VALUES (p_conversation, v_seq, v_prev, p_sender, p_role, p_client, p_kind, p_internal, p_body,
            p_data, p_file, p_reply_to, p_target, CASE WHEN p_target IS NULL THEN v_words ELSE '{}' END, v_at);
    UPDATE conversations
       SET last_seq = v_seq, last_at = v_at,
           public_seq = CASE WHEN p_internal THEN public_seq ELSE v_seq END,
           waiting_since = CASE WHEN p_internal OR p_target IS NOT NULL THEN waiting_since
                                WHEN is_person THEN coalesce(waiting_since, v_at)
                                WHEN is_staff THEN NULL
                                ELSE waiting_since END
     WHERE id = p_conversation;
    IF is_staff AND p_target IS NULL AND NOT p_internal THEN
        DELETE FROM drafts WHERE agent_id = p_sender AND conversation_id = p_conversation;
    END IF;
    outcome := 'said'; is_told := true; fills := say_message_fills(v_seq, v_prev, v_at);
    RETURN NEXT;
END $$;

CREATE FUNCTION say_message_fills(p_seq bigint, p_prev bigint, p_at timestamptz) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('message_seq', p_seq, 'prev_seq', p_prev,
                              'said_at', to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
$$;
