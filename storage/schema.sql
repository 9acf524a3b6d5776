SET check_function_bodies = off;

CREATE TABLE public.calls (
    id text NOT NULL,
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    mode text NOT NULL,
    service text NOT NULL,
    area_code text NOT NULL,
    lon double precision NOT NULL,
    lat double precision NOT NULL,
    start_at timestamp with time zone NOT NULL,
    busy_until timestamp with time zone NOT NULL,
    status text NOT NULL,
    epoch integer DEFAULT 1 NOT NULL,
    wave integer DEFAULT 0 NOT NULL,
    ring_m integer DEFAULT 0 NOT NULL,
    plan text NOT NULL,
    detail text NOT NULL,
    audience text[] NOT NULL,
    owner_account_id text NOT NULL,
    excluded text[] DEFAULT '{}'::text[] NOT NULL,
    named_worker_id text,
    worker_id text,
    locked_until timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    closed_reason text,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT calls_check CHECK ((start_at < busy_until)),
    CONSTRAINT calls_check1 CHECK (((status = ANY (ARRAY['locked'::text, 'won'::text, 'done'::text])) = (worker_id IS NOT NULL))),
    CONSTRAINT calls_mode_check CHECK ((mode = ANY (ARRAY['choose_back'::text, 'first_wins'::text, 'direct'::text]))),
    CONSTRAINT calls_status_check CHECK ((status = ANY (ARRAY['open'::text, 'paused'::text, 'locked'::text, 'won'::text, 'done'::text, 'cancelled'::text, 'expired'::text])))
);

CREATE FUNCTION public.call_lock_with(p_call_id text, p_worker_ids text[]) RETURNS SETOF public.calls
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    PERFORM FROM workers WHERE id = ANY(p_worker_ids) ORDER BY id FOR NO KEY UPDATE;
    RETURN QUERY SELECT * FROM calls WHERE id = p_call_id FOR NO KEY UPDATE;
END $$;

CREATE FUNCTION public.call_open(p_id text, p_subject_kind text, p_subject_id text, p_mode text, p_service text, p_area_code text, p_lon double precision, p_lat double precision, p_start_at timestamp with time zone, p_busy_until timestamp with time zone, p_plan text, p_detail text, p_audience text[], p_owner_account_id text, p_excluded text[], p_named_worker_id text, p_at timestamp with time zone) RETURNS void
    LANGUAGE sql
    AS $$
    INSERT INTO calls (id, subject_kind, subject_id, mode, service, area_code, lon, lat, start_at, busy_until, plan,
                       detail, audience, owner_account_id, excluded, named_worker_id, created_at, changed_at, status)
    VALUES (p_id, p_subject_kind, p_subject_id, p_mode, p_service, p_area_code, p_lon, p_lat, p_start_at, p_busy_until,
            p_plan, p_detail, p_audience, p_owner_account_id, p_excluded, p_named_worker_id, p_at, p_at, 'open');
$$;

CREATE TABLE public.assignments (
    id text NOT NULL,
    conversation_id text NOT NULL,
    queue_id text NOT NULL,
    agent_id text NOT NULL,
    epoch integer NOT NULL,
    units smallint NOT NULL,
    is_over_cap boolean DEFAULT false NOT NULL,
    reason text NOT NULL,
    queued_at timestamp with time zone NOT NULL,
    offered_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    accepted_at timestamp with time zone,
    replies integer DEFAULT 0 NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    CONSTRAINT assignments_check CHECK (((ended_at IS NULL) = (end_reason IS NULL)))
);

CREATE FUNCTION public.desk_assign(p_queue_id text, p_assignment_id text, p_at timestamp with time zone) RETURNS SETOF public.assignments
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION public.desk_board(p_queue_id text, p_at timestamp with time zone, p_units integer, OUT waiting integer, OUT offered integer, OUT serving integer, OUT oldest_at timestamp with time zone, OUT members integer, OUT online integer, OUT free integer, OUT at_risk integer, OUT broken integer) RETURNS record
    LANGUAGE sql STABLE
    AS $$
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

CREATE TABLE public.agent_load (
    agent_id text NOT NULL,
    cap integer NOT NULL,
    load integer DEFAULT 0 NOT NULL,
    over_units integer DEFAULT 0 NOT NULL,
    state text DEFAULT 'offline'::text NOT NULL,
    present_until timestamp with time zone NOT NULL,
    duty_from timestamp with time zone NOT NULL,
    duty_until timestamp with time zone NOT NULL,
    misses smallint DEFAULT 0 NOT NULL,
    last_assigned_at timestamp with time zone,
    CONSTRAINT agent_load_cap_check CHECK (((cap >= 1) AND (cap <= 400))),
    CONSTRAINT agent_load_check CHECK (((load >= 0) AND (load <= cap))),
    CONSTRAINT agent_load_misses_check CHECK ((misses >= 0)),
    CONSTRAINT agent_load_over_units_check CHECK ((over_units >= 0)),
    CONSTRAINT agent_load_state_check CHECK ((state = ANY (ARRAY['online'::text, 'busy'::text, 'away'::text, 'offline'::text])))
)
WITH (fillfactor='60');

CREATE FUNCTION public.desk_is_ready(l public.agent_load, p_at timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT l.state = 'online' AND p_at < l.present_until AND l.duty_from <= p_at AND p_at < l.duty_until
$$;

CREATE FUNCTION public.desk_next(p_queue_id text, p_at timestamp with time zone) RETURNS TABLE(conversation_id text, agent_id text, reason text)
    LANGUAGE sql STABLE
    AS $$
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

CREATE TABLE public.desk_threads (
    conversation_id text NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    tenant_id text,
    customer_id text NOT NULL,
    audience text[] NOT NULL,
    subject_kind text,
    subject_id text,
    number text,
    category text NOT NULL,
    severity text NOT NULL,
    rank smallint NOT NULL,
    priority integer NOT NULL,
    queue_id text NOT NULL,
    required_skills text[] NOT NULL,
    optional_skills text[] NOT NULL,
    preferred_agent_id text,
    declined_by text[] DEFAULT '{}'::text[] NOT NULL,
    declined_until timestamp with time zone,
    units smallint NOT NULL,
    epoch integer DEFAULT 0 NOT NULL,
    assignee_id text,
    closure_no integer DEFAULT 0 NOT NULL,
    resolution text,
    opened_at timestamp with time zone NOT NULL,
    queued_at timestamp with time zone NOT NULL,
    state_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    closed_at timestamp with time zone,
    version integer DEFAULT 1 NOT NULL,
    snoozed_until timestamp with time zone,
    former_id text,
    CONSTRAINT desk_threads_check CHECK (((state = ANY (ARRAY['offered'::text, 'open'::text, 'pending'::text])) = (assignee_id IS NOT NULL))),
    CONSTRAINT desk_threads_check1 CHECK (((state = 'closed'::text) = (closed_at IS NOT NULL))),
    CONSTRAINT desk_threads_check2 CHECK (((kind = 'chat'::text) OR (number IS NOT NULL))),
    CONSTRAINT desk_threads_check3 CHECK (((snoozed_until IS NULL) OR (state = ANY (ARRAY['open'::text, 'pending'::text])))),
    CONSTRAINT desk_threads_kind_check CHECK ((kind = ANY (ARRAY['chat'::text, 'ticket'::text]))),
    CONSTRAINT desk_threads_rank_check CHECK (((rank >= 0) AND (rank <= 99))),
    CONSTRAINT desk_threads_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'normal'::text, 'high'::text, 'emergency'::text]))),
    CONSTRAINT desk_threads_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'offered'::text, 'open'::text, 'pending'::text, 'resolved'::text, 'closed'::text]))),
    CONSTRAINT desk_threads_units_check CHECK (((units >= 1) AND (units <= 400)))
);

CREATE FUNCTION public.desk_wanted(t public.desk_threads, p_relax_s integer, p_at timestamp with time zone) RETURNS text[]
    LANGUAGE sql STABLE
    AS $$
    SELECT CASE WHEN p_at < t.queued_at + make_interval(secs => p_relax_s)
                THEN t.required_skills || t.optional_skills ELSE t.required_skills END
$$;

CREATE TABLE public.feed (
    seq bigint NOT NULL,
    fact_id text NOT NULL,
    topic text NOT NULL,
    body text NOT NULL,
    audience text[] NOT NULL,
    at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone
);

CREATE FUNCTION public.feed_advance(p_limit integer, p_told bigint) RETURNS SETOF public.feed
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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

CREATE FUNCTION public.homeservice_hold(p_id text, p_owner text, p_workers text[]) RETURNS TABLE(order_id text)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    bound text;
BEGIN
    SELECT provider_id INTO bound FROM order_gate(p_id, p_owner);
    IF FOUND THEN
        PERFORM workers_hold(p_workers || bound || (SELECT v.worker_id FROM homeservice_orders v
                                                     WHERE v.order_id = p_id));
        RETURN QUERY SELECT p_id;
    END IF;
END $$;

CREATE FUNCTION public.homeservice_lock_of_call(p_call_id text, p_worker_id text) RETURNS TABLE(order_id text, free_travel_m integer, voucher_id text, amount_fen bigint, min_item_fen bigint, valid_until timestamp with time zone)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    found_id text;
    wanted_id text;
BEGIN
    SELECT o.id INTO found_id FROM orders o WHERE o.call_id = p_call_id AND o.line = 'homeservice';
    IF found_id IS NULL THEN
        RETURN;
    END IF;
    PERFORM FROM workers w WHERE w.id = p_worker_id FOR NO KEY UPDATE;
    SELECT v.item_id INTO wanted_id FROM orders o JOIN homeservice_orders v ON v.order_id = o.id
     WHERE o.id = found_id FOR NO KEY UPDATE;
    RETURN QUERY
        SELECT found_id, coalesce((SELECT t.free_travel_m FROM technicians t WHERE t.worker_id = p_worker_id), 0),
               b.id, b.amount_fen, b.min_item_fen, b.valid_until
          FROM (SELECT) AS one
          LEFT JOIN technician_vouchers b
            ON b.worker_id = p_worker_id AND b.item_id = wanted_id AND b.state = 'on' AND b.replaced_at IS NULL;
END $$;

CREATE FUNCTION public.homeservice_place(p_id text, p_no text, p_customer_id text, p_snapshot jsonb, p_at timestamp with time zone, p_item_id text, p_qty integer, p_region_code text, p_contact text, p_phone text, p_detail text, p_lon double precision, p_lat double precision, p_start_at timestamp with time zone, p_minutes integer, p_item_fen bigint, p_no_grab_due_at timestamp with time zone, p_pool_close_due_at timestamp with time zone, p_call_id text, p_subject_kind text, p_subject_id text, p_mode text, p_service text, p_area_code text, p_call_lon double precision, p_call_lat double precision, p_call_start_at timestamp with time zone, p_busy_until timestamp with time zone, p_plan text, p_call_detail text, p_audience text[], p_owner_account_id text, p_excluded text[], p_named_worker_id text, p_call_at timestamp with time zone, p_member_fen bigint DEFAULT 0, p_member_level text DEFAULT NULL::text, p_member_until timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF p_member_fen > 0 THEN
        PERFORM member_use(p_customer_id, 'homeservice', p_id, p_member_level, p_member_until, p_at);
    END IF;
    PERFORM call_open(p_call_id, p_subject_kind, p_subject_id, p_mode, p_service, p_area_code, p_call_lon, p_call_lat,
                      p_call_start_at, p_busy_until, p_plan, p_call_detail, p_audience, p_owner_account_id, p_excluded,
                      p_named_worker_id, p_call_at);
    PERFORM order_place(p_id, p_no, 'homeservice', 'service', 'grab', NULL, p_customer_id, p_call_id, 'in_pool', 0,
                        p_snapshot, p_at, 'customer:' || p_customer_id, 'post');
    INSERT INTO homeservice_orders (order_id, item_id, qty, region_code, contact, phone, detail, lon, lat, start_at,
                                    minutes, item_fen, pool_entered_at, no_grab_due_at, pool_close_due_at,
                                    member_fen, member_level, member_until)
    VALUES (p_id, p_item_id, p_qty, p_region_code, p_contact, p_phone, p_detail, p_lon, p_lat, p_start_at,
            p_minutes, p_item_fen, p_at, p_no_grab_due_at, p_pool_close_due_at,
            p_member_fen, p_member_level, p_member_until);
END $$;

CREATE FUNCTION public.ledger_checkpoint(p_account_id text, p_upto bigint) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_last ledger_checkpoints;
BEGIN
    SELECT * INTO v_last
      FROM ledger_checkpoints WHERE account_id = p_account_id ORDER BY upto_place DESC LIMIT 1;
    INSERT INTO ledger_checkpoints (account_id, from_place, upto_place, sum_fen, balance_fen, first_at, last_at)
    SELECT p_account_id, coalesce(v_last.upto_place, 0), max(place),
           sum(amount_fen), coalesce(v_last.balance_fen, 0) + sum(amount_fen), min(at), max(at)
      FROM (SELECT place, amount_fen, at
              FROM ledger_entries
             WHERE account_id = p_account_id AND place > coalesce(v_last.upto_place, 0) AND place <= p_upto
             ORDER BY place LIMIT ledger_step()) AS next
    HAVING count(*) = ledger_step();
    RETURN FOUND;
END $$;

CREATE FUNCTION public.ledger_faults() RETURNS SETOF text
    LANGUAGE sql STABLE
    SET enable_seqscan TO 'on'
    AS $$
    WITH chain AS (
        SELECT a.code, a.floor_fen, a.may_overdraw, e.account_version, e.balance_after_fen, e.transfer_id,
               row_number() OVER steps AS place, sum(e.amount_fen) OVER steps AS running
          FROM ledger_entries AS e JOIN ledger_accounts AS a ON a.id = e.account_id
         WHERE a.floor_fen IS NOT NULL
        WINDOW steps AS (PARTITION BY e.account_id ORDER BY e.account_version NULLS FIRST)
    ), totals AS (
        SELECT a.id, a.code, a.unit, a.floor_fen, a.may_overdraw, a.balance_fen, a.version,
               coalesce(sum(e.amount_fen), 0) AS total, count(e.n) AS steps, count(e.account_version) AS versioned
          FROM ledger_accounts AS a LEFT JOIN ledger_entries AS e ON e.account_id = a.id
         GROUP BY a.id
    ), stretches AS (
        SELECT c.*, lag(c.upto_place, 1, 0::bigint) OVER steps AS begins, coalesce(sum(found.total) OVER steps, 0) AS running,
               found.total, found.earliest, found.latest
          FROM ledger_checkpoints AS c
         CROSS JOIN LATERAL (
               SELECT sum(e.amount_fen) AS total, min(e.at) AS earliest, max(e.at) AS latest
                 FROM ledger_entries AS e
                WHERE e.account_id = c.account_id AND e.place > c.from_place AND e.place <= c.upto_place) AS found
        WINDOW steps AS (PARTITION BY c.account_id ORDER BY c.upto_place)
    )
    SELECT format('transfer %s: sums to %s %s', e.transfer_id, sum(e.amount_fen), a.unit)
      FROM ledger_entries AS e JOIN ledger_accounts AS a ON a.id = e.account_id
     GROUP BY e.transfer_id, a.unit HAVING sum(e.amount_fen) <> 0
    UNION ALL
    SELECT format('transfer %s: has %s entries', t.id, count(e.n))
      FROM ledger_transfers AS t LEFT JOIN ledger_entries AS e ON e.transfer_id = t.id
     GROUP BY t.id HAVING count(e.n) < 2
    UNION ALL
    SELECT format('transfer %s: entry %s names no account', e.transfer_id, e.n)
      FROM ledger_entries AS e WHERE NOT EXISTS (SELECT 1 FROM ledger_accounts AS a WHERE a.id = e.account_id)
    UNION ALL
    SELECT format('account %s: balance %s, entries sum to %s', code, balance_fen, total)
      FROM totals WHERE floor_fen IS NOT NULL AND balance_fen <> total
    UNION ALL
    SELECT format('account %s: version %s after %s entries', code, version, steps)
      FROM totals WHERE floor_fen IS NOT NULL AND version <> steps
    UNION ALL
    SELECT format('account %s: append-only, yet entries carry versions', code)
      FROM totals WHERE floor_fen IS NULL AND versioned > 0
    UNION ALL
    SELECT format('account %s: balance %s is below its floor %s', code, balance_fen, floor_fen)
      FROM totals WHERE NOT may_overdraw AND balance_fen < floor_fen
    UNION ALL
    SELECT format('account %s: transfer %s left %s, below the floor %s', code, transfer_id, balance_after_fen, floor_fen)
      FROM chain WHERE NOT may_overdraw AND balance_after_fen < floor_fen
    UNION ALL
    SELECT format('account %s: transfer %s has version %s in place %s', code, transfer_id, account_version, place)
      FROM chain WHERE account_version IS DISTINCT FROM place
    UNION ALL
    SELECT format('account %s: transfer %s says %s after it, entries sum to %s', code, transfer_id, balance_after_fen, running)
      FROM chain WHERE balance_after_fen IS DISTINCT FROM running
    UNION ALL
    SELECT format('the book: all balances together are %s %s', sum(coalesce(balance_fen, total)), unit)
      FROM totals GROUP BY unit HAVING sum(coalesce(balance_fen, total)) <> 0
    UNION ALL
    SELECT format('transfer %s: does not exist and has entry %s', e.transfer_id, e.n)
      FROM ledger_entries AS e WHERE NOT EXISTS (SELECT 1 FROM ledger_transfers AS t WHERE t.id = e.transfer_id)
    UNION ALL
    SELECT format('transfer %s: entry %s is of %s, the transfer of %s', e.transfer_id, e.n, e.at, t.at)
      FROM ledger_entries AS e JOIN ledger_transfers AS t ON t.id = e.transfer_id WHERE e.at <> t.at
    UNION ALL
    SELECT format('account %s: has a checkpoint and does not exist', account_id)
      FROM ledger_checkpoints AS c WHERE NOT EXISTS (SELECT 1 FROM ledger_accounts AS a WHERE a.id = c.account_id)
    UNION ALL
    SELECT format('account %s: checkpoint %s begins at %s, the one before ends at %s', account_id, upto_place, from_place, begins)
      FROM stretches WHERE from_place <> begins
    UNION ALL
    SELECT format('account %s: checkpoint %s says %s, entries sum to %s', account_id, upto_place, balance_fen, running)
      FROM stretches WHERE balance_fen <> running
    UNION ALL
    SELECT format('account %s: checkpoint %s says its own sum to %s, they do to %s', account_id, upto_place, sum_fen, total)
      FROM stretches WHERE sum_fen IS DISTINCT FROM total
    UNION ALL
    SELECT format('account %s: checkpoint %s says %s to %s, entries are of %s to %s',
                  account_id, upto_place, first_at, last_at, earliest, latest)
      FROM stretches WHERE first_at IS DISTINCT FROM earliest OR last_at IS DISTINCT FROM latest
$$;

CREATE FUNCTION public.ledger_post(p_id text, p_ref text, p_kind text, p_order_id text, p_at timestamp with time zone, p_note text, p_by_id text, p_overdraw boolean, p_codes text[], p_amounts bigint[], p_account_ids text[], p_kinds text[], p_owners text[], p_units text[], p_floors bigint[], p_may_overdraw boolean[]) RETURNS TABLE(outcome text, posted_id text, posted_at timestamp with time zone, posted_codes text[], posted_amounts bigint[], posted_balances bigint[])
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    v_count    int := cardinality(p_codes);
    v_ids      text[];      -- the accounts, in the order of p_codes; so are the arrays below
    v_units    text[];
    v_floors   bigint[];
    v_lenient  boolean[];
    v_balances bigint[];    -- NULL for accounts without a floor
    v_versions bigint[];
    v_fen      bigint := 0; -- what the transfer sums to, in either unit
    v_points   bigint := 0;
    v_short    int;
    v_is_full  boolean := false;
    v_first    ledger_transfers;
BEGIN
    FOR attempt IN 1..2 LOOP
        -- The unit and the floor are the account's own, not what the caller believes.
        SELECT array_agg(id), array_agg(unit), array_agg(floor_fen), array_agg(may_overdraw)
          INTO v_ids, v_units, v_floors, v_lenient
          FROM (SELECT id, unit, floor_fen, may_overdraw FROM ledger_accounts
                 WHERE code = ANY (p_codes) ORDER BY array_position(p_codes, code)) AS found;
        EXIT WHEN cardinality(v_ids) = v_count;
        INSERT INTO ledger_accounts (id, code, kind, owner_id, unit, floor_fen, may_overdraw, balance_fen, version)
        SELECT new.id, new.code, new.kind, new.owner_id, new.unit, new.floor_fen, new.may_overdraw,
               CASE WHEN new.floor_fen IS NOT NULL THEN 0 END, CASE WHEN new.floor_fen IS NOT NULL THEN 0 END
          FROM unnest(p_account_ids, p_codes, p_kinds, p_owners, p_units, p_floors, p_may_overdraw)
               AS new (id, code, kind, owner_id, unit, floor_fen, may_overdraw)
         ORDER BY new.code COLLATE "C"
            ON CONFLICT (code) DO NOTHING;
    END LOOP;

    -- One account for each code: fewer means that one is named twice.
    IF v_count < 2 OR cardinality(v_ids) IS DISTINCT FROM v_count THEN
        RAISE EXCEPTION 'transfer %: needs two accounts or more, none named twice', p_ref USING ERRCODE = 'check_violation';
    END IF;
    FOR i IN 1..v_count LOOP
        IF v_units[i] = 'CNY' THEN
            v_fen := v_fen + p_amounts[i];
        ELSE
            v_points := v_points + p_amounts[i];
        END IF;
    END LOOP;
    IF v_fen <> 0 OR v_points <> 0 THEN
        RAISE EXCEPTION 'transfer %: does not sum to zero', p_ref USING ERRCODE = 'check_violation';
    END IF;

    WITH locked AS MATERIALIZED (
        SELECT id, balance_fen, version
          FROM ledger_accounts
         WHERE id = ANY (v_ids) AND floor_fen IS NOT NULL
         ORDER BY id COLLATE "C"
           FOR NO KEY UPDATE
    )
    SELECT array_agg(locked.balance_fen ORDER BY n), array_agg(locked.version ORDER BY n)
      INTO v_balances, v_versions
      FROM unnest(v_ids) WITH ORDINALITY AS given (id, n) LEFT JOIN locked USING (id);

    FOR i IN 1..v_count LOOP
        CONTINUE WHEN v_floors[i] IS NULL;
        v_balances[i] := v_balances[i] + p_amounts[i];
        v_versions[i] := v_versions[i] + 1;
        v_is_full := v_is_full OR v_versions[i] % ledger_step() = 0;
        -- Income is never refused: an overdrawn account may come back step by step.
        IF p_amounts[i] < 0 AND v_balances[i] < v_floors[i] AND NOT (p_overdraw AND v_lenient[i]) THEN
            v_short := coalesce(v_short, i);
        END IF;
    END LOOP;

    SELECT * INTO v_first FROM ledger_transfers WHERE ref = p_ref;
    IF NOT FOUND THEN
        IF v_short IS NOT NULL THEN
            RETURN QUERY SELECT 'short', p_id, p_at, ARRAY[p_codes[v_short]], NULL::bigint[],
                                ARRAY[v_balances[v_short] - p_amounts[v_short]];
            RETURN;
        END IF;
        INSERT INTO ledger_transfers (id, ref, kind, order_id, at, note, by_id)
        VALUES (p_id, p_ref, p_kind, p_order_id, p_at, p_note, p_by_id)
            ON CONFLICT (ref) DO NOTHING;
        IF NOT FOUND THEN
            -- Another transaction posted this reference between our look and our insert, over other accounts.
            SELECT * INTO v_first FROM ledger_transfers WHERE ref = p_ref;
        END IF;
    END IF;

    IF v_first.id IS NOT NULL THEN
        RETURN QUERY
        SELECT CASE WHEN v_first.kind = p_kind AND v_first.order_id IS NOT DISTINCT FROM p_order_id
                         AND count(*) = v_count AND count(*) FILTER (WHERE e.amount_fen = given.amount) = v_count
                    THEN 'repeated' ELSE 'ref_reused' END,
               v_first.id, v_first.at,
               array_agg(a.code ORDER BY e.n), array_agg(e.amount_fen ORDER BY e.n), array_agg(e.balance_after_fen ORDER BY e.n)
          FROM ledger_entries AS e
          JOIN ledger_accounts AS a ON a.id = e.account_id
          LEFT JOIN unnest(p_codes, p_amounts) AS given (code, amount) ON given.code = a.code
         WHERE e.transfer_id = v_first.id;
        RETURN;
    END IF;

    UPDATE ledger_accounts
       SET balance_fen = v_balances[array_position(v_ids, id)], version = v_versions[array_position(v_ids, id)]
     WHERE id = ANY (v_ids) AND floor_fen IS NOT NULL;
    -- The transfer above has made this transaction a number, so whoever draws a place has one: `ledger_roll_up` counts on it.
    INSERT INTO ledger_entries (transfer_id, n, account_id, amount_fen, balance_after_fen, account_version, place, at)
    SELECT p_id, n, id, amount, balance, version, coalesce(version, nextval('ledger_places')), p_at
      FROM unnest(v_ids, p_amounts, v_balances, v_versions) WITH ORDINALITY AS line (id, amount, balance, version, n);
    IF v_is_full THEN
        FOR i IN 1..v_count LOOP
            CONTINUE WHEN v_versions[i] IS NULL;
            LOOP
                EXIT WHEN NOT ledger_checkpoint(v_ids[i], v_versions[i]);
            END LOOP;
        END LOOP;
    END IF;
    RETURN QUERY SELECT 'posted', p_id, p_at, p_codes, p_amounts, v_balances;
END $$;

CREATE FUNCTION public.ledger_refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change; post a transfer that corrects', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION public.ledger_refuse_strangers() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_stack text;
BEGIN
    GET DIAGNOSTICS v_stack = PG_CONTEXT;
    IF position('ledger_post(text' IN v_stack) = 0 AND position('ledger_checkpoint(text' IN v_stack) = 0 THEN
        RAISE EXCEPTION 'only ledger_post writes to %', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.ledger_roll_up(p_upto bigint, p_xid xid8) RETURNS TABLE(written integer, upto bigint, xid xid8)
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_account_id text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ledger_roll_up'));
    written := 0;
    IF p_xid <= pg_snapshot_xmin(pg_current_snapshot()) THEN
        FOR v_account_id IN SELECT id FROM ledger_accounts WHERE floor_fen IS NULL LOOP
            IF ledger_checkpoint(v_account_id, p_upto) THEN
                written := written + 1;
            END IF;
        END LOOP;
    ELSIF p_xid < pg_snapshot_xmax(pg_current_snapshot()) THEN
        upto := p_upto;
        xid := p_xid;
    END IF;
    IF written > 0 THEN
        upto := p_upto;
        xid := p_xid;
    ELSIF xid IS NULL AND pg_current_xact_id_if_assigned() IS NULL THEN
        -- In this order, and only where this transaction has no number yet: else somebody with a greater number might
        -- have drawn a place that we call drawn.
        SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO upto FROM ledger_places;
        xid := pg_current_xact_id();
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION public.ledger_step() RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS $$SELECT 5000::bigint$$;

CREATE FUNCTION public.member_use(p_account_id text, p_line text, p_order_id text, p_level text, p_ends_at timestamp with time zone, p_at timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO member_uses (membership_id, order_id, membership_version, at)
    SELECT id, p_order_id, version, p_at FROM memberships
     WHERE account_id = p_account_id AND line = p_line AND state = 'active' AND level = p_level AND ends_at = p_ends_at
       FOR SHARE
    ON CONFLICT (membership_id, order_id) DO UPDATE
       SET membership_version = EXCLUDED.membership_version, at = EXCLUDED.at;
    IF NOT FOUND THEN
        RAISE 'the membership is another by now' USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

CREATE FUNCTION public.order_gate(p_id text, p_owner text) RETURNS TABLE(provider_id text)
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM orders o WHERE o.id = p_id AND (p_owner IS NULL OR o.customer_id = p_owner)) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended(p_id, 0));
    RETURN QUERY SELECT o.provider_id FROM orders o WHERE o.id = p_id;
