-- Accounts of the double-entry book. An account with a floor keeps a running balance under a row lock; one without
-- (channel, platform) is append-only: its balance is the sum of its entries, so that no hot row serialises payments.
CREATE TABLE ledger_accounts (
    id           text   PRIMARY KEY,
    code         text   NOT NULL UNIQUE,
    kind         text   NOT NULL,
    owner_id     text   NOT NULL,
    unit         text   NOT NULL CHECK (unit IN ('CNY', 'PTS')),
    floor_fen    bigint,
    may_overdraw boolean NOT NULL DEFAULT false,
    balance_fen  bigint,
    version      bigint,
    CHECK ((floor_fen IS NULL) = (balance_fen IS NULL) AND (floor_fen IS NULL) = (version IS NULL)),
    CHECK (may_overdraw OR balance_fen >= floor_fen)
) WITH (fillfactor = 80);
CREATE INDEX ledger_accounts_owner ON ledger_accounts (owner_id);

-- One movement of value; the reference makes repeating it harmless.
CREATE TABLE ledger_transfers (
    id       text        PRIMARY KEY,
    ref      text        NOT NULL UNIQUE,
    kind     text        NOT NULL,
    order_id text,
    at       timestamptz NOT NULL,
    note     text,
    by_id    text
);
CREATE INDEX ledger_transfers_order ON ledger_transfers (order_id) WHERE order_id IS NOT NULL;

-- The lines of a transfer. No foreign key to ledger_accounts: its check would lock the row of a platform account in
-- every payment; `ledger_post` is the only writer and `ledger_faults` reports an entry without an account.
CREATE TABLE ledger_entries (
    transfer_id       text     NOT NULL REFERENCES ledger_transfers (id),
    n                 smallint NOT NULL CHECK (n >= 1),
    account_id        text     NOT NULL,
    amount_fen        bigint   NOT NULL CHECK (amount_fen <> 0 AND abs(amount_fen) <= 1000000000000),
    balance_after_fen bigint,
    account_version   bigint,
    PRIMARY KEY (transfer_id, n),
    CHECK ((balance_after_fen IS NULL) = (account_version IS NULL))
);
-- The chain of a floor account: read newest first by its owner, gapless by `ledger_faults`.
CREATE UNIQUE INDEX ledger_entries_chain ON ledger_entries (account_id, account_version)
    WHERE account_version IS NOT NULL;
-- The sum of a system account, read from the index alone.
CREATE INDEX ledger_entries_system ON ledger_entries (account_id) INCLUDE (amount_fen)
    WHERE account_version IS NULL;

CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change; post a transfer that corrects', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER ledger_entries_stay BEFORE UPDATE OR DELETE ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_transfers_stay BEFORE UPDATE OR DELETE ON ledger_transfers
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();

