-- Locks and writes of the pool that used to be several round trips. Each statement inside sees what the locks before it
-- let through, because the functions are volatile.

-- Lock these workers in id order, then the call, and read it: worker rows first, everywhere.
CREATE FUNCTION call_lock_with(p_call_id text, p_worker_ids text[]) RETURNS SETOF calls
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM FROM workers WHERE id = ANY(p_worker_ids) ORDER BY id FOR NO KEY UPDATE;
    RETURN QUERY SELECT * FROM calls WHERE id = p_call_id FOR NO KEY UPDATE;
END $$;

-- A new call; a line's own placing function calls this one.
CREATE FUNCTION call_open(
    p_id text, p_subject_kind text, p_subject_id text, p_mode text, p_service text, p_area_code text,
    p_lon double precision, p_lat double precision, p_start_at timestamptz, p_busy_until timestamptz, p_plan text,
    p_detail text, p_audience text[], p_owner_account_id text, p_excluded text[], p_named_worker_id text,
    p_at timestamptz
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO calls (id, subject_kind, subject_id, mode, service, area_code, lon, lat, start_at, busy_until, plan,
                       detail, audience, owner_account_id, excluded, named_worker_id, created_at, changed_at, status)
    VALUES (p_id, p_subject_kind, p_subject_id, p_mode, p_service, p_area_code, p_lon, p_lat, p_start_at, p_busy_until,
            p_plan, p_detail, p_audience, p_owner_account_id, p_excluded, p_named_worker_id, p_at, p_at, 'open');
$$;

-- Lock the worker, then the order behind the call; nothing when no order of this line seeks a worker by it.
CREATE FUNCTION homeservice_lock_of_call(p_call_id text, p_worker_id text)
RETURNS TABLE (order_id text, free_travel_m int)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    found_id text;
BEGIN
    SELECT o.id INTO found_id FROM orders o WHERE o.call_id = p_call_id AND o.line = 'homeservice';
    IF found_id IS NULL THEN
        RETURN;
    END IF;
    PERFORM FROM workers w WHERE w.id = p_worker_id FOR NO KEY UPDATE;
    PERFORM FROM orders o JOIN homeservice_orders v ON v.order_id = o.id WHERE o.id = found_id FOR NO KEY UPDATE;
    RETURN QUERY SELECT found_id, coalesce((SELECT t.free_travel_m FROM technicians t
                                             WHERE t.worker_id = p_worker_id), 0);
END $$;

-- The call, the order with its first event, and the visit, in one call. From p_call_id on: what call_open takes.
DROP FUNCTION homeservice_place;
CREATE FUNCTION homeservice_place(
    p_id text, p_no text, p_customer_id text, p_snapshot jsonb, p_at timestamptz,
    p_item_id text, p_qty int, p_region_code text, p_contact text, p_phone text, p_detail text,
    p_lon double precision, p_lat double precision, p_start_at timestamptz, p_minutes int, p_item_fen bigint,
    p_no_grab_due_at timestamptz, p_pool_close_due_at timestamptz,
    p_call_id text, p_subject_kind text, p_subject_id text, p_mode text, p_service text, p_area_code text,
    p_call_lon double precision, p_call_lat double precision, p_call_start_at timestamptz, p_busy_until timestamptz,
    p_plan text, p_call_detail text, p_audience text[], p_owner_account_id text, p_excluded text[],
    p_named_worker_id text, p_call_at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM call_open(p_call_id, p_subject_kind, p_subject_id, p_mode, p_service, p_area_code, p_call_lon, p_call_lat,
                      p_call_start_at, p_busy_until, p_plan, p_call_detail, p_audience, p_owner_account_id, p_excluded,
                      p_named_worker_id, p_call_at);
    PERFORM order_place(p_id, p_no, 'homeservice', 'service', 'grab', NULL, p_customer_id, p_call_id, 'in_pool', 0,
                        p_snapshot, p_at, 'customer:' || p_customer_id, 'post');
    INSERT INTO homeservice_orders (order_id, item_id, qty, region_code, contact, phone, detail, lon, lat, start_at,
                                    minutes, item_fen, pool_entered_at, no_grab_due_at, pool_close_due_at)
    VALUES (p_id, p_item_id, p_qty, p_region_code, p_contact, p_phone, p_detail, p_lon, p_lat, p_start_at,
            p_minutes, p_item_fen, p_at, p_no_grab_due_at, p_pool_close_due_at);
END $$;