END $$;

CREATE FUNCTION public.order_place(p_id text, p_no text, p_line text, p_kind text, p_mode text, p_parent_id text, p_customer_id text, p_call_id text, p_status text, p_total_fen bigint, p_snapshot jsonb, p_at timestamp with time zone, p_actor text, p_verb text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO orders (id, no, line, kind, mode, parent_id, customer_id, call_id, status, version, total_fen,
                        snapshot, created_at, updated_at)
    VALUES (p_id, p_no, p_line, p_kind, p_mode, p_parent_id, p_customer_id, p_call_id, p_status, 1, p_total_fen,
            p_snapshot, p_at, p_at);
    INSERT INTO order_events (order_id, n, at, actor, verb, from_status, to_status)
    VALUES (p_id, 1, p_at, p_actor, p_verb, NULL, p_status);
END $$;

CREATE FUNCTION public.queue_circle(p_queue_id text, p_tenant_id text) RETURNS text[]
    LANGUAGE sql STABLE
    AS $$
    SELECT ARRAY(SELECT a.id || E'\n' || coalesce(a.tenant_id, '') FROM desk_agents a
                  WHERE EXISTS (SELECT FROM queue_members m WHERE m.queue_id = p_queue_id AND m.agent_id = a.id)
                     OR (a.is_supervisor AND (a.tenant_id IS NULL OR a.tenant_id = p_tenant_id))
                  ORDER BY a.id)
$$;

CREATE FUNCTION public.rows_never_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION public.say_message(p_conversation text, p_version bigint, p_sender text, p_role text, p_client text, p_kind text, p_internal boolean, p_body text, p_data jsonb, p_file text, p_reply_to bigint, p_target bigint, p_changes_from timestamp with time zone, p_base_seq bigint, p_words text, p_at timestamp with time zone, p_wait boolean) RETURNS TABLE(outcome text, is_told boolean, fills jsonb)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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

CREATE FUNCTION public.say_message_fills(p_seq bigint, p_prev bigint, p_at timestamp with time zone) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $$
    SELECT jsonb_build_object('message_seq', p_seq, 'prev_seq', p_prev,
                              'said_at', to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
$$;

CREATE FUNCTION public.settlement_line_keeps() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (OLD.id, OLD.settlement_id, OLD.n, OLD.kind, OLD.party_kind, OLD.party_id, OLD.cause,
        OLD.amount_fen, OLD.split_version, OLD.reverses_id, OLD.reason, OLD.by_id, OLD.at) IS DISTINCT FROM
        (NEW.id, NEW.settlement_id, NEW.n, NEW.kind, NEW.party_kind, NEW.party_id, NEW.cause,
        NEW.amount_fen, NEW.split_version, NEW.reverses_id, NEW.reason, NEW.by_id, NEW.at) THEN
        RAISE EXCEPTION 'settlement lines are only reversed' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION public.tx_write(p_at timestamp with time zone, p_fact_ids text[], p_topics text[], p_bodies text[], p_audiences text[], p_expires_at timestamp with time zone[], p_gone text[], p_keys text[], p_kinds text[], p_due_at timestamp with time zone[], p_payloads text[], p_scope text, p_key text, p_fingerprint bytea, p_status integer, p_headers text, p_answer bytea, p_job bigint, p_lease text, p_fills jsonb DEFAULT NULL::jsonb) RETURNS boolean
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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

CREATE FUNCTION public.worker_fixes_drop_days(first_kept date) RETURNS integer
    LANGUAGE plpgsql
    AS $_$
DECLARE
    dropped int := 0;
    partition_name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('worker_fixes_days'));
    FOR partition_name IN
        SELECT child.relname
          FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
         WHERE inhparent = 'worker_fixes'::regclass
           AND child.relname ~ '^worker_fixes_[0-9]{8}$'
           AND to_date(right(child.relname, 8), 'YYYYMMDD') < first_kept
         ORDER BY child.relname
    LOOP
        EXECUTE format('DROP TABLE %I', partition_name);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM worker_fixes_default WHERE at < first_kept::timestamp AT TIME ZONE 'UTC';
    RETURN dropped;
END $_$;

CREATE FUNCTION public.worker_fixes_make_days(first_day date, days integer) RETURNS integer
    LANGUAGE plpgsql
    AS $_$
DECLARE
    made int := 0;
    day date;
    partition_name text;
    day_start timestamptz;
    day_end timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('worker_fixes_days'));
    FOR day IN SELECT first_day + n FROM generate_series(0, days - 1) AS n LOOP
        partition_name := 'worker_fixes_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(partition_name) IS NOT NULL;
        day_start := day::timestamp AT TIME ZONE 'UTC';
        day_end := (day + 1)::timestamp AT TIME ZONE 'UTC';
        -- Attaching is refused while the default partition holds rows of the day: move them first.
        EXECUTE format('CREATE TABLE %I (LIKE worker_fixes INCLUDING ALL)', partition_name);
        EXECUTE format('WITH moved AS (DELETE FROM worker_fixes_default WHERE at >= $1 AND at < $2 RETURNING *)
                        INSERT INTO %I SELECT * FROM moved', partition_name) USING day_start, day_end;
        EXECUTE format('ALTER TABLE worker_fixes ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       partition_name, day_start, day_end);
        made := made + 1;
    END LOOP;
    RETURN made;
END $_$;

CREATE FUNCTION public.workers_hold(p_ids text[]) RETURNS void
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    PERFORM FROM workers WHERE id = ANY(p_ids) ORDER BY id FOR NO KEY UPDATE;
END $$;

CREATE TABLE public.accounts (
    id text NOT NULL,
    phone text NOT NULL COLLATE pg_catalog."C",
    nickname text DEFAULT ''::text NOT NULL,
    roles text[] NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    roles_changed_at timestamp with time zone,
    version integer DEFAULT 1 NOT NULL,
    tenant_id text,
    CONSTRAINT accounts_nickname_check CHECK ((length(nickname) <= 40)),
    CONSTRAINT accounts_one_side CHECK ((((tenant_id IS NOT NULL) = (roles && ARRAY['tenant_agent'::text, 'tenant_supervisor'::text, 'tenant_admin'::text])) AND ((tenant_id IS NULL) OR (NOT (roles && ARRAY['support'::text, 'finance'::text, 'ops'::text, 'supervisor'::text, 'admin'::text]))))),
    CONSTRAINT accounts_phone_check CHECK ((phone ~ '^\+[1-9][0-9]{6,14}$'::text)),
    CONSTRAINT accounts_roles_check CHECK ((('user'::text = ANY (roles)) AND (roles <@ ARRAY['user'::text, 'technician'::text, 'support'::text, 'finance'::text, 'ops'::text, 'supervisor'::text, 'admin'::text, 'tenant_agent'::text, 'tenant_supervisor'::text, 'tenant_admin'::text]))),
    CONSTRAINT accounts_status_check CHECK ((status = ANY (ARRAY['active'::text, 'closed'::text])))
);

CREATE TABLE public.agent_skills (
    agent_id text NOT NULL,
    skill text NOT NULL,
    level smallint NOT NULL,
    CONSTRAINT agent_skills_level_check CHECK (((level >= 1) AND (level <= 5)))
);

CREATE TABLE public.agent_state_log (
    unit_no bigint NOT NULL,
    agent_id text NOT NULL,
    state text NOT NULL,
    source text NOT NULL,
    during tstzrange NOT NULL,
    CONSTRAINT agent_state_log_during_check CHECK ((NOT isempty(during))),
    CONSTRAINT agent_state_log_source_check CHECK ((source = ANY (ARRAY['agent'::text, 'supervisor'::text, 'misses'::text, 'lease'::text]))),
    CONSTRAINT agent_state_log_state_check CHECK ((state = ANY (ARRAY['online'::text, 'busy'::text, 'away'::text, 'offline'::text])))
);

CREATE TABLE public.announcements (
    id text NOT NULL,
    title jsonb NOT NULL,
    body jsonb NOT NULL,
    audiences text[] NOT NULL,
    begins_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    withdrawn boolean DEFAULT false NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT announcements_audiences_check CHECK (((cardinality(audiences) >= 1) AND (cardinality(audiences) <= 4))),
    CONSTRAINT announcements_audiences_check1 CHECK ((audiences <@ ARRAY['customers'::text, 'workers'::text, 'tenants'::text, 'staff'::text])),
    CONSTRAINT announcements_check CHECK ((ends_at > begins_at)),
    CONSTRAINT announcements_id_check CHECK ((id ~~ 'anc\_%'::text))
);

CREATE TABLE public.areas (
    code text NOT NULL,
    name text NOT NULL,
    level text NOT NULL,
    parent text,
    polygon bytea NOT NULL,
    west double precision NOT NULL,
    south double precision NOT NULL,
    east double precision NOT NULL,
    north double precision NOT NULL,
    source_crs text NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    imported_at timestamp with time zone NOT NULL,
    CONSTRAINT areas_check CHECK (((west <= east) AND (south <= north))),
    CONSTRAINT areas_source_crs_check CHECK ((source_crs = ANY (ARRAY['wgs84'::text, 'gcj02'::text])))
);

CREATE TABLE public.audit (
    id text NOT NULL,
    at timestamp with time zone NOT NULL,
    actor_id text NOT NULL,
    operation text NOT NULL,
    subject jsonb NOT NULL,
    subject_ids text[] NOT NULL,
    body jsonb,
    status integer NOT NULL,
    outcome_version text,
    request_id text NOT NULL,
    address text NOT NULL
);

CREATE TABLE public.bookings (
    id text NOT NULL,
    unit_no bigint NOT NULL,
    worker_id text NOT NULL,
    call_id text NOT NULL,
    during tstzrange NOT NULL,
    state text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT bookings_state_check CHECK ((state = ANY (ARRAY['held'::text, 'firm'::text, 'released'::text, 'done'::text])))
);

CREATE TABLE public.broadcasts (
    id text NOT NULL,
    title jsonb NOT NULL,
    body jsonb NOT NULL,
    link text,
    audience text NOT NULL,
    tenant_id text,
    account_ids text[],
    state text NOT NULL,
    send_at timestamp with time zone NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    begun_at timestamp with time zone,
    ended_at timestamp with time zone,
    place text DEFAULT ''::text NOT NULL,
    told integer DEFAULT 0 NOT NULL,
    sent integer DEFAULT 0 NOT NULL,
    delivered integer DEFAULT 0 NOT NULL,
    failed integer DEFAULT 0 NOT NULL,
    opened integer DEFAULT 0 NOT NULL,
    counted_at timestamp with time zone,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT broadcasts_account_ids_check CHECK (((cardinality(account_ids) >= 1) AND (cardinality(account_ids) <= 1000))),
    CONSTRAINT broadcasts_audience_check CHECK ((audience = ANY (ARRAY['everybody'::text, 'customers'::text, 'workers'::text, 'tenants'::text, 'tenant'::text, 'accounts'::text]))),
    CONSTRAINT broadcasts_check CHECK (((audience = 'tenant'::text) = (tenant_id IS NOT NULL))),
    CONSTRAINT broadcasts_check1 CHECK (((audience = 'accounts'::text) = (account_ids IS NOT NULL))),
    CONSTRAINT broadcasts_id_check CHECK ((id ~~ 'brc\_%'::text)),
    CONSTRAINT broadcasts_link_check CHECK ((length(link) <= 300)),
    CONSTRAINT broadcasts_state_check CHECK ((state = ANY (ARRAY['scheduled'::text, 'sending'::text, 'sent'::text, 'cancelled'::text])))
);

CREATE TABLE public.calendars (
    id text NOT NULL,
    tenant_id text,
    name text NOT NULL,
    zone text NOT NULL,
    week jsonb NOT NULL,
    overrides jsonb NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL
);

CREATE TABLE public.case_events (
    case_id text NOT NULL,
    n bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text,
    verb text NOT NULL,
    data jsonb NOT NULL,
    CONSTRAINT case_events_n_check CHECK ((n > 0))
);

CREATE TABLE public.cases (
    id text NOT NULL,
    type text NOT NULL,
    line text NOT NULL,
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    title text NOT NULL,
    state text NOT NULL,
    stage text NOT NULL,
    priority smallint NOT NULL,
    audience text[] NOT NULL,
    due_at timestamp with time zone NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    taken_by text,
    taken_at timestamp with time zone,
    closed_by text,
    closed_at timestamp with time zone,
    outcome text,
    note text,
    version bigint DEFAULT 1 NOT NULL,
    parties text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT cases_check CHECK ((((state = 'closed'::text) = (closed_at IS NOT NULL)) AND ((state = 'closed'::text) = (outcome IS NOT NULL)))),
    CONSTRAINT cases_check1 CHECK (((state <> 'taken'::text) OR (taken_by IS NOT NULL))),
    CONSTRAINT cases_priority_check CHECK (((priority >= 0) AND (priority <= 9))),
    CONSTRAINT cases_stage_check CHECK ((stage = ANY (ARRAY['queue'::text, 'all'::text, 'lead'::text]))),
    CONSTRAINT cases_state_check CHECK ((state = ANY (ARRAY['open'::text, 'taken'::text, 'closed'::text])))
);

CREATE TABLE public.channel_attempts (
    payment_id text NOT NULL,
    order_id text NOT NULL,
    account_id text NOT NULL,
    channel text NOT NULL,
    amount_fen bigint NOT NULL,
    state text NOT NULL,
    payer text,
    description text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    params text,
    trade_no text,
    reason text,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    is_shared boolean DEFAULT false NOT NULL,
    CONSTRAINT channel_attempts_amount_fen_check CHECK ((amount_fen > 0)),
    CONSTRAINT channel_attempts_channel_check CHECK ((channel = ANY (ARRAY['wechat'::text, 'alipay'::text]))),
    CONSTRAINT channel_attempts_check CHECK (((trade_no IS NOT NULL) = (state = 'paid'::text))),
    CONSTRAINT channel_attempts_description_check CHECK (((length(description) >= 1) AND (length(description) <= 128))),
    CONSTRAINT channel_attempts_payer_check CHECK (((length(payer) >= 1) AND (length(payer) <= 64))),
    CONSTRAINT channel_attempts_state_check CHECK ((state = ANY (ARRAY['asking'::text, 'ready'::text, 'closing'::text, 'refused'::text, 'paid'::text, 'closed'::text])))
);

CREATE TABLE public.channel_bill_lines (
    channel text NOT NULL,
    day date NOT NULL,
    n integer NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    out_trade_no text NOT NULL,
    trade_no text NOT NULL,
    amount_fen bigint NOT NULL,
    fee_fen bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    state text NOT NULL,
    is_ours boolean NOT NULL,
    CONSTRAINT channel_bill_lines_amount_fen_check CHECK ((amount_fen >= 0)),
    CONSTRAINT channel_bill_lines_channel_check CHECK ((channel = ANY (ARRAY['wechat'::text, 'alipay'::text]))),
    CONSTRAINT channel_bill_lines_kind_check CHECK ((kind = ANY (ARRAY['payment'::text, 'refund'::text]))),
    CONSTRAINT channel_bill_lines_n_check CHECK ((n >= 1)),
    CONSTRAINT channel_bill_lines_state_check CHECK ((state = ANY (ARRAY['done'::text, 'processing'::text, 'failed'::text])))
);

CREATE TABLE public.channel_news (
    id text NOT NULL,
    channel text NOT NULL,
    notify_id text NOT NULL,
    body bytea NOT NULL,
    outcome text NOT NULL,
    out_trade_no text,
    trade_no text,
    amount_fen bigint,
    received_at timestamp with time zone NOT NULL,
    CONSTRAINT channel_news_body_check CHECK ((length(body) <= 65536)),
    CONSTRAINT channel_news_channel_check CHECK ((channel = ANY (ARRAY['wechat'::text, 'alipay'::text]))),
    CONSTRAINT channel_news_notify_id_check CHECK (((length(notify_id) >= 1) AND (length(notify_id) <= 160))),
    CONSTRAINT channel_news_outcome_check CHECK ((outcome = ANY (ARRAY['passed_on'::text, 'repeated'::text, 'noted'::text, 'refund_done'::text, 'unknown_order'::text, 'wrong_amount'::text, 'second_money'::text, 'wrong_merchant'::text, 'wrong_currency'::text, 'wrong_refund'::text])))
);

CREATE TABLE public.channel_nonces (
    channel text NOT NULL,
    nonce text NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    CONSTRAINT channel_nonces_nonce_check CHECK (((length(nonce) >= 1) AND (length(nonce) <= 128)))
);

CREATE TABLE public.channel_refunds (
    id text NOT NULL,
    payment_id text,
    channel text NOT NULL,
    ref text NOT NULL,
    amount_fen bigint NOT NULL,
    total_fen bigint NOT NULL,
    reason text NOT NULL,
    state text NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    problem text,
    channel_ref text,
    version bigint DEFAULT 1 NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    trade_no text,
    slow_at timestamp with time zone,
    CONSTRAINT channel_refunds_channel_check CHECK ((channel = ANY (ARRAY['wechat'::text, 'alipay'::text, 'offline'::text]))),
    CONSTRAINT channel_refunds_check CHECK (((amount_fen > 0) AND (amount_fen <= total_fen))),
    CONSTRAINT channel_refunds_check1 CHECK (((ended_at IS NOT NULL) = (state = 'done'::text))),
    CONSTRAINT channel_refunds_check2 CHECK (((payment_id IS NOT NULL) OR (trade_no IS NOT NULL))),
    CONSTRAINT channel_refunds_state_check CHECK ((state = ANY (ARRAY['requested'::text, 'accepted'::text, 'done'::text, 'manual'::text])))
);

CREATE TABLE public.chat_waits (
    conversation_id text NOT NULL,
    account_id text NOT NULL,
    fact_id text NOT NULL,
    is_waiting boolean NOT NULL,
    pushed_at timestamp with time zone,
    pushed_seq bigint DEFAULT 0 NOT NULL,
    changed_at timestamp with time zone NOT NULL
);

CREATE TABLE public.desk_queues (
    id text NOT NULL,
    tenant_id text,
    name text NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    calendar_id text,
    strategy text DEFAULT 'balanced'::text NOT NULL,
    accept_s integer NOT NULL,
    reply_s integer NOT NULL,
    relax_s integer NOT NULL,
    offer_ticket_s integer NOT NULL,
    idle_warn_s integer NOT NULL,
    idle_close_s integer NOT NULL,
    overflow_queue_id text,
    overflow_s integer NOT NULL,
    sla jsonb NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    members_only boolean DEFAULT false NOT NULL,
    auto_close_s integer DEFAULT 259200 NOT NULL,
    reopen_days integer DEFAULT 7 NOT NULL,
    greeting jsonb DEFAULT '{}'::jsonb NOT NULL,
    closed_notice jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT desk_queues_accept_s_check CHECK (((accept_s >= 5) AND (accept_s <= 600))),
    CONSTRAINT desk_queues_auto_close_s_check CHECK (((auto_close_s >= 3600) AND (auto_close_s <= 2592000))),
    CONSTRAINT desk_queues_check CHECK (((idle_close_s > idle_warn_s) AND (idle_close_s <= 172800))),
    CONSTRAINT desk_queues_check1 CHECK ((overflow_queue_id <> id)),
    CONSTRAINT desk_queues_closed_notice_check CHECK ((jsonb_typeof(closed_notice) = 'object'::text)),
    CONSTRAINT desk_queues_greeting_check CHECK ((jsonb_typeof(greeting) = 'object'::text)),
    CONSTRAINT desk_queues_idle_warn_s_check CHECK (((idle_warn_s >= 60) AND (idle_warn_s <= 86400))),
    CONSTRAINT desk_queues_offer_ticket_s_check CHECK (((offer_ticket_s >= 10) AND (offer_ticket_s <= 86400))),
    CONSTRAINT desk_queues_overflow_s_check CHECK (((overflow_s >= 0) AND (overflow_s <= 86400))),
    CONSTRAINT desk_queues_relax_s_check CHECK (((relax_s >= 0) AND (relax_s <= 86400))),
    CONSTRAINT desk_queues_reopen_days_check CHECK (((reopen_days >= 0) AND (reopen_days <= 90))),
    CONSTRAINT desk_queues_reply_s_check CHECK (((reply_s >= 30) AND (reply_s <= 86400))),
    CONSTRAINT desk_queues_strategy_check CHECK ((strategy = ANY (ARRAY['balanced'::text, 'round_robin'::text])))
);

CREATE VIEW public.conversation_circles AS
 SELECT t.conversation_id,
    w.circle,
    ARRAY( SELECT split_part(one.one, '
'::text, 1) AS split_part
           FROM unnest(w.circle) one(one)) AS ids
   FROM ((public.desk_threads t
     JOIN public.desk_queues q ON (((q.id = t.queue_id) AND q.members_only)))
     CROSS JOIN LATERAL ( SELECT public.queue_circle(q.id, t.tenant_id) AS circle) w);

CREATE TABLE public.conversations (
    id text NOT NULL,
    kind text NOT NULL,
    tenant_id text,
    customer_id text,
    subject_kind text,
    subject_id text,
    status text NOT NULL,
    is_handed boolean DEFAULT false NOT NULL,
    assignee_id text,
    assign_epoch bigint DEFAULT 0 NOT NULL,
    last_seq bigint DEFAULT 0 NOT NULL,
    public_seq bigint DEFAULT 0 NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    waiting_since timestamp with time zone,
    closed_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    CONSTRAINT conversations_check CHECK (((tenant_id IS NOT NULL) OR (NOT is_handed))),
    CONSTRAINT conversations_check1 CHECK (((public_seq >= 0) AND (public_seq <= last_seq))),
    CONSTRAINT conversations_check2 CHECK (((subject_kind IS NULL) = (subject_id IS NULL))),
    CONSTRAINT conversations_check3 CHECK (((status = 'closed'::text) = (closed_at IS NOT NULL))),
    CONSTRAINT conversations_kind_check CHECK ((kind = ANY (ARRAY['chat'::text, 'ticket'::text, 'trip'::text, 'remote_drive'::text]))),
    CONSTRAINT conversations_status_check CHECK ((status = ANY (ARRAY['open'::text, 'closed'::text])))
)
WITH (fillfactor='70');

CREATE TABLE public.coupon_gifts (
    id text NOT NULL,
    template_id text NOT NULL,
    by_id text NOT NULL,
    reason text NOT NULL,
    case_id text,
    count integer NOT NULL,
    value_fen bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT coupon_gifts_count_check CHECK ((count >= 1)),
    CONSTRAINT coupon_gifts_value_fen_check CHECK ((value_fen >= 1))
);

CREATE TABLE public.coupon_templates (
    id text NOT NULL,
    name jsonb NOT NULL,
    line text,
    amount_fen bigint,
    percent_bps integer,
    cap_fen bigint,
    threshold_fen bigint NOT NULL,
    item_ids text[] NOT NULL,
    worker_ids text[] NOT NULL,
    region_codes text[] NOT NULL,
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    valid_days integer,
    quota integer NOT NULL,
    issued integer DEFAULT 0 NOT NULL,
    per_account_max integer NOT NULL,
    claimable boolean NOT NULL,
    active boolean NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    member_line text,
    member_levels text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT coupon_templates_amount_fen_check CHECK (((amount_fen >= 1) AND (amount_fen <= '1000000000000'::bigint))),
    CONSTRAINT coupon_templates_cap_fen_check CHECK (((cap_fen >= 1) AND (cap_fen <= '1000000000000'::bigint))),
    CONSTRAINT coupon_templates_check CHECK ((((amount_fen IS NULL) <> (percent_bps IS NULL)) AND ((percent_bps IS NULL) = (cap_fen IS NULL)))),
    CONSTRAINT coupon_templates_check1 CHECK ((((valid_days IS NULL) = (valid_from IS NOT NULL)) AND ((valid_from IS NULL) = (valid_until IS NULL)))),
    CONSTRAINT coupon_templates_check2 CHECK ((valid_until > valid_from)),
    CONSTRAINT coupon_templates_check3 CHECK ((issued <= quota)),
    CONSTRAINT coupon_templates_issued_check CHECK ((issued >= 0)),
    CONSTRAINT coupon_templates_members CHECK (((member_line IS NOT NULL) OR (member_levels = '{}'::text[]))),
    CONSTRAINT coupon_templates_per_account_max_check CHECK ((per_account_max >= 1)),
    CONSTRAINT coupon_templates_percent_bps_check CHECK (((percent_bps >= 1) AND (percent_bps <= 10000))),
    CONSTRAINT coupon_templates_quota_check CHECK ((quota >= 1)),
    CONSTRAINT coupon_templates_threshold_fen_check CHECK (((threshold_fen >= 0) AND (threshold_fen <= '1000000000000'::bigint))),
    CONSTRAINT coupon_templates_valid_days_check CHECK (((valid_days >= 1) AND (valid_days <= 3650)))
)
WITH (fillfactor='80');

CREATE TABLE public.coupons (
    id text NOT NULL,
    template_id text NOT NULL,
    account_id text NOT NULL,
    seq integer NOT NULL,
    state text NOT NULL,
    order_id text,
    source text NOT NULL,
    gift_id text,
    valid_from timestamp with time zone NOT NULL,
    valid_until timestamp with time zone NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    locked_at timestamp with time zone,
    used_at timestamp with time zone,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT coupons_check CHECK ((valid_until > valid_from)),
    CONSTRAINT coupons_check1 CHECK (((source = 'gift'::text) = (gift_id IS NOT NULL))),
    CONSTRAINT coupons_check2 CHECK ((((state = ANY (ARRAY['locked'::text, 'used'::text])) = (order_id IS NOT NULL)) AND ((order_id IS NULL) = (locked_at IS NULL)))),
    CONSTRAINT coupons_check3 CHECK (((state = 'used'::text) = (used_at IS NOT NULL))),
    CONSTRAINT coupons_seq_check CHECK ((seq >= 1)),
    CONSTRAINT coupons_source_check CHECK ((source = ANY (ARRAY['claim'::text, 'gift'::text]))),
    CONSTRAINT coupons_state_check CHECK ((state = ANY (ARRAY['issued'::text, 'locked'::text, 'used'::text, 'expired'::text, 'revoked'::text])))
)
WITH (fillfactor='80');

CREATE TABLE public.deliveries (
    id text NOT NULL,
    notice_id text NOT NULL,
    account_id text NOT NULL,
    channel text NOT NULL,
    device_id text,
    state text NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    stands_for smallint DEFAULT 1 NOT NULL,
    ticket text,
    provider_ref text,
    problem text,
    created_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    is_bulk boolean DEFAULT false NOT NULL,
    CONSTRAINT deliveries_channel_check CHECK ((channel = ANY (ARRAY['push'::text, 'wechat'::text, 'sms'::text, 'wecom'::text]))),
    CONSTRAINT deliveries_check CHECK (((device_id IS NOT NULL) = (channel = ANY (ARRAY['push'::text, 'wechat'::text])))),
    CONSTRAINT deliveries_id_check CHECK ((id ~~ 'dlv\_%'::text)),
    CONSTRAINT deliveries_stands_for_check CHECK ((stands_for >= 1)),
    CONSTRAINT deliveries_state_check CHECK ((state = ANY (ARRAY['held'::text, 'queued'::text, 'sent'::text, 'delivered'::text, 'failed'::text, 'given_up'::text, 'dropped'::text])))
);

CREATE TABLE public.delivery_counts (
    day date NOT NULL,
    channel text NOT NULL,
    scope text NOT NULL,
    n integer NOT NULL,
    CONSTRAINT delivery_counts_n_check CHECK ((n >= 1))
);

CREATE TABLE public.desk_agents (
    id text NOT NULL,
    unit_no bigint NOT NULL,
    tenant_id text,
    name text NOT NULL,
    is_supervisor boolean DEFAULT false NOT NULL,
    calendar_id text,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL
);

ALTER TABLE public.desk_agents ALTER COLUMN unit_no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.desk_agents_unit_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.desk_events (
    no bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    conversation_id text NOT NULL,
    verb text NOT NULL,
    queue_id text,
    agent_id text,
    by_id text,
    epoch integer NOT NULL,
    detail jsonb
);

ALTER TABLE public.desk_events ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.desk_events_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.desk_ratings (
    id text NOT NULL,
    conversation_id text NOT NULL,
    closure_no integer NOT NULL,
    queue_id text NOT NULL,
    customer_id text NOT NULL,
    owner_id text,
    shares jsonb NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    score smallint,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    comment text,
    rated_at timestamp with time zone,
    edited_until timestamp with time zone,
    CONSTRAINT desk_ratings_check CHECK ((((score IS NULL) = (rated_at IS NULL)) AND ((score IS NULL) = (edited_until IS NULL)))),
    CONSTRAINT desk_ratings_score_check CHECK (((score >= 1) AND (score <= 5)))
);

CREATE TABLE public.desk_views (
    id text NOT NULL,
    holder text NOT NULL,
    slot smallint NOT NULL,
    name text NOT NULL,
    filter jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT desk_views_name_check CHECK (((length(name) >= 1) AND (length(name) <= 40))),
    CONSTRAINT desk_views_slot_check CHECK (((slot >= 1) AND (slot <= 20)))
);

CREATE TABLE public.drafts (
    agent_id text NOT NULL,
    conversation_id text NOT NULL,
    body text NOT NULL,
    base_seq bigint NOT NULL,
    saved_at timestamp with time zone NOT NULL,
    CONSTRAINT drafts_body_check CHECK (((char_length(body) >= 1) AND (char_length(body) <= 4000)))
);

CREATE TABLE public.exports (
    id text NOT NULL,
    account_id text NOT NULL,
    kind text NOT NULL,
    format text NOT NULL,
    language text NOT NULL,
    filters jsonb NOT NULL,
    scope jsonb NOT NULL,
    state text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    claimed_until timestamp with time zone,
    file_id text,
    row_count integer,
    problem text,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT exports_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT exports_check CHECK (((state = 'waiting'::text) = (ended_at IS NULL))),
    CONSTRAINT exports_check1 CHECK (((state = 'done'::text) = ((file_id IS NOT NULL) AND (row_count IS NOT NULL)))),
    CONSTRAINT exports_check2 CHECK (((state = 'failed'::text) = (problem IS NOT NULL))),
    CONSTRAINT exports_format_check CHECK ((format = ANY (ARRAY['csv'::text, 'xlsx'::text, 'pdf'::text]))),
    CONSTRAINT exports_id_check CHECK ((id ~~ 'exp\_%'::text)),
    CONSTRAINT exports_language_check CHECK ((language = ANY (ARRAY['zh'::text, 'en'::text]))),
    CONSTRAINT exports_row_count_check CHECK ((row_count >= 0)),
    CONSTRAINT exports_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'done'::text, 'failed'::text])))
);

