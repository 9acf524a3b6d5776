-- Opening hours: a week of intervals in the wall time of one zone, and days that differ. Intervals are pairs of minutes.
CREATE TABLE calendars (
    id         text        PRIMARY KEY,
    tenant_id  text,
    name       text        NOT NULL,
    zone       text        NOT NULL,
    week       jsonb       NOT NULL,
    overrides  jsonb       NOT NULL,
    version    int         NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
);

-- Where threads wait. The row is also the lock that makes assignment within a queue strictly first come, first served.
CREATE TABLE desk_queues (
    id                text        PRIMARY KEY,
    tenant_id         text,
    name              text        NOT NULL,
    is_active         boolean     NOT NULL DEFAULT true,
    calendar_id       text        REFERENCES calendars (id),
    strategy          text        NOT NULL DEFAULT 'balanced' CHECK (strategy IN ('balanced', 'round_robin')),
    accept_s          int         NOT NULL CHECK (accept_s BETWEEN 5 AND 600),
    reply_s           int         NOT NULL CHECK (reply_s BETWEEN 30 AND 86400),
    relax_s           int         NOT NULL CHECK (relax_s BETWEEN 0 AND 86400),
    offer_ticket_s    int         NOT NULL CHECK (offer_ticket_s BETWEEN 10 AND 86400),
    idle_warn_s       int         NOT NULL CHECK (idle_warn_s BETWEEN 60 AND 86400),
    idle_close_s      int         NOT NULL,
    overflow_queue_id text        REFERENCES desk_queues (id),
    overflow_s        int         NOT NULL CHECK (overflow_s BETWEEN 0 AND 86400),
    sla               jsonb       NOT NULL,
    version           int         NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL,
    changed_at        timestamptz NOT NULL,
    CHECK (idle_close_s > idle_warn_s AND idle_close_s <= 172800),
    CHECK (overflow_queue_id <> id)
);
CREATE INDEX desk_queues_calendar ON desk_queues (calendar_id) WHERE calendar_id IS NOT NULL;

-- People who answer; the id is that of their account. unit_no is the small number their state log is kept under.
CREATE TABLE desk_agents (
    id            text        PRIMARY KEY,
    unit_no       bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    tenant_id     text,
    name          text        NOT NULL,
    is_supervisor boolean     NOT NULL DEFAULT false,
    calendar_id   text        REFERENCES calendars (id),
    version       int         NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL
);
CREATE INDEX desk_agents_calendar ON desk_agents (calendar_id) WHERE calendar_id IS NOT NULL;

-- The one place where it is decided whether somebody can take more. Units: a chat is 4, a ticket is 1. What a supervisor
-- takes or gives beyond the cap is counted apart, so that the check stays hard.
CREATE TABLE agent_load (
    agent_id         text        PRIMARY KEY REFERENCES desk_agents (id),
    cap              int         NOT NULL CHECK (cap BETWEEN 1 AND 400),
    load             int         NOT NULL DEFAULT 0,
    over_units       int         NOT NULL DEFAULT 0 CHECK (over_units >= 0),
    state            text        NOT NULL DEFAULT 'offline' CHECK (state IN ('online', 'busy', 'away', 'offline')),
    present_until    timestamptz NOT NULL,
    duty_from        timestamptz NOT NULL,
    duty_until       timestamptz NOT NULL,
    misses           smallint    NOT NULL DEFAULT 0 CHECK (misses >= 0),
    last_assigned_at timestamptz,
    CHECK (load BETWEEN 0 AND cap)
) WITH (fillfactor = 60);

CREATE TABLE queue_members (
    queue_id text NOT NULL REFERENCES desk_queues (id),
    agent_id text NOT NULL REFERENCES desk_agents (id),
    PRIMARY KEY (queue_id, agent_id)
);
CREATE INDEX queue_members_agent ON queue_members (agent_id, queue_id);

CREATE TABLE agent_skills (
    agent_id text     NOT NULL REFERENCES desk_agents (id),
    skill    text     NOT NULL,
    level    smallint NOT NULL CHECK (level BETWEEN 1 AND 5),
    PRIMARY KEY (agent_id, skill)
);

-- What an agent was when. No two spells of one agent overlap; without btree_gist the number is written as a range.
CREATE TABLE agent_state_log (
    unit_no  bigint    NOT NULL,
    agent_id text      NOT NULL REFERENCES desk_agents (id),
    state    text      NOT NULL CHECK (state IN ('online', 'busy', 'away', 'offline')),
    source   text      NOT NULL CHECK (source IN ('agent', 'supervisor', 'misses', 'lease')),
    during   tstzrange NOT NULL CHECK (NOT isempty(during)),
    EXCLUDE USING gist (int8range(unit_no, unit_no, '[]') WITH &&, during WITH &&)
);
CREATE INDEX agent_state_log_agent ON agent_state_log (agent_id, lower(during));

