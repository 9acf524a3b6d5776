-- What the console of the desk needs: threads put aside for a while.
-- Only who has it puts it aside, and only while it is open: whatever else happens to it brings it back.
ALTER TABLE desk_threads ADD COLUMN snoozed_until timestamptz
    CHECK (snoozed_until IS NULL OR state IN ('open', 'pending'));

-- A queue in numbers, the same wherever it is shown: on the floor of a console, on boards, to those who wait.
-- p_units: what a chat takes of an agent.
CREATE FUNCTION desk_board(p_queue_id text, p_at timestamptz, p_units int,
    OUT waiting int, OUT offered int, OUT serving int, OUT oldest_at timestamptz,
    OUT members int, OUT online int, OUT free int, OUT at_risk int, OUT broken int)
LANGUAGE sql STABLE AS $$
    WITH live AS MATERIALIZED (
        SELECT conversation_id, state, queued_at FROM desk_threads
         WHERE queue_id = p_queue_id AND state IN ('queued', 'offered', 'open', 'pending')),
    agents AS MATERIALIZED (
        SELECT desk_is_ready(l, p_at) AS is_ready, l.cap - l.load AS room
          FROM queue_members m LEFT JOIN agent_load l ON l.agent_id = m.agent_id
         WHERE m.queue_id = p_queue_id),
    warned AS MATERIALIZED (
        SELECT s.conversation_id, bool_or(s.breached_at IS NOT NULL) AS is_broken
          FROM live JOIN sla_timers s ON s.conversation_id = live.conversation_id
         WHERE s.state = 'running' AND s.warned >= 80 GROUP BY 1)
    SELECT t.*, a.*, w.*
      FROM (SELECT count(*) FILTER (WHERE state = 'queued')::int, count(*) FILTER (WHERE state = 'offered')::int,
                   count(*) FILTER (WHERE state IN ('open', 'pending'))::int,
                   min(queued_at) FILTER (WHERE state = 'queued') FROM live) t,
           (SELECT count(*)::int, count(*) FILTER (WHERE is_ready)::int,
                   count(*) FILTER (WHERE is_ready AND room >= p_units)::int FROM agents) a,
           (SELECT count(*) FILTER (WHERE NOT is_broken)::int, count(*) FILTER (WHERE is_broken)::int FROM warned) w
$$;

-- Named filters of the list of tickets. holder: an account, or a desk that shares it: 'desk:' (the platform's),
-- 'desk:ten_…'. A place of its own in a short row of them keeps how many there can be.
CREATE TABLE desk_views (
    id         text        PRIMARY KEY,
    holder     text        NOT NULL,
    slot       smallint    NOT NULL CHECK (slot BETWEEN 1 AND 20),
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 40),
    filter     jsonb       NOT NULL,
    created_by text        NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (holder, slot),
    UNIQUE (holder, name)
);