CREATE TABLE public.feed_audience (
    audience text NOT NULL,
    seq bigint NOT NULL
);

CREATE TABLE public.feedback (
    id text NOT NULL,
    account_id text NOT NULL,
    side text NOT NULL,
    tenant_id text,
    kind text NOT NULL,
    body text NOT NULL,
    file_ids text[] NOT NULL,
    state text NOT NULL,
    reply text,
    handled_by text,
    replied_at timestamp with time zone,
    day date NOT NULL,
    day_no smallint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT feedback_body_check CHECK (((length(body) >= 1) AND (length(body) <= 2000))),
    CONSTRAINT feedback_check CHECK (((reply IS NULL) = (replied_at IS NULL))),
    CONSTRAINT feedback_check1 CHECK (((side = 'tenant'::text) = (tenant_id IS NOT NULL))),
    CONSTRAINT feedback_day_no_check CHECK (((day_no >= 1) AND (day_no <= 5))),
    CONSTRAINT feedback_file_ids_check CHECK ((cardinality(file_ids) <= 6)),
    CONSTRAINT feedback_id_check CHECK ((id ~~ 'fbk\_%'::text)),
    CONSTRAINT feedback_kind_check CHECK ((kind = ANY (ARRAY['fault'::text, 'idea'::text, 'complaint'::text, 'praise'::text, 'other'::text]))),
    CONSTRAINT feedback_reply_check CHECK (((length(reply) >= 1) AND (length(reply) <= 2000))),
    CONSTRAINT feedback_side_check CHECK ((side = ANY (ARRAY['customer'::text, 'worker'::text, 'tenant'::text]))),
    CONSTRAINT feedback_state_check CHECK ((state = ANY (ARRAY['open'::text, 'in_progress'::text, 'answered'::text, 'closed'::text])))
);

CREATE TABLE public.files (
    id text NOT NULL,
    owner_id text NOT NULL,
    purpose text NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    size integer NOT NULL,
    sha256 bytea NOT NULL,
    content bytea NOT NULL,
    subject_id text,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT files_check CHECK ((size = length(content))),
    CONSTRAINT files_check1 CHECK (((subject_id IS NULL) <> (expires_at IS NULL))),
    CONSTRAINT files_id_check CHECK ((id ~~ 'fil\_%'::text)),
    CONSTRAINT files_media_type_check CHECK ((media_type <> ''::text)),
    CONSTRAINT files_name_check CHECK (((length(name) >= 1) AND (length(name) <= 120))),
    CONSTRAINT files_owner_id_check CHECK ((owner_id <> ''::text)),
    CONSTRAINT files_purpose_check CHECK ((purpose <> ''::text)),
    CONSTRAINT files_sha256_check CHECK ((length(sha256) = 32)),
    CONSTRAINT files_size_check CHECK ((size > 0))
);
ALTER TABLE ONLY public.files ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE public.grabs (
    id text NOT NULL,
    call_id text NOT NULL,
    worker_id text NOT NULL,
    offer_id text NOT NULL,
    epoch integer NOT NULL,
    distance_m double precision NOT NULL,
    quote text NOT NULL,
    request_id text,
    state text NOT NULL,
    at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    CONSTRAINT grabs_check CHECK (((state = ANY (ARRAY['offered'::text, 'locked'::text, 'won'::text])) = (closed_at IS NULL))),
    CONSTRAINT grabs_state_check CHECK ((state = ANY (ARRAY['offered'::text, 'locked'::text, 'won'::text, 'lost'::text, 'unbound'::text, 'withdrawn'::text, 'void'::text])))
);

CREATE TABLE public.help_documents (
    id text NOT NULL,
    category text NOT NULL,
    place integer NOT NULL,
    title jsonb NOT NULL,
    body jsonb NOT NULL,
    terms text NOT NULL,
    published boolean NOT NULL,
    changed_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT help_documents_category_check CHECK ((category ~ '^[a-z][a-z0-9_]{0,31}$'::text)),
    CONSTRAINT help_documents_id_check CHECK ((id ~~ 'hlp\_%'::text))
);

CREATE TABLE public.homeservice_orders (
    order_id text NOT NULL,
    item_id text NOT NULL,
    qty integer NOT NULL,
    region_code text NOT NULL,
    contact text NOT NULL,
    phone text NOT NULL,
    detail text NOT NULL,
    lon double precision NOT NULL,
    lat double precision NOT NULL,
    start_at timestamp with time zone NOT NULL,
    minutes integer NOT NULL,
    item_fen bigint NOT NULL,
    travel_fen bigint,
    coupon_fen bigint DEFAULT 0 NOT NULL,
    voucher_fen bigint DEFAULT 0 NOT NULL,
    grab_id text,
    worker_id text,
    lock_epoch integer DEFAULT 0 NOT NULL,
    unbinds integer DEFAULT 0 NOT NULL,
    push_round integer DEFAULT 1 NOT NULL,
    no_grab_stage integer DEFAULT 0 NOT NULL,
    pool_entered_at timestamp with time zone NOT NULL,
    grab_first_at timestamp with time zone,
    lock_expires_at timestamp with time zone,
    no_grab_due_at timestamp with time zone,
    choice_due_at timestamp with time zone,
    pool_close_due_at timestamp with time zone,
    answer_due_at timestamp with time zone,
    departure_due_at timestamp with time zone,
    departed_at timestamp with time zone,
    arrived_at timestamp with time zone,
    started_at timestamp with time zone,
    ends_at timestamp with time zone,
    ended_at timestamp with time zone,
    leave_due_at timestamp with time zone,
    coupon_id text,
    wait_started_at timestamp with time zone,
    wait_due_at timestamp with time zone,
    travel_extra_fen bigint DEFAULT 0 NOT NULL,
    voucher_id text,
    voucher_worker_id text,
    member_fen bigint DEFAULT 0 NOT NULL,
    member_level text,
    member_until timestamp with time zone,
    CONSTRAINT homeservice_orders_check CHECK (((coupon_fen = 0) OR (coupon_id IS NOT NULL))),
    CONSTRAINT homeservice_orders_check1 CHECK ((((member_fen = 0) = (member_until IS NULL)) AND ((member_fen = 0) = (member_level IS NULL)))),
    CONSTRAINT homeservice_orders_coupon_fen_check CHECK ((coupon_fen >= 0)),
    CONSTRAINT homeservice_orders_item_fen_check CHECK ((item_fen >= 0)),
    CONSTRAINT homeservice_orders_member_fen_check CHECK ((member_fen >= 0)),
    CONSTRAINT homeservice_orders_minutes_check CHECK ((minutes >= 1)),
    CONSTRAINT homeservice_orders_qty_check CHECK ((qty >= 1)),
    CONSTRAINT homeservice_orders_travel_extra_fen_check CHECK ((travel_extra_fen >= 0)),
    CONSTRAINT homeservice_orders_travel_fen_check CHECK ((travel_fen >= 0)),
    CONSTRAINT homeservice_orders_voucher_fen_check CHECK ((voucher_fen >= 0))
)
WITH (fillfactor='80');