-- The desk's side of a conversation: chat and ticket are two views of this one row.
CREATE SEQUENCE ticket_numbers;
CREATE TABLE desk_threads (
    conversation_id    text        PRIMARY KEY REFERENCES conversations (id),
    kind               text        NOT NULL CHECK (kind IN ('chat', 'ticket')),
    state              text        NOT NULL
                       CHECK (state IN ('queued', 'offered', 'open', 'pending', 'resolved', 'closed')),
    tenant_id          text,
    customer_id        text        NOT NULL,
    audience           text[]      NOT NULL,
    subject_kind       text,
    subject_id         text,
    number             text        UNIQUE,
    category           text        NOT NULL,
    severity           text        NOT NULL CHECK (severity IN ('low', 'normal', 'high', 'emergency')),
    rank               smallint    NOT NULL CHECK (rank BETWEEN 0 AND 99),
    priority           int         NOT NULL,
    queue_id           text        NOT NULL REFERENCES desk_queues (id),
    required_skills    text[]      NOT NULL,
    optional_skills    text[]      NOT NULL,
    preferred_agent_id text,
    declined_by        text[]      NOT NULL DEFAULT '{}',
    declined_until     timestamptz,
    units              smallint    NOT NULL CHECK (units BETWEEN 1 AND 400),
    epoch              int         NOT NULL DEFAULT 0,
    assignee_id        text        REFERENCES desk_agents (id),
    closure_no         int         NOT NULL DEFAULT 0,
    resolution         text,
    opened_at          timestamptz NOT NULL,
    queued_at          timestamptz NOT NULL,
    state_at           timestamptz NOT NULL,
    resolved_at        timestamptz,
    closed_at          timestamptz,
    version            int         NOT NULL DEFAULT 1,
    CHECK ((state IN ('offered', 'open', 'pending')) = (assignee_id IS NOT NULL)),
    CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CHECK (kind = 'chat' OR number IS NOT NULL)
);
-- The waiting line, in the order in which it is served.
CREATE INDEX desk_threads_waiting ON desk_threads (queue_id, priority DESC, queued_at, conversation_id)
    WHERE state = 'queued';
CREATE INDEX desk_threads_assignee ON desk_threads (assignee_id, conversation_id) WHERE assignee_id IS NOT NULL;
CREATE INDEX desk_threads_customer ON desk_threads (customer_id, conversation_id);
CREATE INDEX desk_threads_tickets ON desk_threads (number) WHERE kind = 'ticket';
CREATE INDEX desk_threads_queue ON desk_threads (queue_id, state, conversation_id);

-- Who was asked, who served, and how it ended.
CREATE TABLE assignments (
    id              text        PRIMARY KEY,
    conversation_id text        NOT NULL REFERENCES desk_threads (conversation_id),
    queue_id        text        NOT NULL,
    agent_id        text        NOT NULL REFERENCES desk_agents (id),
    epoch           int         NOT NULL,
    units           smallint    NOT NULL,
    is_over_cap     boolean     NOT NULL DEFAULT false,
    reason          text        NOT NULL,
    queued_at       timestamptz NOT NULL,
    offered_at      timestamptz NOT NULL,
    expires_at      timestamptz,
    accepted_at     timestamptz,
    replies         int         NOT NULL DEFAULT 0,
    ended_at        timestamptz,
    end_reason      text,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    UNIQUE (conversation_id, epoch)
);
-- One assignee at a time.
CREATE UNIQUE INDEX assignments_one_live ON assignments (conversation_id) WHERE ended_at IS NULL;
CREATE INDEX assignments_agent ON assignments (agent_id, id) WHERE ended_at IS NULL;
CREATE INDEX assignments_waits ON assignments (queue_id, accepted_at) WHERE accepted_at IS NOT NULL;

-- Who last answered a customer, for a week's sake: they are asked first when the customer comes again.
CREATE TABLE last_served (
    customer_id text        NOT NULL,
    scope       text        NOT NULL,
    agent_id    text        NOT NULL REFERENCES desk_agents (id),
    at          timestamptz NOT NULL,
    PRIMARY KEY (customer_id, scope)
);

