-- The book at length: places, checkpoints, balances of the past, and a database that lets nobody else write.

-- `place` is where an entry stands in its account's list: the version where there is a floor, else a number of this one
-- sequence. `at` is the transfer's, kept here so that sums over time read one index and nothing else. The sequence must
-- not be cached by connections: `ledger_roll_up` takes its last value as "drawn by now".
CREATE SEQUENCE ledger_places CACHE 1;
ALTER TABLE ledger_entries ADD COLUMN place bigint, ADD COLUMN at timestamptz;
ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_stay;
UPDATE ledger_entries AS e
   SET place = coalesce(e.account_version, nextval('ledger_places')), at = t.at
  FROM ledger_transfers AS t
 WHERE t.id = e.transfer_id;
ALTER TABLE ledger_entries ENABLE TRIGGER ledger_entries_stay;
ALTER TABLE ledger_entries
    ALTER COLUMN place SET NOT NULL,
    ALTER COLUMN at SET NOT NULL,
    ADD CHECK (place >= 1 AND (account_version IS NULL OR account_version = place));
-- `ledger_post` writes both in one go and nothing deletes: the check of the key was a tenth of the cost of a transfer.
-- `ledger_faults` reports an entry without a transfer.
ALTER TABLE ledger_entries DROP CONSTRAINT ledger_entries_transfer_id_fkey;
-- One index for the chain of an account with a floor, for sums of the others and for sums over time.
CREATE UNIQUE INDEX ledger_entries_place ON ledger_entries (account_id, place) INCLUDE (amount_fen, at);
DROP INDEX ledger_entries_chain, ledger_entries_system;
CREATE INDEX ledger_accounts_system ON ledger_accounts (id) WHERE floor_fen IS NULL;

-- A stretch of an account's entries, which are final: what they sum to, what all up to here sum to, and their earliest and
-- latest instant. Instants come from many clocks and are not in the order of places.
CREATE TABLE ledger_checkpoints (
    account_id  text        NOT NULL,
    from_place  bigint      NOT NULL,
    upto_place  bigint      NOT NULL,
    sum_fen     bigint      NOT NULL,
    balance_fen bigint      NOT NULL,
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL,
    PRIMARY KEY (account_id, upto_place) INCLUDE (from_place, sum_fen, balance_fen, first_at, last_at),
    UNIQUE (account_id, from_place),
    CHECK (from_place >= 0 AND from_place < upto_place AND first_at <= last_at)
);

-- How many entries a checkpoint covers. Fewer: more checkpoints to look through; more: longer sums beside them.
CREATE FUNCTION ledger_step() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 5000::bigint';

-- Cover the next `ledger_step()` entries of one account, none beyond `p_upto`; false when there are not so many. The caller
-- knows that no entry will ever appear at or before that place.
CREATE FUNCTION ledger_checkpoint(p_account_id text, p_upto bigint) RETURNS boolean LANGUAGE plpgsql AS $$
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

-- Roll append-only accounts up, one checkpoint each. Their entries commit out of order, so a place below the last one
-- seen may still be filled by a transaction that is open. Two rounds make sure: the first notes the last place drawn and
-- then its own transaction number. Who has drawn one of these places had a number before, hence a smaller one. When all
-- smaller numbers have ended, nothing can appear up to that place, and a later round covers it.
--
-- The number is only compared with numbers of the same server: after a dump and restore an old one is dropped or comes
-- true at once, and both are right, since what was open at the dump is not in it.
CREATE FUNCTION ledger_roll_up(p_upto bigint, p_xid xid8) RETURNS TABLE (written int, upto bigint, xid xid8)
LANGUAGE plpgsql AS $$
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

-- Writing is for the functions above and below. This keeps mistakes out, in code and at a console, without roles that a
-- hosted database does not grant; whoever may replace functions is not stopped by it.
CREATE FUNCTION ledger_refuse_strangers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_stack text;
BEGIN
    GET DIAGNOSTICS v_stack = PG_CONTEXT;
    IF position('ledger_post(text' IN v_stack) = 0 AND position('ledger_checkpoint(text' IN v_stack) = 0 THEN
        RAISE EXCEPTION 'only ledger_post writes to %', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_accounts_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ledger_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_strangers();
CREATE TRIGGER ledger_transfers_guard BEFORE INSERT OR TRUNCATE ON ledger_transfers
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_strangers();
CREATE TRIGGER ledger_entries_guard BEFORE INSERT OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_strangers();
CREATE TRIGGER ledger_checkpoints_guard BEFORE INSERT OR TRUNCATE ON ledger_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_strangers();
CREATE TRIGGER ledger_checkpoints_stay BEFORE UPDATE OR DELETE ON ledger_checkpoints
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();

-- Post one transfer in one round trip, as before; new are places, instants and, every so often, a checkpoint of a locked
-- account, whose chain is complete by construction. Plans are made once: the planner cannot see how short the arrays are,
-- and would plan each call anew, which took two fifths of the whole.
--
-- Order of work: find the accounts (create missing ones by code), lock those with a floor by id, look for the reference,
-- check floors, write. Whoever waits for an account another is creating holds no row lock yet, and row locks are taken
-- in one order: transfers never deadlock with each other. A refusal is an answer, not an exception: nothing is written
-- and the caller's transaction goes on. Exceptions are kept for our own mistakes (a transfer that does not balance).
-- `= ANY` and array_position instead of joins with unnest: plans stay on the indexes while the tables are small.
--
-- Answers: posted | repeated (the first transfer with this reference) | ref_reused | short (names the account).
CREATE OR REPLACE FUNCTION ledger_post(
    p_id text, p_ref text, p_kind text, p_order_id text, p_at timestamptz, p_note text, p_by_id text,
    p_overdraw boolean,
    p_codes text[], p_amounts bigint[],
    p_account_ids text[], p_kinds text[], p_owners text[], p_units text[], p_floors bigint[], p_may_overdraw boolean[]
) RETURNS TABLE (
    outcome text, posted_id text, posted_at timestamptz,
    posted_codes text[], posted_amounts bigint[], posted_balances bigint[]
) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
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

-- Everything that is wrong with the book, in one snapshot; an empty answer is the proof that it is right.
CREATE OR REPLACE FUNCTION ledger_faults() RETURNS SETOF text LANGUAGE sql STABLE SET enable_seqscan = on AS $$
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