CREATE TABLE public.idempotency_keys (
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer,
    headers text,
    body bytea,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE public.invoice_events (
    invoice_id text NOT NULL,
    n integer NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    verb text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    detail text,
    CONSTRAINT invoice_events_n_check CHECK ((n >= 1))
);

CREATE TABLE public.invoice_lines (
    invoice_id text NOT NULL,
    n integer NOT NULL,
    subject_id text NOT NULL,
    name text NOT NULL,
    amount_fen bigint NOT NULL,
    tax_fen bigint NOT NULL,
    is_live boolean NOT NULL,
    CONSTRAINT invoice_lines_amount_fen_check CHECK ((amount_fen >= 0)),
    CONSTRAINT invoice_lines_check CHECK (((tax_fen >= 0) AND (tax_fen <= amount_fen))),
    CONSTRAINT invoice_lines_n_check CHECK ((n >= 1))
);

CREATE TABLE public.invoice_numbers (
    number text NOT NULL,
    invoice_id text NOT NULL,
    CONSTRAINT invoice_numbers_number_check CHECK ((number <> ''::text))
);

CREATE TABLE public.invoice_titles (
    id text NOT NULL,
    account_id text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    tax_no text,
    contact text,
    bank text,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT invoice_titles_check CHECK (((kind = 'company'::text) = (tax_no IS NOT NULL))),
    CONSTRAINT invoice_titles_id_check CHECK ((id ~~ 'ttl\_%'::text)),
    CONSTRAINT invoice_titles_kind_check CHECK ((kind = ANY (ARRAY['personal'::text, 'company'::text]))),
    CONSTRAINT invoice_titles_name_check CHECK ((name <> ''::text))
);

CREATE TABLE public.invoices (
    id text NOT NULL,
    account_id text NOT NULL,
    title jsonb NOT NULL,
    state text NOT NULL,
    tax_bps integer NOT NULL,
    amount_fen bigint NOT NULL,
    tax_fen bigint NOT NULL,
    needs_red boolean DEFAULT false NOT NULL,
    number text,
    red_number text,
    file_id text,
    red_file_id text,
    reason text,
    reissue boolean DEFAULT false NOT NULL,
    replaces_id text,
    version integer NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT invoices_amount_fen_check CHECK ((amount_fen >= 0)),
    CONSTRAINT invoices_check CHECK (((tax_fen >= 0) AND (tax_fen <= amount_fen))),
    CONSTRAINT invoices_check1 CHECK (((state <> ALL (ARRAY['issued'::text, 'voiding'::text, 'voided'::text])) OR ((number IS NOT NULL) AND (file_id IS NOT NULL)))),
    CONSTRAINT invoices_check2 CHECK (((state <> 'voided'::text) OR ((red_number IS NOT NULL) AND (red_file_id IS NOT NULL)))),
    CONSTRAINT invoices_id_check CHECK ((id ~~ 'inv\_%'::text)),
    CONSTRAINT invoices_state_check CHECK ((state = ANY (ARRAY['requested'::text, 'issuing'::text, 'issued'::text, 'rejected'::text, 'voiding'::text, 'voided'::text]))),
    CONSTRAINT invoices_tax_bps_check CHECK (((tax_bps >= 0) AND (tax_bps <= 10000))),
    CONSTRAINT invoices_version_check CHECK ((version >= 1))
);

CREATE TABLE public.items (
    id text NOT NULL,
    name jsonb NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    minutes integer NOT NULL,
    state text DEFAULT 'on'::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT items_minutes_check CHECK (((minutes >= 1) AND (minutes <= 1440))),
    CONSTRAINT items_state_check CHECK ((state = ANY (ARRAY['on'::text, 'off'::text])))
);

CREATE TABLE public.jobs (
    id bigint NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    payload text NOT NULL,
    due_at timestamp with time zone NOT NULL,
    first_due_at timestamp with time zone NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    lease text,
    leased_until timestamp with time zone,
    parked_at timestamp with time zone,
    last_error text
)
WITH (autovacuum_vacuum_scale_factor='0.0', autovacuum_vacuum_threshold='2000');

ALTER TABLE public.jobs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.last_served (
    customer_id text NOT NULL,
    scope text NOT NULL,
    agent_id text NOT NULL,
    at timestamp with time zone NOT NULL
);

CREATE TABLE public.ledger_accounts (
    id text NOT NULL,
    code text NOT NULL,
    kind text NOT NULL,
    owner_id text NOT NULL,
    unit text NOT NULL,
    floor_fen bigint,
    may_overdraw boolean DEFAULT false NOT NULL,
    balance_fen bigint,
    version bigint,
    CONSTRAINT ledger_accounts_check CHECK ((((floor_fen IS NULL) = (balance_fen IS NULL)) AND ((floor_fen IS NULL) = (version IS NULL)))),
    CONSTRAINT ledger_accounts_check1 CHECK ((may_overdraw OR (balance_fen >= floor_fen))),
    CONSTRAINT ledger_accounts_unit_check CHECK ((unit = ANY (ARRAY['CNY'::text, 'PTS'::text])))
)
WITH (fillfactor='80');

CREATE TABLE public.ledger_checkpoints (
    account_id text NOT NULL,
    from_place bigint NOT NULL,
    upto_place bigint NOT NULL,
    sum_fen bigint NOT NULL,
    balance_fen bigint NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    CONSTRAINT ledger_checkpoints_check CHECK (((from_place >= 0) AND (from_place < upto_place) AND (first_at <= last_at)))
);

CREATE TABLE public.ledger_entries (
    transfer_id text NOT NULL,
    n smallint NOT NULL,
    account_id text NOT NULL,
    amount_fen bigint NOT NULL,
    balance_after_fen bigint,
    account_version bigint,
    place bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT ledger_entries_amount_fen_check CHECK (((amount_fen <> 0) AND (abs(amount_fen) <= '1000000000000'::bigint))),
    CONSTRAINT ledger_entries_check CHECK (((balance_after_fen IS NULL) = (account_version IS NULL))),
    CONSTRAINT ledger_entries_check1 CHECK (((place >= 1) AND ((account_version IS NULL) OR (account_version = place)))),
    CONSTRAINT ledger_entries_n_check CHECK ((n >= 1))
);

CREATE SEQUENCE public.ledger_places
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.ledger_transfers (
    id text NOT NULL,
    ref text NOT NULL,
    kind text NOT NULL,
    order_id text,
    at timestamp with time zone NOT NULL,
    note text,
    by_id text
);

CREATE TABLE public.member_coupons (
    purchase_id text NOT NULL,
    n integer NOT NULL,
    template_id text NOT NULL,
    coupon_id text,
    skipped text,
    at timestamp with time zone NOT NULL,
    CONSTRAINT member_coupons_check CHECK (((coupon_id IS NULL) <> (skipped IS NULL))),
    CONSTRAINT member_coupons_n_check CHECK ((n >= 1))
);

CREATE TABLE public.member_levels (
    code text NOT NULL,
    version integer NOT NULL,
    line text NOT NULL,
    name jsonb NOT NULL,
    rank integer NOT NULL,
    price_fen bigint NOT NULL,
    months integer NOT NULL,
    discount_bps integer NOT NULL,
    coupon_templates text[] NOT NULL,
    on_sale boolean NOT NULL,
    changed_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT member_levels_discount_bps_check CHECK (((discount_bps >= 0) AND (discount_bps <= 9000))),
    CONSTRAINT member_levels_months_check CHECK (((months >= 1) AND (months <= 36))),
    CONSTRAINT member_levels_price_fen_check CHECK (((price_fen >= 1) AND (price_fen <= 1000000000))),
    CONSTRAINT member_levels_rank_check CHECK (((rank >= 1) AND (rank <= 100))),
    CONSTRAINT member_levels_version_check CHECK ((version >= 1))
);

CREATE TABLE public.member_purchases (
    id text NOT NULL,
    account_id text NOT NULL,
    line text NOT NULL,
    level text NOT NULL,
    level_version integer NOT NULL,
    kind text NOT NULL,
    price_fen bigint NOT NULL,
    method text NOT NULL,
    state text NOT NULL,
    reason text,
    carried_fen bigint DEFAULT 0 NOT NULL,
    starts_at timestamp with time zone,
    ends_at timestamp with time zone,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    former jsonb,
    membership_version integer,
    refunded_at timestamp with time zone,
    CONSTRAINT member_purchases_carried_fen_check CHECK ((carried_fen >= 0)),
    CONSTRAINT member_purchases_check1 CHECK (((starts_at IS NULL) = (ends_at IS NULL))),
    CONSTRAINT member_purchases_check2 CHECK (((state = 'closed'::text) = (reason IS NOT NULL))),
    CONSTRAINT member_purchases_former CHECK (((membership_version IS NOT NULL) OR (former IS NULL))),
    CONSTRAINT member_purchases_kind_check CHECK ((kind = ANY (ARRAY['buy'::text, 'renew'::text, 'upgrade'::text]))),
    CONSTRAINT member_purchases_method_check CHECK ((method = ANY (ARRAY['wallet'::text, 'wechat'::text, 'alipay'::text]))),
    CONSTRAINT member_purchases_paid CHECK (((state = ANY (ARRAY['paid'::text, 'done'::text, 'refunded'::text])) = (starts_at IS NOT NULL))),
    CONSTRAINT member_purchases_price_fen_check CHECK ((price_fen >= 1)),
    CONSTRAINT member_purchases_refunded CHECK (((state = 'refunded'::text) = (refunded_at IS NOT NULL))),
    CONSTRAINT member_purchases_state_check CHECK ((state = ANY (ARRAY['created'::text, 'paid'::text, 'done'::text, 'closed'::text, 'refunded'::text])))
)
WITH (fillfactor='80');

CREATE TABLE public.member_uses (
    membership_id text NOT NULL,
    order_id text NOT NULL,
    membership_version integer NOT NULL,
    at timestamp with time zone NOT NULL
)
WITH (fillfactor='80');

CREATE TABLE public.memberships (
    id text NOT NULL,
    account_id text NOT NULL,
    line text NOT NULL,
    state text NOT NULL,
    level text,
    level_version integer,
    rank integer,
    discount_bps integer,
    since timestamp with time zone,
    anchor_at timestamp with time zone,
    months integer,
    ends_at timestamp with time zone,
    worth_fen bigint DEFAULT 0 NOT NULL,
    worth_at timestamp with time zone,
    version integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT memberships_check CHECK (((state = 'none'::text) = (level IS NULL))),
    CONSTRAINT memberships_check1 CHECK ((num_nulls(level, level_version, rank, discount_bps, since, anchor_at, months, ends_at, worth_at) = ANY (ARRAY[0, 9]))),
    CONSTRAINT memberships_check2 CHECK (((since < ends_at) AND (worth_at < ends_at))),
    CONSTRAINT memberships_state_check CHECK ((state = ANY (ARRAY['none'::text, 'active'::text, 'expired'::text]))),
    CONSTRAINT memberships_worth_fen_check CHECK ((worth_fen >= 0))
)
WITH (fillfactor='80');

CREATE TABLE public.messages (
    conversation_id text NOT NULL,
    seq bigint NOT NULL,
    prev_seq bigint NOT NULL,
    sender_id text NOT NULL,
    sender_role text NOT NULL,
    client_id text NOT NULL,
    kind text NOT NULL,
    is_internal boolean NOT NULL,
    body text NOT NULL,
    data jsonb,
    file_id text,
    reply_to bigint,
    target_seq bigint,
    words text[] NOT NULL,
    at timestamp with time zone NOT NULL,
    edited_at timestamp with time zone,
    recalled_at timestamp with time zone,
    CONSTRAINT messages_body_check CHECK ((char_length(body) <= 4000)),
    CONSTRAINT messages_check CHECK ((prev_seq < seq)),
    CONSTRAINT messages_check1 CHECK ((reply_to < seq)),
    CONSTRAINT messages_check2 CHECK ((target_seq < seq)),
    CONSTRAINT messages_check3 CHECK (((kind = ANY (ARRAY['edit'::text, 'recall'::text])) = (target_seq IS NOT NULL))),
    CONSTRAINT messages_check4 CHECK (((kind <> 'note'::text) OR is_internal)),
    CONSTRAINT messages_check5 CHECK (((recalled_at IS NULL) OR ((body = ''::text) AND (data IS NULL) AND (file_id IS NULL) AND (words = '{}'::text[])))),
    CONSTRAINT messages_kind_check CHECK ((kind = ANY (ARRAY['text'::text, 'image'::text, 'file'::text, 'location'::text, 'order_card'::text, 'system'::text, 'note'::text, 'edit'::text, 'recall'::text]))),
    CONSTRAINT messages_sender_role_check CHECK ((sender_role = ANY (ARRAY['customer'::text, 'worker'::text, 'agent'::text, 'supervisor'::text, 'system'::text]))),
    CONSTRAINT messages_seq_check CHECK ((seq >= 1))
);

CREATE TABLE public.notice_place (
    is_only boolean DEFAULT true NOT NULL,
    epoch text NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT notice_place_is_only_check CHECK (is_only),
    CONSTRAINT notice_place_seq_check CHECK ((seq >= 0))
);

CREATE TABLE public.notice_rules (
    version integer NOT NULL,
    off text[] NOT NULL,
    hour_max integer,
    created_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT notice_rules_hour_max_check CHECK (((hour_max >= 1) AND (hour_max <= 1000))),
    CONSTRAINT notice_rules_off_check CHECK ((cardinality(off) <= 400)),
    CONSTRAINT notice_rules_version_check CHECK ((version >= 2))
);

CREATE TABLE public.notice_settings (
    account_id text NOT NULL,
    language text NOT NULL,
    quiet_from_min smallint,
    quiet_to_min smallint,
    muted text[] NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT notice_settings_check CHECK (((quiet_from_min IS NULL) = (quiet_to_min IS NULL))),
    CONSTRAINT notice_settings_language_check CHECK ((language = ANY (ARRAY['zh'::text, 'en'::text]))),
    CONSTRAINT notice_settings_muted_check CHECK ((cardinality(muted) <= 200)),
    CONSTRAINT notice_settings_quiet_from_min_check CHECK (((quiet_from_min >= 0) AND (quiet_from_min <= 1439))),
    CONSTRAINT notice_settings_quiet_to_min_check CHECK (((quiet_to_min >= 0) AND (quiet_to_min <= 1439)))
);

CREATE TABLE public.notice_templates (
    kind text NOT NULL,
    language text NOT NULL,
    version integer NOT NULL,
    title text,
    body text,
    created_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT notice_templates_body_check CHECK ((length(body) <= 500)),
    CONSTRAINT notice_templates_check CHECK (((title IS NULL) = (body IS NULL))),
    CONSTRAINT notice_templates_language_check CHECK ((language = ANY (ARRAY['zh'::text, 'en'::text]))),
    CONSTRAINT notice_templates_title_check CHECK (((length(title) >= 1) AND (length(title) <= 60))),
    CONSTRAINT notice_templates_version_check CHECK ((version >= 1))
);

CREATE TABLE public.notices (
    id text NOT NULL,
    no bigint NOT NULL,
    account_id text NOT NULL,
    kind text NOT NULL,
    fact_id text NOT NULL,
    about jsonb NOT NULL,
    subject_kind text,
    subject_id text,
    collapse_key text,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    read_at timestamp with time zone,
    CONSTRAINT notices_check CHECK (((subject_kind IS NULL) = (subject_id IS NULL))),
    CONSTRAINT notices_id_check CHECK ((id ~~ 'ntc\_%'::text))
);

ALTER TABLE public.notices ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.notices_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.odd_days (
    day date NOT NULL,
    works boolean NOT NULL,
    note text NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT odd_days_note_check CHECK (((length(note) >= 1) AND (length(note) <= 200)))
);

CREATE TABLE public.offers (
    id text NOT NULL,
    call_id text NOT NULL,
    worker_id text NOT NULL,
    epoch integer NOT NULL,
    wave integer NOT NULL,
    distance_m double precision NOT NULL,
    state text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    CONSTRAINT offers_check CHECK (((state = ANY (ARRAY['open'::text, 'grabbed'::text])) = (closed_at IS NULL))),
    CONSTRAINT offers_state_check CHECK ((state = ANY (ARRAY['open'::text, 'grabbed'::text, 'declined'::text, 'expired'::text, 'withdrawn'::text, 'won'::text, 'lost'::text, 'void'::text])))
);

CREATE TABLE public.order_events (
    order_id text NOT NULL,
    n integer NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    verb text NOT NULL,
    from_status text,
    to_status text NOT NULL,
    data jsonb,
    CONSTRAINT order_events_n_check CHECK ((n >= 1))
);

CREATE TABLE public.order_lines (
    order_id text NOT NULL,
    epoch integer NOT NULL,
    n smallint NOT NULL,
    kind text NOT NULL,
    ref text NOT NULL,
    qty integer NOT NULL,
    amount_fen bigint NOT NULL,
    allocated_to smallint,
    CONSTRAINT order_lines_amount_fen_check CHECK ((abs(amount_fen) <= '1000000000000'::bigint)),
    CONSTRAINT order_lines_check CHECK (((kind ~~ 'discount.%'::text) = (allocated_to IS NOT NULL))),
    CONSTRAINT order_lines_check1 CHECK (((kind ~~ 'discount.%'::text) = (amount_fen < 0))),
    CONSTRAINT order_lines_epoch_check CHECK ((epoch >= 1)),
    CONSTRAINT order_lines_kind_check CHECK ((kind <> ''::text)),
    CONSTRAINT order_lines_n_check CHECK ((n >= 1)),
    CONSTRAINT order_lines_qty_check CHECK ((qty >= 1))
);

CREATE TABLE public.order_shares (
    id text NOT NULL,
    order_id text NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone
);

CREATE TABLE public.orders (
    id text NOT NULL,
    no text NOT NULL,
    line text NOT NULL,
    kind text NOT NULL,
    mode text NOT NULL,
    parent_id text,
    customer_id text NOT NULL,
    provider_id text,
    call_id text,
    status text NOT NULL,
    status_before_cancel text,
    version integer NOT NULL,
    total_fen bigint NOT NULL,
    paid_fen bigint DEFAULT 0 NOT NULL,
    refunded_fen bigint DEFAULT 0 NOT NULL,
    refund_reserved_fen bigint DEFAULT 0 NOT NULL,
    snapshot jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    CONSTRAINT orders_check CHECK (((paid_fen >= 0) AND (refunded_fen >= 0) AND (refund_reserved_fen >= 0) AND ((refunded_fen + refund_reserved_fen) <= paid_fen))),
    CONSTRAINT orders_kind_check CHECK ((kind <> ''::text)),
    CONSTRAINT orders_line_check CHECK ((line <> ''::text)),
    CONSTRAINT orders_mode_check CHECK ((mode <> ''::text)),
    CONSTRAINT orders_status_check CHECK ((status <> ''::text)),
    CONSTRAINT orders_total_fen_check CHECK ((total_fen >= 0)),
    CONSTRAINT orders_version_check CHECK ((version >= 1))
)
WITH (fillfactor='80');

CREATE TABLE public.outbox (
    id bigint NOT NULL,
    fact_id text NOT NULL,
    topic text NOT NULL,
    body text NOT NULL,
    audience text[] NOT NULL,
    at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone
)
WITH (autovacuum_vacuum_scale_factor='0.0', autovacuum_vacuum_threshold='2000');

ALTER TABLE public.outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.participants (
    conversation_id text NOT NULL,
    account_id text NOT NULL,
    role text NOT NULL,
    audience text NOT NULL,
    joined_seq bigint NOT NULL,
    left_seq bigint,
    read_seq bigint DEFAULT 0 NOT NULL,
    delivered_seq bigint DEFAULT 0 NOT NULL,
    joined_at timestamp with time zone NOT NULL,
    CONSTRAINT participants_check CHECK (((read_seq >= 0) AND (read_seq <= delivered_seq))),
    CONSTRAINT participants_joined_seq_check CHECK ((joined_seq >= 1)),
    CONSTRAINT participants_role_check CHECK ((role = ANY (ARRAY['customer'::text, 'worker'::text, 'agent'::text, 'supervisor'::text, 'observer'::text])))
)
WITH (fillfactor='70');

CREATE TABLE public.payment_days (
    account_id text NOT NULL,
    day date NOT NULL,
    amount_fen bigint NOT NULL,
    CONSTRAINT payment_days_amount_fen_check CHECK ((amount_fen >= 0))
);

CREATE TABLE public.payment_parts (
    payment_id text NOT NULL,
    n smallint NOT NULL,
    tender text NOT NULL,
    amount_fen bigint NOT NULL,
    refunded_fen bigint DEFAULT 0 NOT NULL,
    points bigint DEFAULT 0 NOT NULL,
    points_refunded bigint DEFAULT 0 NOT NULL,
    worker_id text,
    CONSTRAINT payment_parts_amount_fen_check CHECK ((amount_fen > 0)),
    CONSTRAINT payment_parts_check CHECK (((refunded_fen >= 0) AND (refunded_fen <= amount_fen))),
    CONSTRAINT payment_parts_check1 CHECK (((points >= 0) AND ((points > 0) = (tender = 'points'::text)))),
    CONSTRAINT payment_parts_check2 CHECK (((points_refunded >= 0) AND (points_refunded <= points))),
    CONSTRAINT payment_parts_check3 CHECK (((worker_id IS NOT NULL) = (tender = 'credit'::text))),
    CONSTRAINT payment_parts_n_check CHECK ((n >= 1)),
    CONSTRAINT payment_parts_tender_check CHECK ((tender = ANY (ARRAY['wallet'::text, 'credit'::text, 'prepaid'::text, 'bonus'::text, 'points'::text, 'wechat'::text, 'alipay'::text, 'offline'::text])))
);

CREATE TABLE public.payment_refunds (
    ref text NOT NULL,
    given_as text NOT NULL,
    payment_id text NOT NULL,
    n smallint NOT NULL,
    amount_fen bigint NOT NULL,
    points bigint NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT payment_refunds_amount_fen_check CHECK ((amount_fen > 0)),
    CONSTRAINT payment_refunds_points_check CHECK ((points >= 0))
);

CREATE TABLE public.payments (
    id text NOT NULL,
    order_id text NOT NULL,
    account_id text NOT NULL,
    method text NOT NULL,
    amount_fen bigint NOT NULL,
    refunded_fen bigint DEFAULT 0 NOT NULL,
    state text NOT NULL,
    lock_epoch bigint NOT NULL,
    ref text,
    reason text,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    paid_at timestamp with time zone,
    ended_at timestamp with time zone,
    paid_fen bigint DEFAULT 0 NOT NULL,
    is_held boolean DEFAULT false NOT NULL,
    counted_on date,
    CONSTRAINT payments_amount_fen_check CHECK (((amount_fen > 0) AND (amount_fen <= '1000000000000'::bigint))),
    CONSTRAINT payments_check CHECK (((refunded_fen >= 0) AND (refunded_fen <= amount_fen))),
    CONSTRAINT payments_check1 CHECK (((paid_at IS NOT NULL) = (state = ANY (ARRAY['paid'::text, 'paid_late'::text, 'refunded'::text])))),
    CONSTRAINT payments_check2 CHECK (((refunded_fen <= paid_fen) AND (paid_fen <= amount_fen))),
    CONSTRAINT payments_check3 CHECK (((NOT is_held) OR (state = ANY (ARRAY['created'::text, 'review'::text, 'paid_late'::text])))),
    CONSTRAINT payments_check4 CHECK (((state <> 'review'::text) OR (method = 'offline'::text))),
    CONSTRAINT payments_method_check CHECK ((method = ANY (ARRAY['wallet'::text, 'credit'::text, 'prepaid'::text, 'bonus'::text, 'points'::text, 'wechat'::text, 'alipay'::text, 'offline'::text]))),
    CONSTRAINT payments_state_check CHECK ((state = ANY (ARRAY['created'::text, 'review'::text, 'paid'::text, 'failed'::text, 'closed'::text, 'paid_late'::text, 'refunded'::text])))
);

CREATE TABLE public.payouts (
    withdrawal_id text NOT NULL,
    adapter text NOT NULL,
    begun_at timestamp with time zone NOT NULL,
    ref text
);

CREATE TABLE public.penalties (
    id text NOT NULL,
    order_id text NOT NULL,
    line text NOT NULL,
    payer_kind text NOT NULL,
    payer_id text NOT NULL,
    other_kind text NOT NULL,
    other_id text NOT NULL,
    cause text NOT NULL,
    item_fen bigint NOT NULL,
    travel_fen bigint NOT NULL,
    state text NOT NULL,
    by text NOT NULL,
    note text,
    at timestamp with time zone NOT NULL,
    reversed_by text,
    reversed_reason text,
    reversed_at timestamp with time zone,
    CONSTRAINT penalties_check CHECK (((item_fen + travel_fen) > 0)),
    CONSTRAINT penalties_check1 CHECK (((state = 'reversed'::text) = (reversed_at IS NOT NULL))),
    CONSTRAINT penalties_check2 CHECK (((reversed_at IS NULL) OR ((reversed_by IS NOT NULL) AND (reversed_reason IS NOT NULL)))),
    CONSTRAINT penalties_item_fen_check CHECK ((item_fen >= 0)),
    CONSTRAINT penalties_other_kind_check CHECK ((other_kind = ANY (ARRAY['customer'::text, 'worker'::text]))),
    CONSTRAINT penalties_payer_kind_check CHECK ((payer_kind = ANY (ARRAY['customer'::text, 'worker'::text]))),
    CONSTRAINT penalties_state_check CHECK ((state = ANY (ARRAY['settled'::text, 'debited'::text, 'reversed'::text]))),
    CONSTRAINT penalties_travel_fen_check CHECK ((travel_fen >= 0))
);

CREATE TABLE public.points_lots (
    id text NOT NULL,
    account_id text NOT NULL,
    ref text NOT NULL,
    reason text NOT NULL,
    earned bigint NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    used bigint DEFAULT 0 NOT NULL,
    expired bigint DEFAULT 0 NOT NULL,
    clawed bigint DEFAULT 0 NOT NULL,
    repaid bigint DEFAULT 0 NOT NULL,
    undone bigint DEFAULT 0 NOT NULL,
    "left" bigint GENERATED ALWAYS AS ((((((earned - held) - used) - expired) - clawed) - repaid)) STORED,
    is_pending boolean NOT NULL,
    available_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT points_lots_check CHECK (((undone >= 0) AND (undone <= earned))),
    CONSTRAINT points_lots_check1 CHECK ((expires_at > available_at)),
    CONSTRAINT points_lots_check2 CHECK (((NOT is_pending) OR ((held = 0) AND (used = 0) AND (repaid = 0)))),
    CONSTRAINT points_lots_clawed_check CHECK ((clawed >= 0)),
    CONSTRAINT points_lots_earned_check CHECK (((earned >= 1) AND (earned <= 1000000000))),
    CONSTRAINT points_lots_expired_check CHECK ((expired >= 0)),
    CONSTRAINT points_lots_held_check CHECK ((held >= 0)),
    CONSTRAINT points_lots_left_check CHECK (("left" >= 0)),
    CONSTRAINT points_lots_repaid_check CHECK ((repaid >= 0)),
    CONSTRAINT points_lots_used_check CHECK ((used >= 0))
)
WITH (fillfactor='80');

CREATE TABLE public.points_products (
    id text NOT NULL,
    name jsonb NOT NULL,
    coupon_template text,
    points bigint NOT NULL,
    cash_fen bigint NOT NULL,
    stock bigint NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    sold bigint DEFAULT 0 NOT NULL,
    per_account_max integer NOT NULL,
    active boolean NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    changed_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    list_fen bigint,
    CONSTRAINT points_products_cash_fen_check CHECK (((cash_fen >= 0) AND (cash_fen <= '1000000000000'::bigint))),
    CONSTRAINT points_products_held_check CHECK ((held >= 0)),
    CONSTRAINT points_products_list_fen_check CHECK (((list_fen >= 1) AND (list_fen <= '1000000000000'::bigint))),
    CONSTRAINT points_products_per_account_max_check CHECK ((per_account_max >= 1)),
    CONSTRAINT points_products_points_check CHECK (((points >= 0) AND (points <= 1000000000))),
    CONSTRAINT points_products_price CHECK (((points > 0) OR (cash_fen > 0))),
    CONSTRAINT points_products_sold_check CHECK ((sold >= 0)),
    CONSTRAINT points_products_stock_check CHECK ((stock >= 0))
)
WITH (fillfactor='80');

CREATE TABLE public.points_purchases (
    id text NOT NULL,
    product_id text NOT NULL,
    account_id text NOT NULL,
    coupon_template text,
    points bigint NOT NULL,
    cash_fen bigint NOT NULL,
    method text,
    state text NOT NULL,
    reason text,
    note text,
    delivered_by text,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    coupon_id text,
    refunded_at timestamp with time zone,
    list_fen bigint,
    CONSTRAINT points_purchases_cash_fen_check CHECK ((cash_fen >= 0)),
    CONSTRAINT points_purchases_check CHECK (((cash_fen > 0) = (method IS NOT NULL))),
    CONSTRAINT points_purchases_list_fen_check CHECK (((list_fen >= 1) AND (list_fen <= '1000000000000'::bigint))),
    CONSTRAINT points_purchases_method_check CHECK ((method = ANY (ARRAY['wallet'::text, 'wechat'::text, 'alipay'::text]))),
    CONSTRAINT points_purchases_points_check CHECK ((points >= 0)),
    CONSTRAINT points_purchases_refunded CHECK ((((state = 'refunded'::text) = (refunded_at IS NOT NULL)) AND ((refunded_at IS NULL) OR (coupon_template IS NOT NULL)))),
    CONSTRAINT points_purchases_state_check CHECK ((state = ANY (ARRAY['created'::text, 'done'::text, 'delivered'::text, 'closed'::text, 'refunded'::text])))
)
WITH (fillfactor='80');

CREATE TABLE public.points_purses (
    account_id text NOT NULL,
    available bigint DEFAULT 0 NOT NULL,
    pending bigint DEFAULT 0 NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    owed bigint DEFAULT 0 NOT NULL,
    earned bigint DEFAULT 0 NOT NULL,
    used bigint DEFAULT 0 NOT NULL,
    expired bigint DEFAULT 0 NOT NULL,
    clawed bigint DEFAULT 0 NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT points_purses_available_check CHECK ((available >= 0)),
    CONSTRAINT points_purses_check CHECK (((((earned - used) - expired) - clawed) = (((available + pending) + held) - owed))),
    CONSTRAINT points_purses_clawed_check CHECK ((clawed >= 0)),
    CONSTRAINT points_purses_earned_check CHECK ((earned >= 0)),
    CONSTRAINT points_purses_expired_check CHECK ((expired >= 0)),
    CONSTRAINT points_purses_held_check CHECK ((held >= 0)),
    CONSTRAINT points_purses_owed_check CHECK ((owed >= 0)),
    CONSTRAINT points_purses_pending_check CHECK ((pending >= 0)),
    CONSTRAINT points_purses_used_check CHECK ((used >= 0))
)
WITH (fillfactor='80');

CREATE TABLE public.points_returns (
    ref text NOT NULL,
    account_id text NOT NULL,
    points bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT points_returns_points_check CHECK ((points >= 0))
);

CREATE TABLE public.points_uses (
    holder_id text NOT NULL,
    lot_id text NOT NULL,
    account_id text NOT NULL,
    held bigint NOT NULL,
    used bigint NOT NULL,
    returned bigint NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT points_uses_check CHECK (((held = 0) OR (used = 0))),
    CONSTRAINT points_uses_held_check CHECK ((held >= 0)),
    CONSTRAINT points_uses_returned_check CHECK ((returned >= 0)),
    CONSTRAINT points_uses_used_check CHECK ((used >= 0))
);

CREATE TABLE public.push_devices (
    id text NOT NULL,
    account_id text NOT NULL,
    session_id text NOT NULL,
    platform text NOT NULL,
    token text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    CONSTRAINT push_devices_id_check CHECK ((id ~~ 'dev\_%'::text)),
    CONSTRAINT push_devices_platform_check CHECK ((platform = ANY (ARRAY['android'::text, 'ios'::text, 'wechat'::text]))),
    CONSTRAINT push_devices_token_check CHECK (((length(token) >= 8) AND (length(token) <= 200)))
);

CREATE TABLE public.queue_members (
    queue_id text NOT NULL,
    agent_id text NOT NULL
);

CREATE TABLE public.quick_replies (
    id text NOT NULL,
    scope text NOT NULL,
    owner_id text NOT NULL,
    folder text NOT NULL,
    shortcut text NOT NULL,
    body text NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT quick_replies_scope_check CHECK ((scope = ANY (ARRAY['platform'::text, 'tenant'::text, 'own'::text])))
);

CREATE TABLE public.reconciliation_differences (
    id text NOT NULL,
    reconciliation_id text NOT NULL,
    channel text NOT NULL,
    class text NOT NULL,
    state text NOT NULL,
    line_kind text NOT NULL,
    key text NOT NULL,
    line_n integer NOT NULL,
    out_trade_no text NOT NULL,
    trade_no text NOT NULL,
    bill_fen bigint,
    book_fen bigint,
    fee_fen bigint,
    expected_fee_fen bigint,
    effect_fen bigint NOT NULL,
    gap_fen bigint NOT NULL,
    billed_at timestamp with time zone,
    booked_at timestamp with time zone,
    record_state text,
    resolution text,
    reason text,
    by_id text,
    version bigint DEFAULT 1 NOT NULL,
    found_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    CONSTRAINT reconciliation_differences_check CHECK (((state = 'resolved'::text) = (resolved_at IS NOT NULL))),
    CONSTRAINT reconciliation_differences_check1 CHECK (((state = 'resolved'::text) = (resolution IS NOT NULL))),
    CONSTRAINT reconciliation_differences_class_check CHECK ((class = ANY (ARRAY['missing'::text, 'extra'::text, 'amount'::text, 'fee'::text, 'status'::text, 'date'::text, 'duplicate'::text, 'wrong_merchant'::text]))),
    CONSTRAINT reconciliation_differences_line_kind_check CHECK ((line_kind = ANY (ARRAY['payment'::text, 'refund'::text]))),
    CONSTRAINT reconciliation_differences_reason_check CHECK ((length(reason) <= 2000)),
    CONSTRAINT reconciliation_differences_resolution_check CHECK ((resolution = ANY (ARRAY['taken'::text, 'asked'::text, 'suspended'::text, 'booked'::text, 'other_day'::text, 'by_person'::text]))),
    CONSTRAINT reconciliation_differences_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'open'::text, 'resolved'::text])))
);