-- Promises of time. `consumed` is what ran before the last stop; a due time that moves gets a new version.
CREATE TABLE sla_timers (
    conversation_id text        NOT NULL REFERENCES desk_threads (conversation_id),
    kind            text        NOT NULL CHECK (kind IN ('first_reply', 'next_reply', 'resolve')),
    no              int         NOT NULL,
    state           text        NOT NULL CHECK (state IN ('running', 'paused', 'met', 'dropped')),
    target          interval    NOT NULL,
    consumed        interval    NOT NULL,
    calendar_id     text        REFERENCES calendars (id),
    started_at      timestamptz NOT NULL,
    running_since   timestamptz,
    due_at          timestamptz,
    warned          smallint    NOT NULL DEFAULT 0 CHECK (warned IN (0, 50, 80, 100)),
    breached_at     timestamptz,
    ended_at        timestamptz,
    version         int         NOT NULL DEFAULT 1,
    PRIMARY KEY (conversation_id, kind, no),
    CHECK ((state = 'running') = (running_since IS NOT NULL)),
    CHECK (due_at IS NULL OR state = 'running'),
    CHECK ((breached_at IS NOT NULL) = (warned = 100))
);
CREATE UNIQUE INDEX sla_timers_live ON sla_timers (conversation_id, kind) WHERE state IN ('running', 'paused');
CREATE INDEX sla_timers_calendar ON sla_timers (calendar_id) WHERE state = 'running';

-- One question per closure; who served is written down when it is asked.
CREATE TABLE desk_ratings (
    id              text        PRIMARY KEY,
    conversation_id text        NOT NULL REFERENCES desk_threads (conversation_id),
    closure_no      int         NOT NULL,
    queue_id        text        NOT NULL,
    customer_id     text        NOT NULL,
    owner_id        text,
    shares          jsonb       NOT NULL,
    asked_at        timestamptz NOT NULL,
    score           smallint    CHECK (score BETWEEN 1 AND 5),
    tags            text[]      NOT NULL DEFAULT '{}',
    comment         text,
    rated_at        timestamptz,
    edited_until    timestamptz,
    UNIQUE (conversation_id, closure_no),
    CHECK ((score IS NULL) = (rated_at IS NULL) AND (score IS NULL) = (edited_until IS NULL))
);

-- Everything that happened, once and for good: statistics are what this says.
CREATE TABLE desk_events (
    no              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL,
    conversation_id text        NOT NULL,
    verb            text        NOT NULL,
    queue_id        text,
    agent_id        text,
    by_id           text,
    epoch           int         NOT NULL,
    detail          jsonb
);
CREATE INDEX desk_events_thread ON desk_events (conversation_id, no);
CREATE INDEX desk_events_at ON desk_events (at);