-- Post one transfer in one round trip; the only writer of the three tables above.
--
-- Order of work: find the accounts (create missing ones by code), lock those with a floor by id, look for the reference,
-- check floors, write. Whoever waits for an account another is creating holds no row lock yet, and row locks are taken
-- in one order: transfers never deadlock with each other. A refusal is an answer, not an exception: nothing is written
-- and the caller's transaction goes on. Exceptions are kept for our own mistakes (a transfer that does not balance).
-- `= ANY` and array_position instead of joins with unnest: plans stay on the indexes while the tables are small.
--
-- Answers: posted | repeated (the first transfer with this reference) | ref_reused | short (names the account).
CREATE FUNCTION ledger_post(
    p_id text, p_ref text, p_kind text, p_order_id text, p_at timestamptz, p_note text, p_by_id text,
    p_overdraw boolean,
    p_codes text[], p_amounts bigint[],
    p_account_ids text[], p_kinds text[], p_owners text[], p_units text[], p_floors bigint[], p_may_overdraw boolean[]
) RETURNS TABLE (
    outcome text, posted_id text, posted_at timestamptz,
    posted_codes text[], posted_amounts bigint[], posted_balances bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    v_count    int := cardinality(p_codes);
    v_ids      text[];      -- the accounts, in the order of p_codes; so are the arrays below
    v_units    text[];
    v_floors   bigint[];
    v_lenient  boolean[];
    v_balances bigint[];    -- NULL for accounts without a floor
    v_versions bigint[];
    v_short    int;
    v_first    ledger_transfers;
BEGIN
    IF v_count < 2 OR (SELECT count(DISTINCT code) FROM unnest(p_codes) AS code) <> v_count THEN
        RAISE EXCEPTION 'transfer %: needs two accounts or more, none named twice', p_ref USING ERRCODE = 'check_violation';
    END IF;

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

    IF EXISTS (
        SELECT 1 FROM unnest(v_units, p_amounts) AS given (unit, amount) GROUP BY unit HAVING sum(amount) <> 0
    ) THEN
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
    INSERT INTO ledger_entries (transfer_id, n, account_id, amount_fen, balance_after_fen, account_version)
    SELECT p_id, n, id, amount, balance, version
      FROM unnest(v_ids, p_amounts, v_balances, v_versions) WITH ORDINALITY AS line (id, amount, balance, version, n);
    RETURN QUERY SELECT 'posted', p_id, p_at, p_codes, p_amounts, v_balances;
END $$;

-- Everything that is wrong with the book, in one snapshot; an empty answer is the proof that it is right.
CREATE FUNCTION ledger_faults() RETURNS SETOF text LANGUAGE sql STABLE AS $$
    WITH chain AS (
        SELECT a.code, e.account_version, e.balance_after_fen, e.transfer_id,
               row_number() OVER steps AS place, sum(e.amount_fen) OVER steps AS running
          FROM ledger_entries AS e JOIN ledger_accounts AS a ON a.id = e.account_id
         WHERE a.floor_fen IS NOT NULL
        WINDOW steps AS (PARTITION BY e.account_id ORDER BY e.account_version NULLS FIRST)
    ), totals AS (
        SELECT a.id, a.code, a.floor_fen, a.may_overdraw, a.balance_fen, a.version,
               coalesce(sum(e.amount_fen), 0) AS total, count(e.n) AS steps, count(e.account_version) AS versioned
          FROM ledger_accounts AS a LEFT JOIN ledger_entries AS e ON e.account_id = a.id
         GROUP BY a.id
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
    SELECT format('account %s: transfer %s has version %s in place %s', code, transfer_id, account_version, place)
      FROM chain WHERE account_version IS DISTINCT FROM place
    UNION ALL
    SELECT format('account %s: transfer %s says %s after it, entries sum to %s', code, transfer_id, balance_after_fen, running)
      FROM chain WHERE balance_after_fen IS DISTINCT FROM running
$$;

-- Attempts to pay an order. `lock_epoch` is the order's when the attempt was opened: money that comes under another
-- epoch is late. `ref` is the channel's own number of the money.
CREATE TABLE payments (
    id           text        PRIMARY KEY,
    order_id     text        NOT NULL,
    account_id   text        NOT NULL,
    method       text        NOT NULL CHECK (method IN ('wallet', 'wechat', 'alipay')),
    amount_fen   bigint      NOT NULL CHECK (amount_fen > 0 AND amount_fen <= 1000000000000),
    refunded_fen bigint      NOT NULL DEFAULT 0 CHECK (refunded_fen >= 0 AND refunded_fen <= amount_fen),
    state        text        NOT NULL CHECK (state IN ('created', 'paid', 'failed', 'closed', 'paid_late', 'refunded')),
    lock_epoch   bigint      NOT NULL,
    ref          text,
    reason       text,
    version      bigint      NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL,
    paid_at      timestamptz,
    ended_at     timestamptz,
    CHECK ((paid_at IS NOT NULL) = (state IN ('paid', 'paid_late', 'refunded')))
);
CREATE INDEX payments_order ON payments (order_id);
-- One open attempt per order: a second one closes the first.
CREATE UNIQUE INDEX payments_one_open ON payments (order_id) WHERE state = 'created';
-- The same money of a channel is booked once.
CREATE UNIQUE INDEX payments_channel_ref ON payments (method, ref) WHERE ref IS NOT NULL;