CREATE TABLE public.reconciliation_events (
    subject_id text NOT NULL,
    n integer NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    verb text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    detail text,
    CONSTRAINT reconciliation_events_n_check CHECK ((n >= 1))
);

CREATE TABLE public.reconciliations (
    id text NOT NULL,
    kind text NOT NULL,
    channel text NOT NULL,
    period_on date NOT NULL,
    state text NOT NULL,
    line_count integer DEFAULT 0 NOT NULL,
    bill_paid_fen bigint DEFAULT 0 NOT NULL,
    bill_refunded_fen bigint DEFAULT 0 NOT NULL,
    fee_fen bigint DEFAULT 0 NOT NULL,
    book_paid_fen bigint DEFAULT 0 NOT NULL,
    book_refunded_fen bigint DEFAULT 0 NOT NULL,
    gap_fen bigint DEFAULT 0 NOT NULL,
    unexplained_fen bigint DEFAULT 0 NOT NULL,
    difference_count integer DEFAULT 0 NOT NULL,
    open_count integer DEFAULT 0 NOT NULL,
    fee_booked_fen bigint DEFAULT 0 NOT NULL,
    problem text,
    claimed_until timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT reconciliations_channel_check CHECK ((channel = ANY (ARRAY['wechat'::text, 'alipay'::text]))),
    CONSTRAINT reconciliations_check CHECK (((kind = 'daily'::text) OR (EXTRACT(day FROM period_on) = (1)::numeric))),
    CONSTRAINT reconciliations_kind_check CHECK ((kind = ANY (ARRAY['daily'::text, 'monthly'::text]))),
    CONSTRAINT reconciliations_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'overdue'::text, 'balanced'::text, 'differing'::text, 'closed'::text])))
);

CREATE TABLE public.referral_codes (
    account_id text NOT NULL,
    code text NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT referral_codes_code_check CHECK ((code ~ '^[0-9A-HJKMNP-TV-Z]{8}$'::text))
);

CREATE TABLE public.referrals (
    id text NOT NULL,
    account_id text NOT NULL,
    side text NOT NULL,
    worker_id text,
    referrer_id text NOT NULL,
    name text NOT NULL,
    since timestamp with time zone NOT NULL,
    CONSTRAINT referrals_check CHECK ((account_id <> referrer_id)),
    CONSTRAINT referrals_check1 CHECK (((worker_id IS NOT NULL) = (side = 'technician'::text))),
    CONSTRAINT referrals_side_check CHECK ((side = ANY (ARRAY['customer'::text, 'technician'::text])))
);

CREATE TABLE public.refund_events (
    refund_id text NOT NULL,
    n integer NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    verb text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    detail text,
    CONSTRAINT refund_events_n_check CHECK ((n >= 1))
);

CREATE TABLE public.refund_policies (
    name text NOT NULL,
    version integer NOT NULL,
    content jsonb NOT NULL,
    note text NOT NULL,
    by_id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT refund_policies_name_check CHECK ((name ~ '^[a-z][a-z0-9_]{0,31}$'::text)),
    CONSTRAINT refund_policies_version_check CHECK ((version >= 2))
);

CREATE TABLE public.refund_requests (
    id text NOT NULL,
    order_id text NOT NULL,
    line text NOT NULL,
    customer_id text NOT NULL,
    worker_id text,
    asker_role text NOT NULL,
    asker_id text NOT NULL,
    amount_fen bigint NOT NULL,
    approved_fen bigint,
    reason text NOT NULL,
    note text NOT NULL,
    policy text NOT NULL,
    policy_version integer NOT NULL,
    second_over_fen bigint NOT NULL,
    opinion text,
    approved_by text,
    state text NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    executed_at timestamp with time zone,
    CONSTRAINT refund_requests_amount_fen_check CHECK ((amount_fen > 0)),
    CONSTRAINT refund_requests_asker_role_check CHECK ((asker_role = ANY (ARRAY['customer'::text, 'staff'::text]))),
    CONSTRAINT refund_requests_check CHECK (((approved_fen > 0) AND (approved_fen <= amount_fen))),
    CONSTRAINT refund_requests_check1 CHECK (((state = 'executed'::text) = (executed_at IS NOT NULL))),
    CONSTRAINT refund_requests_check2 CHECK (((approved_by IS NULL) = (approved_fen IS NULL))),
    CONSTRAINT refund_requests_check3 CHECK (((state <> ALL (ARRAY['approving'::text, 'executed'::text])) OR (approved_by IS NOT NULL))),
    CONSTRAINT refund_requests_opinion_check CHECK ((opinion = ANY (ARRAY['agrees'::text, 'objects'::text]))),
    CONSTRAINT refund_requests_reason_check CHECK ((reason = ANY (ARRAY['quality'::text, 'late'::text, 'no_show'::text, 'mistake'::text, 'goodwill'::text, 'other'::text]))),
    CONSTRAINT refund_requests_second_over_fen_check CHECK ((second_over_fen >= 0)),
    CONSTRAINT refund_requests_state_check CHECK ((state = ANY (ARRAY['review'::text, 'requested'::text, 'approving'::text, 'executed'::text, 'rejected'::text, 'withdrawn'::text])))
);

CREATE TABLE public.region_items (
    region_code text NOT NULL,
    item_id text NOT NULL,
    price_fen bigint NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    CONSTRAINT region_items_price_fen_check CHECK (((price_fen >= 1) AND (price_fen <= '1000000000000'::bigint)))
);

CREATE TABLE public.region_settings (
    region_code text NOT NULL,
    open boolean DEFAULT true NOT NULL,
    travel_base_m integer NOT NULL,
    travel_base_fen bigint NOT NULL,
    travel_per_km_fen bigint NOT NULL,
    technician_rate_bps integer NOT NULL,
    CONSTRAINT region_settings_region_code_check CHECK ((region_code ~ '^[A-Za-z0-9_-]{1,32}$'::text)),
    CONSTRAINT region_settings_technician_rate_bps_check CHECK (((technician_rate_bps >= 0) AND (technician_rate_bps <= 10000))),
    CONSTRAINT region_settings_travel_base_fen_check CHECK ((travel_base_fen >= 0)),
    CONSTRAINT region_settings_travel_base_m_check CHECK ((travel_base_m >= 0)),
    CONSTRAINT region_settings_travel_per_km_fen_check CHECK ((travel_per_km_fen >= 0))
);

CREATE TABLE public.relay_state (
    one_row boolean DEFAULT true NOT NULL,
    epoch text NOT NULL,
    last_seq bigint DEFAULT 0 NOT NULL,
    told_seq bigint DEFAULT 0 NOT NULL,
    floor_seq bigint DEFAULT 0 NOT NULL,
    CONSTRAINT relay_state_check CHECK (((told_seq <= last_seq) AND (floor_seq <= last_seq))),
    CONSTRAINT relay_state_one_row_check CHECK (one_row)
);

CREATE TABLE public.reward_rules (
    event text NOT NULL,
    line text NOT NULL,
    version integer NOT NULL,
    active boolean NOT NULL,
    fixed bigint NOT NULL,
    per_100_yuan bigint NOT NULL,
    points_max bigint NOT NULL,
    pending_s integer NOT NULL,
    valid_days integer,
    changed_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT reward_rules_event_check CHECK ((event <> ''::text)),
    CONSTRAINT reward_rules_fixed_check CHECK (((fixed >= 0) AND (fixed <= 1000000000))),
    CONSTRAINT reward_rules_pending_s_check CHECK (((pending_s >= 0) AND (pending_s <= 31536000))),
    CONSTRAINT reward_rules_per_100_yuan_check CHECK (((per_100_yuan >= 0) AND (per_100_yuan <= 1000000))),
    CONSTRAINT reward_rules_points_max_check CHECK (((points_max >= 1) AND (points_max <= 1000000000))),
    CONSTRAINT reward_rules_valid_days_check CHECK (((valid_days >= 1) AND (valid_days <= 3650))),
    CONSTRAINT reward_rules_version_check CHECK ((version >= 1))
);

CREATE TABLE public.rewards (
    ref text NOT NULL,
    account_id text NOT NULL,
    event text NOT NULL,
    line text NOT NULL,
    rule integer NOT NULL,
    base_fen bigint NOT NULL,
    kept_fen bigint NOT NULL,
    points bigint NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT rewards_base_fen_check CHECK ((base_fen >= 0)),
    CONSTRAINT rewards_check CHECK (((kept_fen >= 0) AND (kept_fen <= base_fen))),
    CONSTRAINT rewards_points_check CHECK ((points >= 1))
);

CREATE TABLE public.routing_tables (
    version integer NOT NULL,
    rules jsonb NOT NULL,
    by_id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    scope text DEFAULT ''::text NOT NULL
);

CREATE TABLE public.schema_migrations (
    version integer NOT NULL,
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.service_codes (
    order_id text NOT NULL,
    code_hash bytea NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    tries integer DEFAULT 0 NOT NULL
);

CREATE TABLE public.service_entries (
    id text NOT NULL,
    account_id text NOT NULL,
    kind text NOT NULL,
    method text NOT NULL,
    order_id text,
    at timestamp with time zone NOT NULL,
    CONSTRAINT service_entries_kind_check CHECK ((kind = ANY (ARRAY['general'::text, 'after_sale'::text]))),
    CONSTRAINT service_entries_method_check CHECK ((method = ANY (ARRAY['wecom'::text, 'qr'::text, 'support'::text])))
);

CREATE TABLE public.sessions (
    id text NOT NULL,
    account_id text NOT NULL,
    refresh_hash bytea NOT NULL,
    refresh_generation integer DEFAULT 1 NOT NULL,
    user_agent text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    refreshed_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    revoke_reason text,
    CONSTRAINT sessions_check CHECK (((revoked_at IS NULL) = (revoke_reason IS NULL))),
    CONSTRAINT sessions_refresh_generation_check CHECK ((refresh_generation > 0)),
    CONSTRAINT sessions_user_agent_check CHECK ((length(user_agent) <= 200))
);

CREATE TABLE public.settlement_lines (
    id text NOT NULL,
    settlement_id text NOT NULL,
    n integer NOT NULL,
    kind text NOT NULL,
    party_kind text NOT NULL,
    party_id text NOT NULL,
    cause text NOT NULL,
    amount_fen bigint NOT NULL,
    net_fen bigint NOT NULL,
    base_fen bigint NOT NULL,
    state text NOT NULL,
    split_version integer NOT NULL,
    reverses_id text,
    reason text,
    by_id text,
    at timestamp with time zone NOT NULL,
    CONSTRAINT settlement_lines_amount_fen_check CHECK ((amount_fen <> 0)),
    CONSTRAINT settlement_lines_cause_check CHECK ((cause = ANY (ARRAY['settled'::text, 'refunded'::text, 'adjusted'::text]))),
    CONSTRAINT settlement_lines_check CHECK (((party_kind = 'platform'::text) OR (abs(net_fen) <= abs(amount_fen)))),
    CONSTRAINT settlement_lines_check1 CHECK (((state = 'clawed_back'::text) <= (net_fen = 0))),
    CONSTRAINT settlement_lines_check2 CHECK (((reverses_id IS NULL) OR ((net_fen = 0) AND (cause <> 'settled'::text)))),
    CONSTRAINT settlement_lines_check3 CHECK (((cause <> 'adjusted'::text) OR ((reason IS NOT NULL) AND (by_id IS NOT NULL)))),
    CONSTRAINT settlement_lines_n_check CHECK ((n >= 1)),
    CONSTRAINT settlement_lines_party_kind_check CHECK ((party_kind = ANY (ARRAY['worker'::text, 'customer'::text, 'platform'::text]))),
    CONSTRAINT settlement_lines_state_check CHECK ((state = ANY (ARRAY['accrued'::text, 'payable'::text, 'paid'::text, 'clawed_back'::text])))
);

CREATE TABLE public.settlements (
    id text NOT NULL,
    order_id text NOT NULL,
    line text NOT NULL,
    split_version integer NOT NULL,
    worker_id text NOT NULL,
    basis jsonb NOT NULL,
    settled_fen bigint NOT NULL,
    kept_fen bigint NOT NULL,
    base_kept_fen bigint NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    matures_at timestamp with time zone NOT NULL,
    CONSTRAINT settlements_check CHECK (((kept_fen >= 0) AND (kept_fen <= settled_fen))),
    CONSTRAINT settlements_check1 CHECK ((base_kept_fen >= kept_fen)),
    CONSTRAINT settlements_settled_fen_check CHECK ((settled_fen >= 0))
);

CREATE TABLE public.share_parts (
    split_id text NOT NULL,
    n smallint NOT NULL,
    worker_id text NOT NULL,
    account text NOT NULL,
    amount_fen bigint NOT NULL,
    is_paid boolean,
    returned_fen bigint DEFAULT 0 NOT NULL,
    CONSTRAINT share_parts_amount_fen_check CHECK ((amount_fen > 0)),
    CONSTRAINT share_parts_check CHECK (((returned_fen >= 0) AND (returned_fen <= amount_fen))),
    CONSTRAINT share_parts_check1 CHECK (((returned_fen = 0) OR is_paid)),
    CONSTRAINT share_parts_n_check CHECK (((n >= 1) AND (n <= 50)))
);

CREATE TABLE public.share_receivers (
    id text NOT NULL,
    worker_id text NOT NULL,
    channel text NOT NULL,
    account text NOT NULL,
    name text,
    name_hash text NOT NULL,
    state text NOT NULL,
    reason text,
    by_id text NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT share_receivers_account_check CHECK (((length(account) >= 1) AND (length(account) <= 32))),
    CONSTRAINT share_receivers_channel_check CHECK ((channel = ANY (ARRAY['wechat'::text, 'alipay'::text]))),
    CONSTRAINT share_receivers_check CHECK (((name IS NOT NULL) = (state = 'asking'::text))),
    CONSTRAINT share_receivers_check1 CHECK (((ended_at IS NOT NULL) = (state = ANY (ARRAY['refused'::text, 'unbound'::text])))),
    CONSTRAINT share_receivers_state_check CHECK ((state = ANY (ARRAY['asking'::text, 'bound'::text, 'refused'::text, 'unbound'::text])))
);

CREATE TABLE public.share_returns (
    id text NOT NULL,
    split_id text NOT NULL,
    n smallint NOT NULL,
    refund_id text NOT NULL,
    amount_fen bigint NOT NULL,
    state text NOT NULL,
    reason text,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT share_returns_amount_fen_check CHECK ((amount_fen > 0)),
    CONSTRAINT share_returns_check CHECK (((ended_at IS NOT NULL) = (state <> 'asked'::text))),
    CONSTRAINT share_returns_state_check CHECK ((state = ANY (ARRAY['asked'::text, 'done'::text, 'failed'::text])))
);

CREATE TABLE public.share_splits (
    id text NOT NULL,
    payment_id text NOT NULL,
    settlement_id text NOT NULL,
    order_id text NOT NULL,
    channel text NOT NULL,
    trade_no text NOT NULL,
    state text NOT NULL,
    reason text,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT share_splits_channel_check CHECK ((channel = ANY (ARRAY['wechat'::text, 'alipay'::text]))),
    CONSTRAINT share_splits_check CHECK (((ended_at IS NOT NULL) = (state = ANY (ARRAY['done'::text, 'failed'::text])))),
    CONSTRAINT share_splits_state_check CHECK ((state = ANY (ARRAY['planned'::text, 'asked'::text, 'done'::text, 'failed'::text])))
);

CREATE TABLE public.sign_in_codes (
    phone text NOT NULL,
    code_hash bytea NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    window_start timestamp with time zone NOT NULL,
    sent_in_window integer DEFAULT 1 NOT NULL
);

CREATE TABLE public.sla_timers (
    conversation_id text NOT NULL,
    kind text NOT NULL,
    no integer NOT NULL,
    state text NOT NULL,
    target interval NOT NULL,
    consumed interval NOT NULL,
    calendar_id text,
    started_at timestamp with time zone NOT NULL,
    running_since timestamp with time zone,
    due_at timestamp with time zone,
    warned smallint DEFAULT 0 NOT NULL,
    breached_at timestamp with time zone,
    ended_at timestamp with time zone,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT sla_timers_check CHECK (((state = 'running'::text) = (running_since IS NOT NULL))),
    CONSTRAINT sla_timers_check1 CHECK (((due_at IS NULL) OR (state = 'running'::text))),
    CONSTRAINT sla_timers_check2 CHECK (((breached_at IS NOT NULL) = (warned = 100))),
    CONSTRAINT sla_timers_kind_check CHECK ((kind = ANY (ARRAY['first_reply'::text, 'next_reply'::text, 'resolve'::text]))),
    CONSTRAINT sla_timers_state_check CHECK ((state = ANY (ARRAY['running'::text, 'paused'::text, 'met'::text, 'dropped'::text]))),
    CONSTRAINT sla_timers_warned_check CHECK ((warned = ANY (ARRAY[0, 50, 80, 100])))
);

CREATE TABLE public.split_rules (
    line text NOT NULL,
    version integer NOT NULL,
    parts jsonb NOT NULL,
    note text NOT NULL,
    by_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT split_rules_line_check CHECK ((line <> ''::text)),
    CONSTRAINT split_rules_version_check CHECK ((version >= 1))
);

CREATE TABLE public.suspense_items (
    id text NOT NULL,
    channel text NOT NULL,
    ref text NOT NULL,
    cause text NOT NULL,
    out_trade_no text NOT NULL,
    trade_no text NOT NULL,
    amount_fen bigint NOT NULL,
    total_fen bigint NOT NULL,
    state text NOT NULL,
    reason text,
    by_id text,
    version bigint DEFAULT 1 NOT NULL,
    parked_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT suspense_items_amount_fen_check CHECK ((amount_fen <> 0)),
    CONSTRAINT suspense_items_cause_check CHECK ((cause = ANY (ARRAY['unknown_order'::text, 'wrong_amount'::text, 'second_money'::text, 'bill'::text]))),
    CONSTRAINT suspense_items_channel_check CHECK ((channel = ANY (ARRAY['wechat'::text, 'alipay'::text]))),
    CONSTRAINT suspense_items_check CHECK (((state = 'open'::text) = (ended_at IS NULL))),
    CONSTRAINT suspense_items_check1 CHECK (((state = 'open'::text) OR ((reason IS NOT NULL) AND (by_id IS NOT NULL)))),
    CONSTRAINT suspense_items_reason_check CHECK ((length(reason) <= 2000)),
    CONSTRAINT suspense_items_state_check CHECK ((state = ANY (ARRAY['open'::text, 'assigned'::text, 'refunded'::text, 'written_off'::text]))),
    CONSTRAINT suspense_items_total_fen_check CHECK ((total_fen > 0))
);

CREATE TABLE public.technician_vouchers (
    id text NOT NULL,
    worker_id text NOT NULL,
    item_id text NOT NULL,
    amount_fen bigint NOT NULL,
    min_item_fen bigint NOT NULL,
    valid_until timestamp with time zone,
    stock integer,
    taken integer DEFAULT 0 NOT NULL,
    state text NOT NULL,
    replaced_at timestamp with time zone,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT technician_vouchers_amount_fen_check CHECK ((amount_fen > 0)),
    CONSTRAINT technician_vouchers_check CHECK (((state <> 'used_up'::text) OR (stock = 0))),
    CONSTRAINT technician_vouchers_check1 CHECK (((state <> 'on'::text) OR (stock IS NULL) OR (stock > 0))),
    CONSTRAINT technician_vouchers_min_item_fen_check CHECK ((min_item_fen >= 0)),
    CONSTRAINT technician_vouchers_state_check CHECK ((state = ANY (ARRAY['on'::text, 'off'::text, 'used_up'::text]))),
    CONSTRAINT technician_vouchers_stock_check CHECK ((stock >= 0)),
    CONSTRAINT technician_vouchers_taken_check CHECK ((taken >= 0))
);

CREATE TABLE public.technicians (
    worker_id text NOT NULL,
    account_id text NOT NULL,
    real_name text NOT NULL,
    city text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    free_travel_m integer DEFAULT 0 NOT NULL,
    auto_accept boolean DEFAULT false NOT NULL,
    orders_done integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT technicians_free_travel_m_check CHECK (((free_travel_m >= 0) AND (free_travel_m <= 100000))),
    CONSTRAINT technicians_status_check CHECK ((status = ANY (ARRAY['active'::text, 'suspended'::text])))
);

CREATE TABLE public.tenants (
    id text NOT NULL,
    name text NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT tenants_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100)))
);