-- Ordered rules, whole lists in versions: the last one is in force.
CREATE TABLE routing_tables (
    version    int         PRIMARY KEY,
    rules      jsonb       NOT NULL,
    by_id      text        NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE quick_replies (
    id         text        PRIMARY KEY,
    scope      text        NOT NULL CHECK (scope IN ('platform', 'tenant', 'own')),
    owner_id   text        NOT NULL,
    folder     text        NOT NULL,
    shortcut   text        NOT NULL,
    body       text        NOT NULL,
    version    int         NOT NULL DEFAULT 1,
    changed_at timestamptz NOT NULL,
    UNIQUE (scope, owner_id, shortcut)
);

-- Whether somebody takes new work now. Not whether there is room: that is the guard of the write.
CREATE FUNCTION desk_is_ready(l agent_load, p_at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT l.state = 'online' AND p_at < l.present_until AND l.duty_from <= p_at AND p_at < l.duty_until
$$;

-- The skills asked for now: optional ones only for a while.
CREATE FUNCTION desk_wanted(t desk_threads, p_relax_s int, p_at timestamptz) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_at < t.queued_at + make_interval(secs => p_relax_s)
                THEN t.required_skills || t.optional_skills ELSE t.required_skills END
$$;

-- The next of the line somebody can serve, and who is best placed: known to the customer, least loaded, most skilled,
-- longest without work, id. Reads only.
CREATE FUNCTION desk_next(p_queue_id text, p_at timestamptz)
RETURNS TABLE (conversation_id text, agent_id text, reason text) LANGUAGE sql STABLE AS $$
    WITH q AS MATERIALIZED (SELECT strategy, relax_s FROM desk_queues WHERE id = p_queue_id AND is_active),
    free AS MATERIALIZED (
        SELECT l.agent_id, l.cap - l.load AS room, l.load::float8 / l.cap AS ratio, l.last_assigned_at
          FROM queue_members m JOIN agent_load l ON l.agent_id = m.agent_id
         WHERE m.queue_id = p_queue_id AND l.load < l.cap AND desk_is_ready(l, p_at))
    SELECT t.conversation_id, best.agent_id, best.reason
      FROM q CROSS JOIN desk_threads t
      LEFT JOIN LATERAL (
            SELECT s.agent_id FROM last_served s
             WHERE s.customer_id = t.customer_id AND s.scope = coalesce(t.tenant_id, '')
               AND s.at > p_at - interval '7 days') known ON true
     CROSS JOIN LATERAL (
            SELECT f.agent_id, CASE WHEN is_known THEN 'known' ELSE q.strategy END AS reason
              FROM free f
             CROSS JOIN LATERAL (
                   SELECT p_at <= t.queued_at + interval '60 seconds'
                          AND f.agent_id = coalesce(t.preferred_agent_id, known.agent_id, '') AS is_known,
                          (SELECT count(*) FROM agent_skills k WHERE k.agent_id = f.agent_id
                              AND k.skill = ANY (desk_wanted(t, q.relax_s, p_at))) AS has,
                          (SELECT coalesce(sum(k.level), 0) FROM agent_skills k WHERE k.agent_id = f.agent_id
                              AND k.skill = ANY (desk_wanted(t, q.relax_s, p_at))) AS levels) fit
             WHERE f.room >= t.units
               AND fit.has = cardinality(desk_wanted(t, q.relax_s, p_at))
               AND NOT (f.agent_id = ANY (t.declined_by) AND p_at < t.declined_until)
             ORDER BY is_known DESC, CASE WHEN q.strategy = 'balanced' THEN f.ratio END,
                      CASE WHEN q.strategy = 'balanced' THEN fit.levels END DESC,
                      f.last_assigned_at NULLS FIRST, f.agent_id
             LIMIT 1) best
     WHERE t.queue_id = p_queue_id AND t.state = 'queued' AND EXISTS (SELECT FROM free)
     ORDER BY t.priority DESC, t.queued_at, t.conversation_id
     LIMIT 1
$$;

-- Give the next thread of a queue to somebody, in one piece: the queue's row keeps the line straight, the thread's row
-- is seen anew under its lock, and the agent's row is written only if it still says yes. Nothing when nobody waits whom
-- somebody can serve. Locks: queue → thread → agent_load, one of each: what an attempt in vain has locked it lets go
-- again, or two queues that share agents would hold each other. One call a transaction, for the same reason.
CREATE FUNCTION desk_assign(p_queue_id text, p_assignment_id text, p_at timestamptz) RETURNS SETOF assignments
LANGUAGE plpgsql AS $$
DECLARE
    chosen record;
    q desk_queues;
    t desk_threads;
    made assignments;
BEGIN
    SELECT * INTO q FROM desk_queues WHERE id = p_queue_id FOR NO KEY UPDATE;
    FOR attempt IN 1..100 LOOP
        SELECT * INTO chosen FROM desk_next(p_queue_id, p_at);
        IF NOT FOUND THEN
            RETURN;
        END IF;
        BEGIN
            SELECT * INTO t FROM desk_threads WHERE conversation_id = chosen.conversation_id FOR NO KEY UPDATE;
            PERFORM FROM agent_load l WHERE l.agent_id = chosen.agent_id FOR NO KEY UPDATE;
            -- Everything may have moved before the locks were taken: the same question again, now that it cannot.
            UPDATE agent_load l
               SET load = l.load + t.units, last_assigned_at = p_at
             WHERE l.agent_id = chosen.agent_id AND l.load + t.units <= l.cap AND desk_is_ready(l, p_at)
               AND EXISTS (SELECT FROM desk_next(p_queue_id, p_at) n
                            WHERE n.conversation_id = t.conversation_id AND n.agent_id = chosen.agent_id);
            IF NOT FOUND THEN
                RAISE EXCEPTION 'moved' USING ERRCODE = 'FH001';
            END IF;
        EXCEPTION WHEN SQLSTATE 'FH001' THEN
            CONTINUE;
        END;
        UPDATE desk_threads
           SET state = CASE WHEN t.kind = 'chat' THEN 'offered' ELSE 'open' END, assignee_id = chosen.agent_id,
               epoch = t.epoch + 1, state_at = p_at, version = t.version + 1
         WHERE desk_threads.conversation_id = t.conversation_id;
        INSERT INTO assignments (id, conversation_id, queue_id, agent_id, epoch, units, reason, queued_at, offered_at,
                                 expires_at, accepted_at)
        VALUES (p_assignment_id, t.conversation_id, p_queue_id, chosen.agent_id, t.epoch + 1, t.units, chosen.reason,
                t.queued_at, p_at,
                CASE WHEN t.kind = 'chat' THEN p_at + make_interval(secs => q.accept_s) END,
                CASE WHEN t.kind = 'ticket' THEN p_at END)
        RETURNING * INTO made;
        RETURN NEXT made;
        RETURN;
    END LOOP;
    RAISE EXCEPTION 'the line of % moved too often', p_queue_id USING ERRCODE = 'serialization_failure';
END $$;
