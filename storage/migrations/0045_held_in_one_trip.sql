-- Orders are held with their workers in one trip (docs/decisions/0011-round-trips.md).

-- Lock these workers, in id order; nulls are nobody.
CREATE FUNCTION workers_hold(p_ids text[]) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM FROM workers WHERE id = ANY(p_ids) ORDER BY id FOR NO KEY UPDATE;
END $$;

-- Pass the order's gate, then lock its worker, the one chosen last (late money may bring him back, HS-088) and these
-- others. A row for an order of p_owner's, else none, and then nothing is locked.
CREATE FUNCTION homeservice_hold(p_id text, p_owner text, p_workers text[]) RETURNS TABLE (order_id text)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
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