CREATE SEQUENCE public.ticket_numbers
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.topup_offers (
    id text NOT NULL,
    name jsonb NOT NULL,
    kind text NOT NULL,
    tier_ids text[] NOT NULL,
    bonus_fen bigint NOT NULL,
    bonus_points bigint NOT NULL,
    bonus_coupon text,
    first_time_only boolean NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    valid_until timestamp with time zone NOT NULL,
    per_account_max integer NOT NULL,
    place integer NOT NULL,
    active boolean NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    changed_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT topup_offers_bonus_fen_check CHECK (((bonus_fen >= 0) AND (bonus_fen <= '1000000000000'::bigint))),
    CONSTRAINT topup_offers_bonus_points_check CHECK (((bonus_points >= 0) AND (bonus_points <= 1000000000))),
    CONSTRAINT topup_offers_check CHECK ((valid_until > valid_from)),
    CONSTRAINT topup_offers_check1 CHECK (((bonus_fen > 0) OR (bonus_points > 0) OR (bonus_coupon IS NOT NULL))),
    CONSTRAINT topup_offers_kind_check CHECK ((kind = ANY (ARRAY['platform'::text, 'recharge'::text, 'technician'::text]))),
    CONSTRAINT topup_offers_per_account_max_check CHECK ((per_account_max >= 1)),
    CONSTRAINT topup_offers_place_check CHECK (((place >= 0) AND (place <= 10000)))
);

CREATE TABLE public.topup_tiers (
    id text NOT NULL,
    kind text NOT NULL,
    amount_fen bigint NOT NULL,
    place integer NOT NULL,
    active boolean NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    changed_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT topup_tiers_amount_fen_check CHECK (((amount_fen >= 1) AND (amount_fen <= '1000000000000'::bigint))),
    CONSTRAINT topup_tiers_kind_check CHECK ((kind = ANY (ARRAY['platform'::text, 'recharge'::text, 'technician'::text]))),
    CONSTRAINT topup_tiers_place_check CHECK (((place >= 0) AND (place <= 10000)))
);

CREATE TABLE public.topups (
    id text NOT NULL,
    account_id text NOT NULL,
    kind text NOT NULL,
    worker_id text,
    amount_fen bigint NOT NULL,
    tier_id text,
    offer_id text,
    bonus_fen bigint DEFAULT 0 NOT NULL,
    bonus_points bigint DEFAULT 0 NOT NULL,
    bonus_coupon text,
    method text NOT NULL,
    state text NOT NULL,
    reason text,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    paid_at timestamp with time zone,
    closed_at timestamp with time zone,
    CONSTRAINT topups_amount_fen_check CHECK (((amount_fen >= 1) AND (amount_fen <= '1000000000000'::bigint))),
    CONSTRAINT topups_bonus_fen_check CHECK ((bonus_fen >= 0)),
    CONSTRAINT topups_bonus_points_check CHECK ((bonus_points >= 0)),
    CONSTRAINT topups_check CHECK (((kind = ANY (ARRAY['technician'::text, 'worker'::text])) = (worker_id IS NOT NULL))),
    CONSTRAINT topups_check1 CHECK (((offer_id IS NOT NULL) OR ((bonus_fen = 0) AND (bonus_points = 0) AND (bonus_coupon IS NULL)))),
    CONSTRAINT topups_check2 CHECK (((state = 'paid'::text) = (paid_at IS NOT NULL))),
    CONSTRAINT topups_kind_check CHECK ((kind = ANY (ARRAY['platform'::text, 'recharge'::text, 'technician'::text, 'worker'::text]))),
    CONSTRAINT topups_method_check CHECK ((method = ANY (ARRAY['wechat'::text, 'alipay'::text]))),
    CONSTRAINT topups_state_check CHECK ((state = ANY (ARRAY['created'::text, 'paid'::text, 'closed'::text])))
)
WITH (fillfactor='80');

CREATE TABLE public.transfers (
    payment_id text NOT NULL,
    account_id text NOT NULL,
    order_id text NOT NULL,
    amount_fen bigint NOT NULL,
    file_id text NOT NULL,
    state text NOT NULL,
    bank_ref text,
    reason text,
    decided_by text,
    version bigint DEFAULT 1 NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    decided_at timestamp with time zone,
    CONSTRAINT transfers_amount_fen_check CHECK ((amount_fen > 0)),
    CONSTRAINT transfers_bank_ref_check CHECK (((length(bank_ref) >= 1) AND (length(bank_ref) <= 64))),
    CONSTRAINT transfers_check CHECK (((state = 'confirmed'::text) = (bank_ref IS NOT NULL))),
    CONSTRAINT transfers_check1 CHECK ((((state = 'review'::text) = (decided_at IS NULL)) AND ((state = 'review'::text) = (decided_by IS NULL)))),
    CONSTRAINT transfers_state_check CHECK ((state = ANY (ARRAY['review'::text, 'confirmed'::text, 'rejected'::text])))
);

CREATE TABLE public.voucher_holds (
    voucher_id text NOT NULL,
    order_id text NOT NULL,
    amount_fen bigint NOT NULL,
    held_at timestamp with time zone NOT NULL,
    returned_at timestamp with time zone,
    CONSTRAINT voucher_holds_amount_fen_check CHECK ((amount_fen > 0))
);

CREATE TABLE public.wallet_challenges (
    id text NOT NULL,
    account_id text NOT NULL,
    device_id text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    amount_fen bigint NOT NULL,
    nonce text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT wallet_challenges_action_check CHECK ((action = ANY (ARRAY['pay'::text, 'withdraw'::text, 'redeem'::text, 'membership'::text]))),
    CONSTRAINT wallet_challenges_amount_fen_check CHECK (((amount_fen >= 0) AND (amount_fen <= '1000000000000'::bigint))),
    CONSTRAINT wallet_challenges_check CHECK ((expires_at > created_at)),
    CONSTRAINT wallet_challenges_subject_check CHECK (((length(subject) >= 1) AND (length(subject) <= 64)))
);

CREATE TABLE public.wallet_devices (
    id text NOT NULL,
    account_id text NOT NULL,
    name text NOT NULL,
    algorithm text NOT NULL,
    public_key bytea NOT NULL,
    password_salt bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT wallet_devices_algorithm_check CHECK ((algorithm = ANY (ARRAY['p256'::text, 'ed25519'::text]))),
    CONSTRAINT wallet_devices_name_check CHECK (((length(name) >= 1) AND (length(name) <= 60))),
    CONSTRAINT wallet_devices_public_key_check CHECK (((octet_length(public_key) >= 32) AND (octet_length(public_key) <= 200)))
);

CREATE TABLE public.wallet_passwords (
    account_id text NOT NULL,
    salt bytea NOT NULL,
    hash bytea NOT NULL,
    wrong_tries integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT wallet_passwords_wrong_tries_check CHECK ((wrong_tries >= 0))
);

CREATE TABLE public.withdrawal_events (
    withdrawal_id text NOT NULL,
    n integer NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    verb text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    detail text,
    CONSTRAINT withdrawal_events_n_check CHECK ((n >= 1))
);

CREATE TABLE public.withdrawals (
    id text NOT NULL,
    owner_kind text NOT NULL,
    owner_id text NOT NULL,
    account_id text NOT NULL,
    method text NOT NULL,
    payee text NOT NULL,
    payee_no text NOT NULL,
    amount_fen bigint NOT NULL,
    state text NOT NULL,
    reason text,
    version integer DEFAULT 1 NOT NULL,
    day date NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT withdrawals_amount_fen_check CHECK ((amount_fen > 0)),
    CONSTRAINT withdrawals_method_check CHECK ((method = ANY (ARRAY['bank'::text, 'wechat'::text, 'alipay'::text]))),
    CONSTRAINT withdrawals_owner_kind_check CHECK ((owner_kind = ANY (ARRAY['customer'::text, 'worker'::text]))),
    CONSTRAINT withdrawals_state_check CHECK ((state = ANY (ARRAY['review'::text, 'rejected'::text, 'sending'::text, 'sent'::text, 'confirmed'::text, 'failed'::text])))
);

CREATE TABLE public.worker_channels (
    worker_id text NOT NULL,
    party_kind text NOT NULL,
    party_id text NOT NULL,
    is_open boolean DEFAULT true NOT NULL,
    bonus_fen bigint DEFAULT 0 NOT NULL,
    since timestamp with time zone NOT NULL,
    CONSTRAINT worker_channels_bonus_fen_check CHECK ((bonus_fen >= 0)),
    CONSTRAINT worker_channels_check CHECK (((party_kind <> 'worker'::text) OR (party_id <> worker_id))),
    CONSTRAINT worker_channels_party_kind_check CHECK ((party_kind = ANY (ARRAY['customer'::text, 'worker'::text])))
);

CREATE TABLE public.worker_fixes (
    worker_id text NOT NULL,
    at timestamp with time zone NOT NULL,
    lon double precision NOT NULL,
    lat double precision NOT NULL,
    accuracy_m real,
    speed_mps real,
    heading_deg real,
    is_late boolean NOT NULL
)
PARTITION BY RANGE (at);

CREATE TABLE public.worker_fixes_default (
    worker_id text CONSTRAINT worker_fixes_worker_id_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT worker_fixes_at_not_null NOT NULL,
    lon double precision CONSTRAINT worker_fixes_lon_not_null NOT NULL,
    lat double precision CONSTRAINT worker_fixes_lat_not_null NOT NULL,
    accuracy_m real,
    speed_mps real,
    heading_deg real,
    is_late boolean CONSTRAINT worker_fixes_is_late_not_null NOT NULL
);

CREATE TABLE public.worker_positions (
    worker_id text NOT NULL,
    lon double precision NOT NULL,
    lat double precision NOT NULL,
    accuracy_m real,
    heading_deg real,
    speed_mps real,
    at timestamp with time zone NOT NULL
)
WITH (fillfactor='70');

CREATE TABLE public.workers (
    id text NOT NULL,
    unit_no bigint NOT NULL,
    account_id text NOT NULL,
    display_name text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    online boolean DEFAULT false NOT NULL,
    services text[] DEFAULT '{}'::text[] NOT NULL,
    takes_pool boolean DEFAULT true NOT NULL,
    takes_direct boolean DEFAULT true NOT NULL,
    radius_m integer NOT NULL,
    area_code text DEFAULT ''::text NOT NULL,
    work_from_min integer DEFAULT 540 NOT NULL,
    work_to_min integer DEFAULT 1380 NOT NULL,
    rest_dates date[] DEFAULT '{}'::date[] NOT NULL,
    score_milli integer DEFAULT 5000 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT workers_radius_m_check CHECK (((radius_m >= 1000) AND (radius_m <= 100000))),
    CONSTRAINT workers_score_milli_check CHECK (((score_milli >= 0) AND (score_milli <= 5000))),
    CONSTRAINT workers_status_check CHECK ((status = ANY (ARRAY['active'::text, 'suspended'::text]))),
    CONSTRAINT workers_work_from_min_check CHECK (((work_from_min >= 0) AND (work_from_min <= 1440))),
    CONSTRAINT workers_work_to_min_check CHECK (((work_to_min >= 0) AND (work_to_min <= 1440)))
);

ALTER TABLE public.workers ALTER COLUMN unit_no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.workers_unit_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY public.worker_fixes ATTACH PARTITION public.worker_fixes_default DEFAULT;

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_phone_key UNIQUE (phone);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.agent_load
    ADD CONSTRAINT agent_load_pkey PRIMARY KEY (agent_id);

ALTER TABLE ONLY public.agent_skills
    ADD CONSTRAINT agent_skills_pkey PRIMARY KEY (agent_id, skill);

ALTER TABLE ONLY public.agent_state_log
    ADD CONSTRAINT agent_state_log_int8range_during_excl EXCLUDE USING gist (int8range(unit_no, unit_no, '[]'::text) WITH &&, during WITH &&);

ALTER TABLE ONLY public.announcements
    ADD CONSTRAINT announcements_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.areas
    ADD CONSTRAINT areas_pkey PRIMARY KEY (code);

ALTER TABLE ONLY public.assignments
    ADD CONSTRAINT assignments_conversation_id_epoch_key UNIQUE (conversation_id, epoch);

ALTER TABLE ONLY public.assignments
    ADD CONSTRAINT assignments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_no_overlap EXCLUDE USING gist (int8range(unit_no, unit_no, '[]'::text) WITH &&, during WITH &&) WHERE ((state = ANY (ARRAY['held'::text, 'firm'::text])));

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.broadcasts
    ADD CONSTRAINT broadcasts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.calendars
    ADD CONSTRAINT calendars_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.calls
    ADD CONSTRAINT calls_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.case_events
    ADD CONSTRAINT case_events_pkey PRIMARY KEY (case_id, n);

ALTER TABLE ONLY public.cases
    ADD CONSTRAINT cases_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.channel_attempts
    ADD CONSTRAINT channel_attempts_pkey PRIMARY KEY (payment_id);

ALTER TABLE ONLY public.channel_bill_lines
    ADD CONSTRAINT channel_bill_lines_pkey PRIMARY KEY (channel, day, n);

ALTER TABLE ONLY public.channel_news
    ADD CONSTRAINT channel_news_channel_notify_id_key UNIQUE (channel, notify_id);

ALTER TABLE ONLY public.channel_news
    ADD CONSTRAINT channel_news_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.channel_nonces
    ADD CONSTRAINT channel_nonces_pkey PRIMARY KEY (channel, nonce);

ALTER TABLE ONLY public.channel_refunds
    ADD CONSTRAINT channel_refunds_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.channel_refunds
    ADD CONSTRAINT channel_refunds_ref_key UNIQUE (ref);

ALTER TABLE ONLY public.chat_waits
    ADD CONSTRAINT chat_waits_pkey PRIMARY KEY (conversation_id, account_id);

ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.coupon_gifts
    ADD CONSTRAINT coupon_gifts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.coupon_templates
    ADD CONSTRAINT coupon_templates_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.coupons
    ADD CONSTRAINT coupons_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.coupons
    ADD CONSTRAINT coupons_template_id_account_id_seq_key UNIQUE (template_id, account_id, seq);

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.delivery_counts
    ADD CONSTRAINT delivery_counts_pkey PRIMARY KEY (day, channel, scope);

ALTER TABLE ONLY public.desk_agents
    ADD CONSTRAINT desk_agents_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.desk_agents
    ADD CONSTRAINT desk_agents_unit_no_key UNIQUE (unit_no);

ALTER TABLE ONLY public.desk_events
    ADD CONSTRAINT desk_events_pkey PRIMARY KEY (no);

ALTER TABLE ONLY public.desk_queues
    ADD CONSTRAINT desk_queues_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.desk_ratings
    ADD CONSTRAINT desk_ratings_conversation_id_closure_no_key UNIQUE (conversation_id, closure_no);

ALTER TABLE ONLY public.desk_ratings
    ADD CONSTRAINT desk_ratings_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.desk_threads
    ADD CONSTRAINT desk_threads_number_key UNIQUE (number);

ALTER TABLE ONLY public.desk_threads
    ADD CONSTRAINT desk_threads_pkey PRIMARY KEY (conversation_id);

ALTER TABLE ONLY public.desk_views
    ADD CONSTRAINT desk_views_holder_name_key UNIQUE (holder, name);

ALTER TABLE ONLY public.desk_views
    ADD CONSTRAINT desk_views_holder_slot_key UNIQUE (holder, slot);

ALTER TABLE ONLY public.desk_views
    ADD CONSTRAINT desk_views_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.drafts
    ADD CONSTRAINT drafts_pkey PRIMARY KEY (agent_id, conversation_id);

ALTER TABLE ONLY public.exports
    ADD CONSTRAINT exports_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.feed_audience
    ADD CONSTRAINT feed_audience_pkey PRIMARY KEY (audience, seq);

ALTER TABLE ONLY public.feed
    ADD CONSTRAINT feed_fact_id_key UNIQUE (fact_id);

ALTER TABLE ONLY public.feed
    ADD CONSTRAINT feed_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY public.feedback
    ADD CONSTRAINT feedback_account_id_day_day_no_key UNIQUE (account_id, day, day_no);

