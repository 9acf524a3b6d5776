-- Conversations. last_seq: of its last message, public_seq: of the last one that is not internal. version: grows with
-- whatever decides who may write and who hears (members, assignee, status), not with messages. waiting_since: the first
-- message of the person served that nobody has answered. is_handed: a tenant's conversation the platform helps with.
CREATE TABLE conversations (
    id            text        PRIMARY KEY,
    kind          text        NOT NULL CHECK (kind IN ('chat', 'ticket', 'trip', 'remote_drive')),
    tenant_id     text,
    customer_id   text,
    subject_kind  text,
    subject_id    text,
    status        text        NOT NULL CHECK (status IN ('open', 'closed')),
    is_handed     boolean     NOT NULL DEFAULT false CHECK (tenant_id IS NOT NULL OR NOT is_handed),
    assignee_id   text,
    assign_epoch  bigint      NOT NULL DEFAULT 0,
    last_seq      bigint      NOT NULL DEFAULT 0,
    public_seq    bigint      NOT NULL DEFAULT 0 CHECK (public_seq BETWEEN 0 AND last_seq),
    opened_at     timestamptz NOT NULL,
    last_at       timestamptz NOT NULL,
    waiting_since timestamptz,
    closed_at     timestamptz,
    version       bigint      NOT NULL DEFAULT 1,
    CHECK ((subject_kind IS NULL) = (subject_id IS NULL)),
    CHECK ((status = 'closed') = (closed_at IS NOT NULL))
) WITH (fillfactor = 70);
-- A customer has one open conversation of a kind about a subject (or about none) with one side.
CREATE UNIQUE INDEX conversations_one_open ON conversations (customer_id, kind, tenant_id, subject_kind, subject_id)
    NULLS NOT DISTINCT WHERE status = 'open' AND customer_id IS NOT NULL;
-- The desk's lists, newest first, of all, of a tenant, of an agent, of a subject. None of them has a column that changes
-- with a message: a message must not touch an index of this table.
CREATE INDEX conversations_status ON conversations (status, id);
CREATE INDEX conversations_tenant ON conversations (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX conversations_assignee ON conversations (assignee_id, id) WHERE assignee_id IS NOT NULL;
CREATE INDEX conversations_subject ON conversations (subject_id, id) WHERE subject_id IS NOT NULL;

-- Who is in a conversation; sees joined_seq … left_seq of it. audience: where this member's facts are told.
CREATE TABLE participants (
    conversation_id text        NOT NULL REFERENCES conversations,
    account_id      text        NOT NULL,
    role            text        NOT NULL CHECK (role IN ('customer', 'worker', 'agent', 'supervisor', 'observer')),
    audience        text        NOT NULL,
    joined_seq      bigint      NOT NULL CHECK (joined_seq >= 1),
    left_seq        bigint,
    read_seq        bigint      NOT NULL DEFAULT 0,
    delivered_seq   bigint      NOT NULL DEFAULT 0,
    joined_at       timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, account_id),
    CHECK (read_seq BETWEEN 0 AND delivered_seq)
) WITH (fillfactor = 70);
CREATE INDEX participants_account ON participants (account_id, conversation_id);

-- Messages: seq is 1 … last_seq without a hole. prev_seq: the last public one before it, so that who does not see
-- internal ones can tell a hole from a loss. An edit or a recall is a row of its own that points at target_seq; the row
-- it points at keeps its place, with the new text or with none. words: what it is found by.
CREATE TABLE messages (
    conversation_id text        NOT NULL REFERENCES conversations,
    seq             bigint      NOT NULL CHECK (seq >= 1),
    prev_seq        bigint      NOT NULL CHECK (prev_seq < seq),
    sender_id       text        NOT NULL,
    sender_role     text        NOT NULL CHECK (sender_role IN ('customer', 'worker', 'agent', 'supervisor', 'system')),
    client_id       text        NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('text', 'image', 'file', 'location', 'order_card', 'system',
                                                         'note', 'edit', 'recall')),
    is_internal     boolean     NOT NULL,
    body            text        NOT NULL CHECK (char_length(body) <= 4000),
    data            jsonb,
    file_id         text,
    reply_to        bigint      CHECK (reply_to < seq),
    target_seq      bigint      CHECK (target_seq < seq),
    words           text[]      NOT NULL,
    at              timestamptz NOT NULL,
    edited_at       timestamptz,
    recalled_at     timestamptz,
    PRIMARY KEY (conversation_id, seq),
    CHECK ((kind IN ('edit', 'recall')) = (target_seq IS NOT NULL)),
    CHECK (kind <> 'note' OR is_internal),
    CHECK (recalled_at IS NULL OR (body = '' AND data IS NULL AND file_id IS NULL AND words = '{}'))
);
-- A sender's message exists once, for good, however often it is sent.
CREATE UNIQUE INDEX messages_once ON messages (conversation_id, sender_id, client_id);
CREATE INDEX messages_target ON messages (conversation_id, target_seq) WHERE target_seq IS NOT NULL;
CREATE INDEX messages_file ON messages (file_id) WHERE file_id IS NOT NULL;
CREATE INDEX messages_words ON messages USING gin (words);

