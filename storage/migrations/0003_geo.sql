-- Service areas: where work is offered. The polygon is WKB in WGS-84, whatever the file it came from used.
CREATE TABLE areas (
    code        text             PRIMARY KEY,
    name        text             NOT NULL,
    level       text             NOT NULL,
    parent      text,
    polygon     bytea            NOT NULL,
    west        double precision NOT NULL,
    south       double precision NOT NULL,
    east        double precision NOT NULL,
    north       double precision NOT NULL,
    source_crs  text             NOT NULL CHECK (source_crs IN ('wgs84', 'gcj02')),
    version     int              NOT NULL DEFAULT 1,
    imported_at timestamptz      NOT NULL,
    CHECK (west <= east AND south <= north)
);

-- Where workers have been, one partition for each UTC day. One row for a worker and instant, so that a batch
-- sent twice is stored once; `at` alone is then the cursor of a track.
CREATE TABLE worker_fixes (
    worker_id   text             NOT NULL,
    at          timestamptz      NOT NULL,
    lon         double precision NOT NULL,
    lat         double precision NOT NULL,
    accuracy_m  real,
    speed_mps   real,
    heading_deg real,
    is_late     boolean          NOT NULL,
    PRIMARY KEY (worker_id, at)
) PARTITION BY RANGE (at);

-- Rows of days nobody made a partition for are kept here rather than refused; worker_fixes_make_days moves them.
CREATE TABLE worker_fixes_default PARTITION OF worker_fixes DEFAULT;

-- Make the partitions of `days` days from `first_day`; the number made. Safe to repeat and to run twice at once.
CREATE FUNCTION worker_fixes_make_days(first_day date, days int) RETURNS int LANGUAGE plpgsql AS $$
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
END $$;

-- Drop the partitions of days before `first_kept`, and such rows of the default one; the number dropped.
CREATE FUNCTION worker_fixes_drop_days(first_kept date) RETURNS int LANGUAGE plpgsql AS $$
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
END $$;
