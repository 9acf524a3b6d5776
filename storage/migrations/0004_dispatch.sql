-- Workers: who may be offered work. unit_no is the small number bookings are made on (see bookings).
CREATE TABLE workers (
    id              text        PRIMARY KEY,
    unit_no         bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    account_id      text        NOT NULL UNIQUE,
    display_name    text        NOT NULL,
    status          text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    online          boolean     NOT NULL DEFAULT false,
    services        text[]      NOT NULL DEFAULT '{}',
    takes_pool      boolean     NOT NULL DEFAULT true,
    takes_direct    boolean     NOT NULL DEFAULT true,
    radius_m        int         NOT NULL CHECK (radius_m BETWEEN 1000 AND 100000),
    area_code       text        NOT NULL DEFAULT '',
    work_from_min   int         NOT NULL DEFAULT 540  CHECK (work_from_min BETWEEN 0 AND 1440),
    work_to_min     int         NOT NULL DEFAULT 1380 CHECK (work_to_min BETWEEN 0 AND 1440),
    rest_dates      date[]      NOT NULL DEFAULT '{}',
    score_milli     int         NOT NULL DEFAULT 5000 CHECK (score_milli BETWEEN 0 AND 5000),
    created_at      timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    version         int         NOT NULL DEFAULT 1
);
CREATE INDEX workers_online ON workers (id) WHERE online;

-- Last position of each worker, written in batches; a table of its own so that fixes never wait for a worker's lock.
CREATE TABLE worker_positions (
    worker_id   text             PRIMARY KEY,
    lon         double precision NOT NULL,
    lat         double precision NOT NULL,
    accuracy_m  real,
    heading_deg real,
    speed_mps   real,
    at          timestamptz      NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX worker_positions_lat ON worker_positions (lat, lon);

-- Calls: work seeking a worker. What the work is, only the subject's owner knows.
CREATE TABLE calls (
    id               text             PRIMARY KEY,
    subject_kind     text             NOT NULL,
    subject_id       text             NOT NULL,
    mode             text             NOT NULL CHECK (mode IN ('choose_back', 'first_wins', 'direct')),
    service          text             NOT NULL,
    area_code        text             NOT NULL,
    lon              double precision NOT NULL,
    lat              double precision NOT NULL,
    start_at         timestamptz      NOT NULL,
    busy_until       timestamptz      NOT NULL,
    status           text             NOT NULL CHECK (status IN ('open', 'paused', 'locked', 'won', 'done', 'cancelled', 'expired')),
    epoch            int              NOT NULL DEFAULT 1,
    wave             int              NOT NULL DEFAULT 0,
    ring_m           int              NOT NULL DEFAULT 0,
    plan             text             NOT NULL,
    detail           text             NOT NULL,
    audience         text[]           NOT NULL,
    owner_account_id text             NOT NULL,
    excluded         text[]           NOT NULL DEFAULT '{}',
    named_worker_id  text,
    worker_id        text REFERENCES workers (id),
    locked_until     timestamptz,
    created_at       timestamptz      NOT NULL,
    changed_at       timestamptz      NOT NULL,
    closed_reason    text,
    version          int              NOT NULL DEFAULT 1,
    CHECK (start_at < busy_until),
    CHECK ((status IN ('locked', 'won', 'done')) = (worker_id IS NOT NULL))
);
-- One live call per subject: nothing is offered twice at once.
CREATE UNIQUE INDEX calls_one_live ON calls (subject_kind, subject_id)
    WHERE status IN ('open', 'paused', 'locked', 'won');
CREATE INDEX calls_open ON calls (created_at, id) WHERE status IN ('open', 'paused', 'locked');
CREATE INDEX calls_worker ON calls (worker_id) WHERE worker_id IS NOT NULL;

-- Offers: a call shown to one worker, at most once per epoch.
CREATE TABLE offers (
    id          text             PRIMARY KEY,
    call_id     text             NOT NULL REFERENCES calls (id),
    worker_id   text             NOT NULL REFERENCES workers (id),
    epoch       int              NOT NULL,
    wave        int              NOT NULL,
    distance_m  double precision NOT NULL,
    state       text             NOT NULL CHECK (state IN ('open', 'grabbed', 'declined', 'expired', 'withdrawn', 'won', 'lost', 'void')),
    made_at     timestamptz      NOT NULL,
    expires_at  timestamptz      NOT NULL,
    closed_at   timestamptz,
    UNIQUE (call_id, worker_id, epoch),
    CHECK ((state IN ('open', 'grabbed')) = (closed_at IS NULL))
);
CREATE INDEX offers_of_worker ON offers (worker_id, made_at DESC) WHERE state IN ('open', 'grabbed');

-- Grabs: a worker's yes with its quote.
CREATE TABLE grabs (
    id          text             PRIMARY KEY,
    call_id     text             NOT NULL REFERENCES calls (id),
    worker_id   text             NOT NULL REFERENCES workers (id),
    offer_id    text             NOT NULL REFERENCES offers (id),
    epoch       int              NOT NULL,
    distance_m  double precision NOT NULL,
    quote       text             NOT NULL,
    request_id  text,
    state       text             NOT NULL CHECK (state IN ('offered', 'locked', 'won', 'lost', 'unbound', 'withdrawn', 'void')),
    at          timestamptz      NOT NULL,
    closed_at   timestamptz,
    CHECK ((state IN ('offered', 'locked', 'won')) = (closed_at IS NULL))
);
-- One live grab per worker and call.
CREATE UNIQUE INDEX grabs_one_live ON grabs (call_id, worker_id) WHERE state IN ('offered', 'locked', 'won');
-- At most one grab of a call is locked or has won.
CREATE UNIQUE INDEX grabs_one_winner ON grabs (call_id) WHERE state IN ('locked', 'won');
CREATE INDEX grabs_of_worker ON grabs (worker_id) WHERE state IN ('offered', 'locked', 'won');
CREATE INDEX grabs_of_call ON grabs (call_id, at);

-- Bookings: a unit taken for a period. The row of the unit is locked first; the constraint is the backstop, on a
-- range-encoded number because the engine's GiST has no operator class for bigint without an extension.
CREATE TABLE bookings (
    id          text        PRIMARY KEY,
    unit_no     bigint      NOT NULL,
    worker_id   text        NOT NULL REFERENCES workers (id),
    call_id     text        NOT NULL REFERENCES calls (id),
    during      tstzrange   NOT NULL,
    state       text        NOT NULL CHECK (state IN ('held', 'firm', 'released', 'done')),
    created_at  timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL,
    CONSTRAINT bookings_no_overlap EXCLUDE USING gist (int8range(unit_no, unit_no, '[]') WITH &&, during WITH &&)
        WHERE (state IN ('held', 'firm'))
);
-- A call has at most one live booking.
CREATE UNIQUE INDEX bookings_one_live ON bookings (call_id) WHERE state IN ('held', 'firm');
CREATE INDEX bookings_of_worker ON bookings (worker_id) WHERE state IN ('held', 'firm');