-- What an agent has begun to write.
CREATE TABLE drafts (
    agent_id        text        NOT NULL,
    conversation_id text        NOT NULL REFERENCES conversations,
    body            text        NOT NULL CHECK (char_length(body) BETWEEN 1 AND 4000),
    base_seq        bigint      NOT NULL,
    saved_at        timestamptz NOT NULL,
    PRIMARY KEY (agent_id, conversation_id)
);

-- The one way a message comes to be. The conversation's row is locked first and until the commit, so the order of seqs
-- is the order in which messages become visible. outcome:
--   said      it is there now
--   dup       this sender has said it before; seq and at are those of the first time
--   moved     who may write has changed since the caller looked (p_version)
--   answered  another agent has answered after p_base_seq; seq is that answer's
--   fixed     what it would change is not this sender's, is too old (before p_changes_from) or has been recalled
CREATE FUNCTION say_message(
    p_conversation text, p_version bigint, p_sender text, p_role text, p_client text, p_kind text, p_internal boolean,
    p_body text, p_data jsonb, p_file text, p_reply_to bigint, p_target bigint, p_changes_from timestamptz,
    p_base_seq bigint, p_words text[], p_at timestamptz
) RETURNS TABLE (outcome text, seq bigint, prev_seq bigint, at timestamptz)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    c conversations%ROWTYPE;
    is_staff boolean := p_role IN ('agent', 'supervisor');
    is_person boolean := p_role IN ('customer', 'worker');
BEGIN
    SELECT * INTO c FROM conversations WHERE id = p_conversation FOR NO KEY UPDATE;
    outcome := 'dup';
    SELECT m.seq, m.prev_seq, m.at INTO seq, prev_seq, at FROM messages m
     WHERE m.conversation_id = p_conversation AND m.sender_id = p_sender AND m.client_id = p_client;
    IF FOUND THEN
        RETURN NEXT; RETURN;
    END IF;
    IF c.id IS NULL OR c.version <> p_version THEN
        outcome := 'moved'; RETURN NEXT; RETURN;
    END IF;
    IF p_base_seq IS NOT NULL THEN
        SELECT m.seq INTO seq FROM messages m
         WHERE m.conversation_id = p_conversation AND m.seq > p_base_seq AND m.sender_role IN ('agent', 'supervisor')
           AND NOT m.is_internal AND m.target_seq IS NULL AND m.sender_id <> p_sender
         ORDER BY m.seq DESC LIMIT 1;
        IF FOUND THEN
            outcome := 'answered'; RETURN NEXT; RETURN;
        END IF;
    END IF;
    seq := c.last_seq + 1;
    prev_seq := c.public_seq;
    at := greatest(p_at, c.last_at);
    IF p_target IS NOT NULL THEN
        UPDATE messages m
           SET body = CASE p_kind WHEN 'edit' THEN p_body ELSE '' END, words = p_words,
               data = CASE p_kind WHEN 'edit' THEN data END, file_id = CASE p_kind WHEN 'edit' THEN file_id END,
               edited_at = CASE p_kind WHEN 'edit' THEN say_message.at ELSE edited_at END,
               recalled_at = CASE p_kind WHEN 'recall' THEN say_message.at END
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
    VALUES (p_conversation, say_message.seq, say_message.prev_seq, p_sender, p_role, p_client, p_kind, p_internal, p_body,
            p_data, p_file, p_reply_to, p_target, CASE WHEN p_target IS NULL THEN p_words ELSE '{}' END, say_message.at);
    UPDATE conversations
       SET last_seq = say_message.seq, last_at = say_message.at,
           public_seq = CASE WHEN p_internal THEN public_seq ELSE say_message.seq END,
           waiting_since = CASE WHEN p_internal OR p_target IS NOT NULL THEN waiting_since
                                WHEN is_person THEN coalesce(waiting_since, say_message.at)
                                WHEN is_staff THEN NULL
                                ELSE waiting_since END
     WHERE id = p_conversation;
    IF is_staff AND p_target IS NULL AND NOT p_internal THEN
        DELETE FROM drafts WHERE agent_id = p_sender AND conversation_id = p_conversation;
    END IF;
    outcome := 'said'; RETURN NEXT;
END $$;
