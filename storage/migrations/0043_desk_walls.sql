-- Queues whose threads only their members see, and what a queue says by itself to who comes.

-- greeting, closed_notice: texts by language tag; none: nothing is said.
ALTER TABLE desk_queues
    ADD COLUMN members_only  boolean NOT NULL DEFAULT false,
    ADD COLUMN auto_close_s  int     NOT NULL DEFAULT 259200 CHECK (auto_close_s BETWEEN 3600 AND 2592000),
    ADD COLUMN reopen_days   int     NOT NULL DEFAULT 7 CHECK (reopen_days BETWEEN 0 AND 90),
    ADD COLUMN greeting      jsonb   NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(greeting) = 'object'),
    ADD COLUMN closed_notice jsonb   NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(closed_notice) = 'object');

-- Who may see what a queue keeps to its members, beside those who lead by their role: its members, and agents who watch
-- over the platform's desk or this tenant's. Each account, with the house he works for behind a line feed.
CREATE FUNCTION queue_circle(p_queue_id text, p_tenant_id text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT ARRAY(SELECT a.id || E'\n' || coalesce(a.tenant_id, '') FROM desk_agents a
                  WHERE EXISTS (SELECT FROM queue_members m WHERE m.queue_id = p_queue_id AND m.agent_id = a.id)
                     OR (a.is_supervisor AND (a.tenant_id IS NULL OR a.tenant_id = p_tenant_id))
                  ORDER BY a.id)
$$;

-- Conversations that are kept to a circle, which are those in a queue of members only; others are the whole desk's. It
-- holds from the commit that changed the queue, its members, or the queue a thread is in. ids: the circle's accounts.
CREATE VIEW conversation_circles AS
SELECT t.conversation_id, w.circle,
       ARRAY(SELECT split_part(one, E'\n', 1) FROM unnest(w.circle) AS one) AS ids
  FROM desk_threads t
  JOIN desk_queues q ON q.id = t.queue_id AND q.members_only
 CROSS JOIN LATERAL (SELECT queue_circle(q.id, t.tenant_id) AS circle) w;