ALTER TABLE ONLY public.feedback
    ADD CONSTRAINT feedback_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.files
    ADD CONSTRAINT files_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.grabs
    ADD CONSTRAINT grabs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.help_documents
    ADD CONSTRAINT help_documents_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.homeservice_orders
    ADD CONSTRAINT homeservice_orders_pkey PRIMARY KEY (order_id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (scope, key);

ALTER TABLE ONLY public.invoice_events
    ADD CONSTRAINT invoice_events_pkey PRIMARY KEY (invoice_id, n);

ALTER TABLE ONLY public.invoice_lines
    ADD CONSTRAINT invoice_lines_pkey PRIMARY KEY (invoice_id, n);

ALTER TABLE ONLY public.invoice_numbers
    ADD CONSTRAINT invoice_numbers_pkey PRIMARY KEY (number);

ALTER TABLE ONLY public.invoice_titles
    ADD CONSTRAINT invoice_titles_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.items
    ADD CONSTRAINT items_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_key_key UNIQUE (key);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.last_served
    ADD CONSTRAINT last_served_pkey PRIMARY KEY (customer_id, scope);

ALTER TABLE ONLY public.ledger_accounts
    ADD CONSTRAINT ledger_accounts_code_key UNIQUE (code);

ALTER TABLE ONLY public.ledger_accounts
    ADD CONSTRAINT ledger_accounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ledger_checkpoints
    ADD CONSTRAINT ledger_checkpoints_account_id_from_place_key UNIQUE (account_id, from_place);

ALTER TABLE ONLY public.ledger_checkpoints
    ADD CONSTRAINT ledger_checkpoints_pkey PRIMARY KEY (account_id, upto_place) INCLUDE (from_place, sum_fen, balance_fen, first_at, last_at);

ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_pkey PRIMARY KEY (transfer_id, n);

ALTER TABLE ONLY public.ledger_transfers
    ADD CONSTRAINT ledger_transfers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ledger_transfers
    ADD CONSTRAINT ledger_transfers_ref_key UNIQUE (ref);

ALTER TABLE ONLY public.member_coupons
    ADD CONSTRAINT member_coupons_coupon_id_key UNIQUE (coupon_id);

ALTER TABLE ONLY public.member_coupons
    ADD CONSTRAINT member_coupons_pkey PRIMARY KEY (purchase_id, n);

ALTER TABLE ONLY public.member_levels
    ADD CONSTRAINT member_levels_pkey PRIMARY KEY (code, version);

ALTER TABLE ONLY public.member_purchases
    ADD CONSTRAINT member_purchases_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.member_uses
    ADD CONSTRAINT member_uses_pkey PRIMARY KEY (membership_id, order_id);

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_account_id_line_key UNIQUE (account_id, line);

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (conversation_id, seq);

ALTER TABLE ONLY public.notice_place
    ADD CONSTRAINT notice_place_pkey PRIMARY KEY (is_only);

ALTER TABLE ONLY public.notice_rules
    ADD CONSTRAINT notice_rules_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.notice_settings
    ADD CONSTRAINT notice_settings_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.notice_templates
    ADD CONSTRAINT notice_templates_pkey PRIMARY KEY (kind, language, version);

ALTER TABLE ONLY public.notices
    ADD CONSTRAINT notices_fact_id_account_id_kind_key UNIQUE (fact_id, account_id, kind);

ALTER TABLE ONLY public.notices
    ADD CONSTRAINT notices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.odd_days
    ADD CONSTRAINT odd_days_pkey PRIMARY KEY (day);

ALTER TABLE ONLY public.offers
    ADD CONSTRAINT offers_call_id_worker_id_epoch_key UNIQUE (call_id, worker_id, epoch);

ALTER TABLE ONLY public.offers
    ADD CONSTRAINT offers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.order_events
    ADD CONSTRAINT order_events_pkey PRIMARY KEY (order_id, n);

ALTER TABLE ONLY public.order_lines
    ADD CONSTRAINT order_lines_pkey PRIMARY KEY (order_id, epoch, n);

ALTER TABLE ONLY public.order_shares
    ADD CONSTRAINT order_shares_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.order_shares
    ADD CONSTRAINT order_shares_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_no_key UNIQUE (no);

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.participants
    ADD CONSTRAINT participants_pkey PRIMARY KEY (conversation_id, account_id);

ALTER TABLE ONLY public.payment_days
    ADD CONSTRAINT payment_days_pkey PRIMARY KEY (account_id, day);

ALTER TABLE ONLY public.payment_parts
    ADD CONSTRAINT payment_parts_payment_id_tender_key UNIQUE (payment_id, tender);

ALTER TABLE ONLY public.payment_parts
    ADD CONSTRAINT payment_parts_pkey PRIMARY KEY (payment_id, n);

ALTER TABLE ONLY public.payment_refunds
    ADD CONSTRAINT payment_refunds_pkey PRIMARY KEY (ref, payment_id, n);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.payouts
    ADD CONSTRAINT payouts_pkey PRIMARY KEY (withdrawal_id);

ALTER TABLE ONLY public.penalties
    ADD CONSTRAINT penalties_order_id_payer_kind_payer_id_key UNIQUE (order_id, payer_kind, payer_id);

ALTER TABLE ONLY public.penalties
    ADD CONSTRAINT penalties_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.points_lots
    ADD CONSTRAINT points_lots_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.points_lots
    ADD CONSTRAINT points_lots_ref_key UNIQUE (ref);

ALTER TABLE ONLY public.points_products
    ADD CONSTRAINT points_products_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.points_purchases
    ADD CONSTRAINT points_purchases_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.points_purses
    ADD CONSTRAINT points_purses_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.points_returns
    ADD CONSTRAINT points_returns_pkey PRIMARY KEY (ref);

ALTER TABLE ONLY public.points_uses
    ADD CONSTRAINT points_uses_pkey PRIMARY KEY (holder_id, lot_id);

ALTER TABLE ONLY public.push_devices
    ADD CONSTRAINT push_devices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.push_devices
    ADD CONSTRAINT push_devices_token_key UNIQUE (token);

ALTER TABLE ONLY public.queue_members
    ADD CONSTRAINT queue_members_pkey PRIMARY KEY (queue_id, agent_id);

ALTER TABLE ONLY public.quick_replies
    ADD CONSTRAINT quick_replies_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.quick_replies
    ADD CONSTRAINT quick_replies_scope_owner_id_shortcut_key UNIQUE (scope, owner_id, shortcut);

ALTER TABLE ONLY public.reconciliation_differences
    ADD CONSTRAINT reconciliation_differences_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.reconciliation_differences
    ADD CONSTRAINT reconciliation_differences_reconciliation_id_line_kind_key__key UNIQUE (reconciliation_id, line_kind, key, line_n, class);

ALTER TABLE ONLY public.reconciliation_events
    ADD CONSTRAINT reconciliation_events_pkey PRIMARY KEY (subject_id, n);

ALTER TABLE ONLY public.reconciliations
    ADD CONSTRAINT reconciliations_channel_kind_period_on_key UNIQUE (channel, kind, period_on);

ALTER TABLE ONLY public.reconciliations
    ADD CONSTRAINT reconciliations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.referral_codes
    ADD CONSTRAINT referral_codes_code_key UNIQUE (code);

ALTER TABLE ONLY public.referral_codes
    ADD CONSTRAINT referral_codes_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.referrals
    ADD CONSTRAINT referrals_account_id_side_key UNIQUE (account_id, side);

ALTER TABLE ONLY public.referrals
    ADD CONSTRAINT referrals_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.refund_events
    ADD CONSTRAINT refund_events_pkey PRIMARY KEY (refund_id, n);

ALTER TABLE ONLY public.refund_policies
    ADD CONSTRAINT refund_policies_pkey PRIMARY KEY (name, version);

ALTER TABLE ONLY public.refund_requests
    ADD CONSTRAINT refund_requests_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.region_items
    ADD CONSTRAINT region_items_pkey PRIMARY KEY (region_code, item_id);

ALTER TABLE ONLY public.region_settings
    ADD CONSTRAINT region_settings_pkey PRIMARY KEY (region_code);

ALTER TABLE ONLY public.relay_state
    ADD CONSTRAINT relay_state_pkey PRIMARY KEY (one_row);

ALTER TABLE ONLY public.reward_rules
    ADD CONSTRAINT reward_rules_pkey PRIMARY KEY (event, line, version);

ALTER TABLE ONLY public.rewards
    ADD CONSTRAINT rewards_pkey PRIMARY KEY (ref);

ALTER TABLE ONLY public.routing_tables
    ADD CONSTRAINT routing_tables_pkey PRIMARY KEY (scope, version);

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.service_codes
    ADD CONSTRAINT service_codes_pkey PRIMARY KEY (order_id);

ALTER TABLE ONLY public.service_entries
    ADD CONSTRAINT service_entries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.settlement_lines
    ADD CONSTRAINT settlement_lines_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.settlement_lines
    ADD CONSTRAINT settlement_lines_settlement_id_n_key UNIQUE (settlement_id, n);

ALTER TABLE ONLY public.settlements
    ADD CONSTRAINT settlements_order_id_key UNIQUE (order_id);

ALTER TABLE ONLY public.settlements
    ADD CONSTRAINT settlements_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.share_parts
    ADD CONSTRAINT share_parts_pkey PRIMARY KEY (split_id, n);

ALTER TABLE ONLY public.share_parts
    ADD CONSTRAINT share_parts_split_id_account_key UNIQUE (split_id, account);

ALTER TABLE ONLY public.share_parts
    ADD CONSTRAINT share_parts_split_id_worker_id_key UNIQUE (split_id, worker_id);

ALTER TABLE ONLY public.share_receivers
    ADD CONSTRAINT share_receivers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.share_returns
    ADD CONSTRAINT share_returns_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.share_returns
    ADD CONSTRAINT share_returns_refund_id_n_key UNIQUE (refund_id, n);

ALTER TABLE ONLY public.share_splits
    ADD CONSTRAINT share_splits_payment_id_key UNIQUE (payment_id);

ALTER TABLE ONLY public.share_splits
    ADD CONSTRAINT share_splits_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sign_in_codes
    ADD CONSTRAINT sign_in_codes_pkey PRIMARY KEY (phone);

ALTER TABLE ONLY public.sla_timers
    ADD CONSTRAINT sla_timers_pkey PRIMARY KEY (conversation_id, kind, no);

ALTER TABLE ONLY public.split_rules
    ADD CONSTRAINT split_rules_pkey PRIMARY KEY (line, version);

ALTER TABLE ONLY public.suspense_items
    ADD CONSTRAINT suspense_items_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.suspense_items
    ADD CONSTRAINT suspense_items_ref_key UNIQUE (ref);

ALTER TABLE ONLY public.technician_vouchers
    ADD CONSTRAINT technician_vouchers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.technicians
    ADD CONSTRAINT technicians_account_id_key UNIQUE (account_id);

ALTER TABLE ONLY public.technicians
    ADD CONSTRAINT technicians_pkey PRIMARY KEY (worker_id);

ALTER TABLE ONLY public.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.topup_offers
    ADD CONSTRAINT topup_offers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.topup_tiers
    ADD CONSTRAINT topup_tiers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.topups
    ADD CONSTRAINT topups_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.transfers
    ADD CONSTRAINT transfers_bank_ref_key UNIQUE (bank_ref);

ALTER TABLE ONLY public.transfers
    ADD CONSTRAINT transfers_pkey PRIMARY KEY (payment_id);

ALTER TABLE ONLY public.wallet_challenges
    ADD CONSTRAINT wallet_challenges_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.wallet_devices
    ADD CONSTRAINT wallet_devices_account_id_public_key_key UNIQUE (account_id, public_key);

ALTER TABLE ONLY public.wallet_devices
    ADD CONSTRAINT wallet_devices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.wallet_passwords
    ADD CONSTRAINT wallet_passwords_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.withdrawal_events
    ADD CONSTRAINT withdrawal_events_pkey PRIMARY KEY (withdrawal_id, n);

ALTER TABLE ONLY public.withdrawals
    ADD CONSTRAINT withdrawals_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.worker_channels
    ADD CONSTRAINT worker_channels_pkey PRIMARY KEY (worker_id);

ALTER TABLE ONLY public.worker_fixes
    ADD CONSTRAINT worker_fixes_pkey PRIMARY KEY (worker_id, at);

ALTER TABLE ONLY public.worker_fixes_default
    ADD CONSTRAINT worker_fixes_default_pkey PRIMARY KEY (worker_id, at);

ALTER TABLE ONLY public.worker_positions
    ADD CONSTRAINT worker_positions_pkey PRIMARY KEY (worker_id);

ALTER TABLE ONLY public.workers
    ADD CONSTRAINT workers_account_id_key UNIQUE (account_id);

ALTER TABLE ONLY public.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.workers
    ADD CONSTRAINT workers_unit_no_key UNIQUE (unit_no);

CREATE INDEX accounts_created ON public.accounts USING btree (created_at DESC, id DESC);

CREATE INDEX accounts_roles_changed ON public.accounts USING btree (roles_changed_at) WHERE (roles_changed_at IS NOT NULL);

CREATE INDEX accounts_tenant ON public.accounts USING btree (tenant_id, id) WHERE (tenant_id IS NOT NULL);

CREATE INDEX agent_state_log_agent ON public.agent_state_log USING btree (agent_id, lower(during));

CREATE INDEX announcements_now ON public.announcements USING btree (ends_at) WHERE (NOT withdrawn);

CREATE INDEX assignments_agent ON public.assignments USING btree (agent_id, id) WHERE (ended_at IS NULL);

CREATE UNIQUE INDEX assignments_one_live ON public.assignments USING btree (conversation_id) WHERE (ended_at IS NULL);

CREATE INDEX assignments_waits ON public.assignments USING btree (queue_id, accepted_at) WHERE (accepted_at IS NOT NULL);

CREATE INDEX audit_actor ON public.audit USING btree (actor_id, id DESC);

CREATE INDEX audit_operation ON public.audit USING btree (operation, id DESC);

CREATE INDEX audit_subject ON public.audit USING gin (subject_ids);

CREATE INDEX bookings_of_worker ON public.bookings USING btree (worker_id) WHERE (state = ANY (ARRAY['held'::text, 'firm'::text]));

CREATE UNIQUE INDEX bookings_one_live ON public.bookings USING btree (call_id) WHERE (state = ANY (ARRAY['held'::text, 'firm'::text]));

CREATE UNIQUE INDEX calls_one_live ON public.calls USING btree (subject_kind, subject_id) WHERE (status = ANY (ARRAY['open'::text, 'paused'::text, 'locked'::text, 'won'::text]));

CREATE INDEX calls_open ON public.calls USING btree (created_at, id) WHERE (status = ANY (ARRAY['open'::text, 'paused'::text, 'locked'::text]));

CREATE INDEX calls_worker ON public.calls USING btree (worker_id) WHERE (worker_id IS NOT NULL);

CREATE INDEX cases_late ON public.cases USING btree (due_at, id) WHERE (state <> 'closed'::text);

CREATE UNIQUE INDEX cases_one_open ON public.cases USING btree (subject_kind, subject_id, type) WHERE (state <> 'closed'::text);

CREATE INDEX cases_parties ON public.cases USING gin (parties);

CREATE INDEX cases_queue ON public.cases USING btree (((- priority)), due_at, id) WHERE (state <> 'closed'::text);

CREATE INDEX cases_subject ON public.cases USING btree (subject_id, id);

CREATE INDEX cases_taken ON public.cases USING btree (taken_by, id) WHERE (state <> 'closed'::text);

CREATE INDEX cases_type ON public.cases USING btree (type, id);

CREATE INDEX channel_attempts_open ON public.channel_attempts USING btree (payment_id) WHERE (state = ANY (ARRAY['asking'::text, 'ready'::text, 'closing'::text]));

CREATE INDEX channel_bill_lines_key ON public.channel_bill_lines USING btree (channel, kind, key);

CREATE INDEX channel_news_alarms ON public.channel_news USING btree (id) WHERE (outcome = ANY (ARRAY['unknown_order'::text, 'wrong_amount'::text, 'second_money'::text, 'wrong_merchant'::text, 'wrong_currency'::text, 'wrong_refund'::text]));

CREATE INDEX channel_nonces_seen ON public.channel_nonces USING btree (seen_at);

CREATE INDEX channel_refunds_looked_at ON public.channel_refunds USING btree (id) WHERE ((state <> 'done'::text) AND ((state = 'manual'::text) OR (slow_at IS NOT NULL)));

CREATE INDEX channel_refunds_payment ON public.channel_refunds USING btree (payment_id);

CREATE INDEX chat_waits_old ON public.chat_waits USING btree (changed_at);

CREATE INDEX conversations_assignee ON public.conversations USING btree (assignee_id, id) WHERE (assignee_id IS NOT NULL);

CREATE UNIQUE INDEX conversations_one_open ON public.conversations USING btree (customer_id, kind, tenant_id, subject_kind, subject_id) NULLS NOT DISTINCT WHERE ((status = 'open'::text) AND (customer_id IS NOT NULL));

CREATE INDEX conversations_status ON public.conversations USING btree (status, id);

CREATE INDEX conversations_subject ON public.conversations USING btree (subject_id, id) WHERE (subject_id IS NOT NULL);

CREATE INDEX conversations_tenant ON public.conversations USING btree (tenant_id, id) WHERE (tenant_id IS NOT NULL);

CREATE INDEX coupon_gifts_case ON public.coupon_gifts USING btree (case_id) WHERE (case_id IS NOT NULL);

CREATE INDEX coupon_gifts_template ON public.coupon_gifts USING btree (template_id, id);

CREATE INDEX coupon_templates_claimable ON public.coupon_templates USING btree (id) WHERE (claimable AND active);

CREATE INDEX coupons_account ON public.coupons USING btree (account_id, id);

CREATE UNIQUE INDEX coupons_one_per_order ON public.coupons USING btree (order_id) WHERE (order_id IS NOT NULL);

CREATE INDEX deliveries_account ON public.deliveries USING btree (account_id, id);

CREATE INDEX deliveries_bulk ON public.deliveries USING btree (due_at) WHERE ((state = 'queued'::text) AND is_bulk);

CREATE INDEX deliveries_held ON public.deliveries USING btree (account_id) WHERE (state = 'held'::text);

CREATE UNIQUE INDEX deliveries_once ON public.deliveries USING btree (notice_id, channel, device_id) NULLS NOT DISTINCT;

CREATE INDEX desk_agents_calendar ON public.desk_agents USING btree (calendar_id) WHERE (calendar_id IS NOT NULL);

CREATE INDEX desk_agents_tenant ON public.desk_agents USING btree (tenant_id, id) WHERE (tenant_id IS NOT NULL);

CREATE INDEX desk_events_at ON public.desk_events USING btree (at);

CREATE INDEX desk_events_thread ON public.desk_events USING btree (conversation_id, no);

CREATE INDEX desk_queues_calendar ON public.desk_queues USING btree (calendar_id) WHERE (calendar_id IS NOT NULL);

CREATE INDEX desk_queues_tenant ON public.desk_queues USING btree (tenant_id, id) WHERE (tenant_id IS NOT NULL);

CREATE INDEX desk_threads_assignee ON public.desk_threads USING btree (assignee_id, conversation_id) WHERE (assignee_id IS NOT NULL);

CREATE INDEX desk_threads_customer ON public.desk_threads USING btree (customer_id, conversation_id);

CREATE INDEX desk_threads_queue ON public.desk_threads USING btree (queue_id, state, conversation_id);

CREATE INDEX desk_threads_tenant ON public.desk_threads USING btree (tenant_id, conversation_id) WHERE (tenant_id IS NOT NULL);

CREATE INDEX desk_threads_tickets ON public.desk_threads USING btree (number) WHERE (kind = 'ticket'::text);

CREATE INDEX desk_threads_waiting ON public.desk_threads USING btree (queue_id, priority DESC, queued_at, conversation_id) WHERE (state = 'queued'::text);

CREATE INDEX exports_of_account ON public.exports USING btree (account_id, id);

CREATE INDEX feed_audience_seq ON public.feed_audience USING btree (seq);

CREATE INDEX feedback_day ON public.feedback USING btree (day);

CREATE INDEX feedback_own ON public.feedback USING btree (account_id, id);

CREATE INDEX feedback_state ON public.feedback USING btree (state, id);

CREATE INDEX files_expiring ON public.files USING btree (expires_at) WHERE (expires_at IS NOT NULL);

CREATE INDEX files_of_owner ON public.files USING btree (owner_id, created_at);

CREATE INDEX grabs_of_call ON public.grabs USING btree (call_id, at);

CREATE INDEX grabs_of_worker ON public.grabs USING btree (worker_id) WHERE (state = ANY (ARRAY['offered'::text, 'locked'::text, 'won'::text]));

CREATE UNIQUE INDEX grabs_one_live ON public.grabs USING btree (call_id, worker_id) WHERE (state = ANY (ARRAY['offered'::text, 'locked'::text, 'won'::text]));

CREATE UNIQUE INDEX grabs_one_winner ON public.grabs USING btree (call_id) WHERE (state = ANY (ARRAY['locked'::text, 'won'::text]));

CREATE INDEX help_documents_order ON public.help_documents USING btree (category, place, id);

CREATE INDEX idempotency_keys_created ON public.idempotency_keys USING btree (created_at);

CREATE UNIQUE INDEX invoice_lines_once ON public.invoice_lines USING btree (subject_id) WHERE is_live;

CREATE INDEX invoice_titles_of_account ON public.invoice_titles USING btree (account_id, id);

CREATE INDEX invoices_by_state ON public.invoices USING btree (state, id);

CREATE INDEX invoices_of_account ON public.invoices USING btree (account_id, id);

CREATE INDEX jobs_due ON public.jobs USING btree (due_at) WHERE (parked_at IS NULL);

CREATE INDEX ledger_accounts_credits ON public.ledger_accounts USING btree (owner_id) WHERE (kind = 'customer_credit'::text);

CREATE INDEX ledger_accounts_owner ON public.ledger_accounts USING btree (owner_id);

CREATE INDEX ledger_accounts_system ON public.ledger_accounts USING btree (id) WHERE (floor_fen IS NULL);

CREATE UNIQUE INDEX ledger_entries_place ON public.ledger_entries USING btree (account_id, place) INCLUDE (amount_fen, at);

CREATE INDEX ledger_transfers_order ON public.ledger_transfers USING btree (order_id) WHERE (order_id IS NOT NULL);

CREATE INDEX ledger_transfers_own ON public.ledger_transfers USING btree (at) WHERE (kind = ANY (ARRAY['channel_fee'::text, 'reconciled'::text, 'suspense_assigned'::text, 'split_done'::text, 'split_returned'::text]));

CREATE INDEX member_purchases_account ON public.member_purchases USING btree (account_id, id);

CREATE UNIQUE INDEX member_purchases_open ON public.member_purchases USING btree (account_id, line) WHERE (state = 'created'::text);

CREATE INDEX member_uses_version ON public.member_uses USING btree (membership_id, membership_version);

CREATE INDEX memberships_line ON public.memberships USING btree (line, id);

CREATE INDEX messages_file ON public.messages USING btree (file_id) WHERE (file_id IS NOT NULL);

CREATE UNIQUE INDEX messages_once ON public.messages USING btree (conversation_id, sender_id, client_id);

CREATE INDEX messages_target ON public.messages USING btree (conversation_id, target_seq) WHERE (target_seq IS NOT NULL);

CREATE INDEX messages_words ON public.messages USING gin (words);

CREATE INDEX notices_collapsed ON public.notices USING btree (collapse_key, account_id) WHERE ((read_at IS NULL) AND (collapse_key IS NOT NULL));

CREATE INDEX notices_inbox ON public.notices USING btree (account_id, no);

CREATE INDEX notices_old ON public.notices USING btree (created_at);

CREATE INDEX notices_unread ON public.notices USING btree (account_id, no) WHERE (read_at IS NULL);

CREATE INDEX offers_of_worker ON public.offers USING btree (worker_id, made_at DESC) WHERE (state = ANY (ARRAY['open'::text, 'grabbed'::text]));

CREATE INDEX order_shares_order ON public.order_shares USING btree (order_id) WHERE (revoked_at IS NULL);

CREATE INDEX orders_call ON public.orders USING btree (call_id) WHERE (call_id IS NOT NULL);

CREATE INDEX orders_customer ON public.orders USING btree (customer_id, id DESC);

CREATE INDEX orders_open ON public.orders USING btree (line, status, id) WHERE (closed_at IS NULL);

CREATE INDEX orders_provider ON public.orders USING btree (provider_id, id DESC) WHERE (provider_id IS NOT NULL);

CREATE INDEX participants_account ON public.participants USING btree (account_id, conversation_id);

CREATE UNIQUE INDEX payment_parts_one_channel ON public.payment_parts USING btree (payment_id) WHERE (tender = ANY (ARRAY['wechat'::text, 'alipay'::text, 'offline'::text]));

CREATE INDEX payment_refunds_given_as ON public.payment_refunds USING btree (given_as);

CREATE INDEX payment_refunds_payment ON public.payment_refunds USING btree (payment_id, n);

CREATE INDEX payments_account ON public.payments USING btree (account_id, id);

CREATE UNIQUE INDEX payments_channel_ref ON public.payments USING btree (method, ref) WHERE (ref IS NOT NULL);

CREATE INDEX payments_late ON public.payments USING btree (id) WHERE (state = 'paid_late'::text);

CREATE UNIQUE INDEX payments_one_open ON public.payments USING btree (order_id) WHERE (state = ANY (ARRAY['created'::text, 'review'::text]));

CREATE INDEX payments_order ON public.payments USING btree (order_id);

CREATE UNIQUE INDEX payouts_ref ON public.payouts USING btree (adapter, ref) WHERE (ref IS NOT NULL);

CREATE INDEX penalties_payer ON public.penalties USING btree (payer_kind, payer_id, id DESC);

CREATE INDEX points_lots_account ON public.points_lots USING btree (account_id, id);

CREATE INDEX points_lots_live ON public.points_lots USING btree (account_id) WHERE ("left" > 0);

CREATE INDEX points_products_open ON public.points_products USING btree (id) WHERE active;

CREATE INDEX points_purchases_account ON public.points_purchases USING btree (account_id, id);

CREATE UNIQUE INDEX points_purchases_coupon ON public.points_purchases USING btree (coupon_id) WHERE (coupon_id IS NOT NULL);

CREATE INDEX points_purchases_product ON public.points_purchases USING btree (product_id, account_id) WHERE (state <> ALL (ARRAY['closed'::text, 'refunded'::text]));

CREATE INDEX points_uses_lot ON public.points_uses USING btree (lot_id);

CREATE INDEX push_devices_account ON public.push_devices USING btree (account_id, id);

CREATE INDEX push_devices_session ON public.push_devices USING btree (session_id);

CREATE INDEX queue_members_agent ON public.queue_members USING btree (agent_id, queue_id);

CREATE INDEX reconciliation_differences_open ON public.reconciliation_differences USING btree (channel, line_kind, key) WHERE (state <> 'resolved'::text);

CREATE INDEX reconciliations_newest ON public.reconciliations USING btree (period_on, id);

CREATE INDEX referrals_referrer ON public.referrals USING btree (referrer_id, id DESC);

CREATE INDEX refund_requests_executed ON public.refund_requests USING btree (executed_at) WHERE (executed_at IS NOT NULL);

CREATE INDEX refund_requests_open ON public.refund_requests USING btree (id DESC) WHERE (state = ANY (ARRAY['review'::text, 'requested'::text, 'approving'::text]));

CREATE INDEX refund_requests_order ON public.refund_requests USING btree (order_id, id DESC);

CREATE INDEX service_entries_account ON public.service_entries USING btree (account_id, id);

CREATE INDEX service_entries_order ON public.service_entries USING btree (order_id, id) WHERE (order_id IS NOT NULL);

CREATE INDEX sessions_expired ON public.sessions USING btree (expires_at);

CREATE INDEX sessions_of_account ON public.sessions USING btree (account_id, created_at DESC, id DESC) WHERE (revoked_at IS NULL);

CREATE INDEX sessions_revoked ON public.sessions USING btree (revoked_at) WHERE (revoked_at IS NOT NULL);

CREATE UNIQUE INDEX settlement_lines_adjusted_once ON public.settlement_lines USING btree (reverses_id) WHERE (cause = 'adjusted'::text);

CREATE UNIQUE INDEX settlement_lines_once ON public.settlement_lines USING btree (settlement_id, kind) WHERE (cause = 'settled'::text);

CREATE INDEX settlement_lines_party ON public.settlement_lines USING btree (party_kind, party_id, settlement_id DESC);

CREATE INDEX settlements_reversed ON public.settlements USING btree (id DESC) WHERE (kept_fen < settled_fen);

CREATE INDEX settlements_worker ON public.settlements USING btree (worker_id, id DESC);

CREATE UNIQUE INDEX share_receivers_account ON public.share_receivers USING btree (channel, account) WHERE (state = ANY (ARRAY['asking'::text, 'bound'::text]));

CREATE UNIQUE INDEX share_receivers_worker ON public.share_receivers USING btree (worker_id, channel) WHERE (state = ANY (ARRAY['asking'::text, 'bound'::text]));

CREATE INDEX share_returns_split ON public.share_returns USING btree (split_id, n);

CREATE INDEX share_splits_settlement ON public.share_splits USING btree (settlement_id);

CREATE INDEX sign_in_codes_window ON public.sign_in_codes USING btree (window_start);

CREATE INDEX sla_timers_calendar ON public.sla_timers USING btree (calendar_id) WHERE (state = 'running'::text);

CREATE UNIQUE INDEX sla_timers_live ON public.sla_timers USING btree (conversation_id, kind) WHERE (state = ANY (ARRAY['running'::text, 'paused'::text]));

CREATE INDEX suspense_items_state ON public.suspense_items USING btree (state, id);

CREATE UNIQUE INDEX technician_vouchers_current ON public.technician_vouchers USING btree (worker_id, item_id) WHERE (replaced_at IS NULL);

CREATE INDEX technician_vouchers_worker ON public.technician_vouchers USING btree (worker_id, id DESC);

CREATE INDEX topup_offers_kind ON public.topup_offers USING btree (kind, place, id) WHERE active;

CREATE UNIQUE INDEX topup_tiers_amount ON public.topup_tiers USING btree (kind, amount_fen) WHERE active;

CREATE INDEX topups_account ON public.topups USING btree (account_id, id);

CREATE INDEX topups_offer ON public.topups USING btree (offer_id, account_id) WHERE (offer_id IS NOT NULL);

CREATE INDEX transfers_review ON public.transfers USING btree (payment_id) WHERE (state = 'review'::text);

CREATE UNIQUE INDEX voucher_holds_order ON public.voucher_holds USING btree (order_id) WHERE (returned_at IS NULL);

CREATE INDEX voucher_holds_voucher ON public.voucher_holds USING btree (voucher_id) WHERE (returned_at IS NULL);

CREATE INDEX wallet_challenges_account ON public.wallet_challenges USING btree (account_id, expires_at);

CREATE INDEX wallet_challenges_device ON public.wallet_challenges USING btree (device_id);

CREATE INDEX withdrawals_open ON public.withdrawals USING btree (state, id DESC) WHERE (state = ANY (ARRAY['review'::text, 'sending'::text, 'sent'::text]));

CREATE INDEX withdrawals_owner ON public.withdrawals USING btree (owner_kind, owner_id, id DESC);

CREATE INDEX worker_channels_party ON public.worker_channels USING btree (party_kind, party_id);

CREATE INDEX worker_positions_lat ON public.worker_positions USING btree (lat, lon);

CREATE INDEX workers_online ON public.workers USING btree (id) WHERE online;

ALTER INDEX public.worker_fixes_pkey ATTACH PARTITION public.worker_fixes_default_pkey;

CREATE TRIGGER audit_stays BEFORE DELETE OR UPDATE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.rows_never_change();

CREATE TRIGGER case_events_stay BEFORE DELETE OR UPDATE ON public.case_events FOR EACH ROW EXECUTE FUNCTION public.rows_never_change();

CREATE TRIGGER ledger_accounts_guard BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.ledger_accounts FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse_strangers();

CREATE TRIGGER ledger_checkpoints_guard BEFORE INSERT OR TRUNCATE ON public.ledger_checkpoints FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse_strangers();

CREATE TRIGGER ledger_checkpoints_stay BEFORE DELETE OR UPDATE ON public.ledger_checkpoints FOR EACH ROW EXECUTE FUNCTION public.ledger_refuse_change();

CREATE TRIGGER ledger_entries_guard BEFORE INSERT OR TRUNCATE ON public.ledger_entries FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse_strangers();

CREATE TRIGGER ledger_entries_stay BEFORE DELETE OR UPDATE ON public.ledger_entries FOR EACH ROW EXECUTE FUNCTION public.ledger_refuse_change();

CREATE TRIGGER ledger_transfers_guard BEFORE INSERT OR TRUNCATE ON public.ledger_transfers FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse_strangers();

CREATE TRIGGER ledger_transfers_stay BEFORE DELETE OR UPDATE ON public.ledger_transfers FOR EACH ROW EXECUTE FUNCTION public.ledger_refuse_change();

CREATE TRIGGER member_levels_stay BEFORE DELETE OR UPDATE ON public.member_levels FOR EACH ROW EXECUTE FUNCTION public.rows_never_change();

CREATE TRIGGER order_events_final BEFORE DELETE OR UPDATE ON public.order_events FOR EACH ROW EXECUTE FUNCTION public.rows_never_change();

CREATE TRIGGER order_lines_final BEFORE DELETE OR UPDATE ON public.order_lines FOR EACH ROW EXECUTE FUNCTION public.rows_never_change();

CREATE TRIGGER reconciliation_events_stay BEFORE DELETE OR UPDATE ON public.reconciliation_events FOR EACH ROW EXECUTE FUNCTION public.rows_never_change();

CREATE TRIGGER refund_events_stay BEFORE DELETE OR UPDATE ON public.refund_events FOR EACH ROW EXECUTE FUNCTION public.rows_never_change();

CREATE TRIGGER refund_policies_stay BEFORE DELETE OR UPDATE ON public.refund_policies FOR EACH ROW EXECUTE FUNCTION public.rows_never_change();

CREATE TRIGGER settlement_lines_keep BEFORE DELETE OR UPDATE ON public.settlement_lines FOR EACH ROW EXECUTE FUNCTION public.settlement_line_keeps();

CREATE TRIGGER split_rules_stay BEFORE DELETE OR UPDATE ON public.split_rules FOR EACH ROW EXECUTE FUNCTION public.rows_never_change();

CREATE TRIGGER withdrawal_events_stay BEFORE DELETE OR UPDATE ON public.withdrawal_events FOR EACH ROW EXECUTE FUNCTION public.rows_never_change();

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.agent_load
    ADD CONSTRAINT agent_load_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.desk_agents(id);

ALTER TABLE ONLY public.agent_skills
    ADD CONSTRAINT agent_skills_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.desk_agents(id);

ALTER TABLE ONLY public.agent_state_log
    ADD CONSTRAINT agent_state_log_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.desk_agents(id);

ALTER TABLE ONLY public.assignments
    ADD CONSTRAINT assignments_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.desk_agents(id);

ALTER TABLE ONLY public.assignments
    ADD CONSTRAINT assignments_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.desk_threads(conversation_id);

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_call_id_fkey FOREIGN KEY (call_id) REFERENCES public.calls(id);

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.workers(id);

ALTER TABLE ONLY public.broadcasts
    ADD CONSTRAINT broadcasts_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.calls
    ADD CONSTRAINT calls_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.workers(id);

ALTER TABLE ONLY public.case_events
    ADD CONSTRAINT case_events_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(id);

ALTER TABLE ONLY public.channel_attempts
    ADD CONSTRAINT channel_attempts_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES public.payments(id);

ALTER TABLE ONLY public.channel_refunds
    ADD CONSTRAINT channel_refunds_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES public.payments(id);

ALTER TABLE ONLY public.coupon_gifts
    ADD CONSTRAINT coupon_gifts_template_id_fkey FOREIGN KEY (template_id) REFERENCES public.coupon_templates(id);

ALTER TABLE ONLY public.coupons
    ADD CONSTRAINT coupons_gift_id_fkey FOREIGN KEY (gift_id) REFERENCES public.coupon_gifts(id);

ALTER TABLE ONLY public.coupons
    ADD CONSTRAINT coupons_template_id_fkey FOREIGN KEY (template_id) REFERENCES public.coupon_templates(id);

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.notices(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.desk_agents
    ADD CONSTRAINT desk_agents_calendar_id_fkey FOREIGN KEY (calendar_id) REFERENCES public.calendars(id);

ALTER TABLE ONLY public.desk_queues
    ADD CONSTRAINT desk_queues_calendar_id_fkey FOREIGN KEY (calendar_id) REFERENCES public.calendars(id);

ALTER TABLE ONLY public.desk_queues
    ADD CONSTRAINT desk_queues_overflow_queue_id_fkey FOREIGN KEY (overflow_queue_id) REFERENCES public.desk_queues(id);

ALTER TABLE ONLY public.desk_ratings
    ADD CONSTRAINT desk_ratings_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.desk_threads(conversation_id);

ALTER TABLE ONLY public.desk_threads
    ADD CONSTRAINT desk_threads_assignee_id_fkey FOREIGN KEY (assignee_id) REFERENCES public.desk_agents(id);

ALTER TABLE ONLY public.desk_threads
    ADD CONSTRAINT desk_threads_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id);

ALTER TABLE ONLY public.desk_threads
    ADD CONSTRAINT desk_threads_former_id_fkey FOREIGN KEY (former_id) REFERENCES public.desk_threads(conversation_id);

ALTER TABLE ONLY public.desk_threads
    ADD CONSTRAINT desk_threads_queue_id_fkey FOREIGN KEY (queue_id) REFERENCES public.desk_queues(id);

ALTER TABLE ONLY public.drafts
    ADD CONSTRAINT drafts_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id);

ALTER TABLE ONLY public.feedback
    ADD CONSTRAINT feedback_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.feedback
    ADD CONSTRAINT feedback_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.grabs
    ADD CONSTRAINT grabs_call_id_fkey FOREIGN KEY (call_id) REFERENCES public.calls(id);

ALTER TABLE ONLY public.grabs
    ADD CONSTRAINT grabs_offer_id_fkey FOREIGN KEY (offer_id) REFERENCES public.offers(id);

ALTER TABLE ONLY public.grabs
    ADD CONSTRAINT grabs_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.workers(id);

ALTER TABLE ONLY public.homeservice_orders
    ADD CONSTRAINT homeservice_orders_item_id_fkey FOREIGN KEY (item_id) REFERENCES public.items(id);

ALTER TABLE ONLY public.homeservice_orders
    ADD CONSTRAINT homeservice_orders_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);

ALTER TABLE ONLY public.homeservice_orders
    ADD CONSTRAINT homeservice_orders_voucher_id_fkey FOREIGN KEY (voucher_id) REFERENCES public.technician_vouchers(id);

ALTER TABLE ONLY public.invoice_events
    ADD CONSTRAINT invoice_events_invoice_id_fkey FOREIGN KEY (invoice_id) REFERENCES public.invoices(id);

ALTER TABLE ONLY public.invoice_lines
    ADD CONSTRAINT invoice_lines_invoice_id_fkey FOREIGN KEY (invoice_id) REFERENCES public.invoices(id);

ALTER TABLE ONLY public.invoice_numbers
    ADD CONSTRAINT invoice_numbers_invoice_id_fkey FOREIGN KEY (invoice_id) REFERENCES public.invoices(id);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_replaces_id_fkey FOREIGN KEY (replaces_id) REFERENCES public.invoices(id);

ALTER TABLE ONLY public.last_served
    ADD CONSTRAINT last_served_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.desk_agents(id);

ALTER TABLE ONLY public.member_coupons
    ADD CONSTRAINT member_coupons_coupon_id_fkey FOREIGN KEY (coupon_id) REFERENCES public.coupons(id);

ALTER TABLE ONLY public.member_coupons
    ADD CONSTRAINT member_coupons_purchase_id_fkey FOREIGN KEY (purchase_id) REFERENCES public.member_purchases(id);

ALTER TABLE ONLY public.member_coupons
    ADD CONSTRAINT member_coupons_template_id_fkey FOREIGN KEY (template_id) REFERENCES public.coupon_templates(id);

ALTER TABLE ONLY public.member_purchases
    ADD CONSTRAINT member_purchases_level_level_version_fkey FOREIGN KEY (level, level_version) REFERENCES public.member_levels(code, version);

ALTER TABLE ONLY public.member_uses
    ADD CONSTRAINT member_uses_membership_id_fkey FOREIGN KEY (membership_id) REFERENCES public.memberships(id);

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_level_level_version_fkey FOREIGN KEY (level, level_version) REFERENCES public.member_levels(code, version);

ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id);

ALTER TABLE ONLY public.offers
    ADD CONSTRAINT offers_call_id_fkey FOREIGN KEY (call_id) REFERENCES public.calls(id);

ALTER TABLE ONLY public.offers
    ADD CONSTRAINT offers_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.workers(id);

ALTER TABLE ONLY public.order_events
    ADD CONSTRAINT order_events_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);

ALTER TABLE ONLY public.order_lines
    ADD CONSTRAINT order_lines_order_id_epoch_allocated_to_fkey FOREIGN KEY (order_id, epoch, allocated_to) REFERENCES public.order_lines(order_id, epoch, n);

ALTER TABLE ONLY public.order_lines
    ADD CONSTRAINT order_lines_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);

ALTER TABLE ONLY public.order_shares
    ADD CONSTRAINT order_shares_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.orders(id);

ALTER TABLE ONLY public.participants
    ADD CONSTRAINT participants_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id);

ALTER TABLE ONLY public.payment_parts
    ADD CONSTRAINT payment_parts_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES public.payments(id);

ALTER TABLE ONLY public.payment_refunds
    ADD CONSTRAINT payment_refunds_payment_id_n_fkey FOREIGN KEY (payment_id, n) REFERENCES public.payment_parts(payment_id, n);

ALTER TABLE ONLY public.payouts
    ADD CONSTRAINT payouts_withdrawal_id_fkey FOREIGN KEY (withdrawal_id) REFERENCES public.withdrawals(id);

ALTER TABLE ONLY public.penalties
    ADD CONSTRAINT penalties_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);

ALTER TABLE ONLY public.points_lots
    ADD CONSTRAINT points_lots_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.points_purses(account_id);

ALTER TABLE ONLY public.points_products
    ADD CONSTRAINT points_products_coupon_template_fkey FOREIGN KEY (coupon_template) REFERENCES public.coupon_templates(id);

ALTER TABLE ONLY public.points_purchases
    ADD CONSTRAINT points_purchases_coupon_id_fkey FOREIGN KEY (coupon_id) REFERENCES public.coupons(id);

ALTER TABLE ONLY public.points_purchases
    ADD CONSTRAINT points_purchases_product_id_fkey FOREIGN KEY (product_id) REFERENCES public.points_products(id);

ALTER TABLE ONLY public.points_returns
    ADD CONSTRAINT points_returns_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.points_purses(account_id);

ALTER TABLE ONLY public.points_uses
    ADD CONSTRAINT points_uses_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.points_purses(account_id);

ALTER TABLE ONLY public.points_uses
    ADD CONSTRAINT points_uses_lot_id_fkey FOREIGN KEY (lot_id) REFERENCES public.points_lots(id);

ALTER TABLE ONLY public.queue_members
    ADD CONSTRAINT queue_members_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.desk_agents(id);

ALTER TABLE ONLY public.queue_members
    ADD CONSTRAINT queue_members_queue_id_fkey FOREIGN KEY (queue_id) REFERENCES public.desk_queues(id);

ALTER TABLE ONLY public.reconciliation_differences
    ADD CONSTRAINT reconciliation_differences_reconciliation_id_fkey FOREIGN KEY (reconciliation_id) REFERENCES public.reconciliations(id);

ALTER TABLE ONLY public.refund_events
    ADD CONSTRAINT refund_events_refund_id_fkey FOREIGN KEY (refund_id) REFERENCES public.refund_requests(id);

ALTER TABLE ONLY public.refund_requests
    ADD CONSTRAINT refund_requests_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);

ALTER TABLE ONLY public.region_items
    ADD CONSTRAINT region_items_item_id_fkey FOREIGN KEY (item_id) REFERENCES public.items(id);

ALTER TABLE ONLY public.region_items
    ADD CONSTRAINT region_items_region_code_fkey FOREIGN KEY (region_code) REFERENCES public.region_settings(region_code);

ALTER TABLE ONLY public.rewards
    ADD CONSTRAINT rewards_event_line_rule_fkey FOREIGN KEY (event, line, rule) REFERENCES public.reward_rules(event, line, version);

ALTER TABLE ONLY public.service_codes
    ADD CONSTRAINT service_codes_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.settlement_lines
    ADD CONSTRAINT settlement_lines_reverses_id_fkey FOREIGN KEY (reverses_id) REFERENCES public.settlement_lines(id);

ALTER TABLE ONLY public.settlement_lines
    ADD CONSTRAINT settlement_lines_settlement_id_fkey FOREIGN KEY (settlement_id) REFERENCES public.settlements(id);

ALTER TABLE ONLY public.settlements
    ADD CONSTRAINT settlements_line_split_version_fkey FOREIGN KEY (line, split_version) REFERENCES public.split_rules(line, version);

ALTER TABLE ONLY public.share_parts
    ADD CONSTRAINT share_parts_split_id_fkey FOREIGN KEY (split_id) REFERENCES public.share_splits(id);

ALTER TABLE ONLY public.share_returns
    ADD CONSTRAINT share_returns_refund_id_fkey FOREIGN KEY (refund_id) REFERENCES public.channel_refunds(id);

ALTER TABLE ONLY public.share_returns
    ADD CONSTRAINT share_returns_split_id_n_fkey FOREIGN KEY (split_id, n) REFERENCES public.share_parts(split_id, n);

ALTER TABLE ONLY public.share_splits
    ADD CONSTRAINT share_splits_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES public.channel_attempts(payment_id);

ALTER TABLE ONLY public.share_splits
    ADD CONSTRAINT share_splits_settlement_id_fkey FOREIGN KEY (settlement_id) REFERENCES public.settlements(id);

ALTER TABLE ONLY public.sla_timers
    ADD CONSTRAINT sla_timers_calendar_id_fkey FOREIGN KEY (calendar_id) REFERENCES public.calendars(id);

ALTER TABLE ONLY public.sla_timers
    ADD CONSTRAINT sla_timers_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.desk_threads(conversation_id);

ALTER TABLE ONLY public.technician_vouchers
    ADD CONSTRAINT technician_vouchers_item_id_fkey FOREIGN KEY (item_id) REFERENCES public.items(id);

ALTER TABLE ONLY public.technician_vouchers
    ADD CONSTRAINT technician_vouchers_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.technicians(worker_id);

ALTER TABLE ONLY public.topups
    ADD CONSTRAINT topups_offer_id_fkey FOREIGN KEY (offer_id) REFERENCES public.topup_offers(id);

ALTER TABLE ONLY public.topups
    ADD CONSTRAINT topups_tier_id_fkey FOREIGN KEY (tier_id) REFERENCES public.topup_tiers(id);

ALTER TABLE ONLY public.transfers
    ADD CONSTRAINT transfers_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES public.payments(id);

ALTER TABLE ONLY public.voucher_holds
    ADD CONSTRAINT voucher_holds_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);

ALTER TABLE ONLY public.voucher_holds
    ADD CONSTRAINT voucher_holds_voucher_id_fkey FOREIGN KEY (voucher_id) REFERENCES public.technician_vouchers(id);

ALTER TABLE ONLY public.wallet_challenges
    ADD CONSTRAINT wallet_challenges_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.wallet_devices(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.withdrawal_events
    ADD CONSTRAINT withdrawal_events_withdrawal_id_fkey FOREIGN KEY (withdrawal_id) REFERENCES public.withdrawals(id);
