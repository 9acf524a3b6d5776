-- The code by which an account is named as the one who brought somebody (HS-165). Made when first asked for.
CREATE TABLE referral_codes (
    account_id text        PRIMARY KEY,
    code       text        COLLATE "C" NOT NULL UNIQUE CHECK (code ~ '^[0-9A-HJKMNP-TV-Z]{8}$'),
    created_at timestamptz NOT NULL
);

-- Who brought whom, once for each side of an account, for ever (HS-166, HS-172). name: as it was then, shown masked.
-- What a technician's referrer earns is in worker_channels.
CREATE TABLE referrals (
    id          text        PRIMARY KEY,
    account_id  text        NOT NULL,
    side        text        NOT NULL CHECK (side IN ('customer', 'technician')),
    worker_id   text,
    referrer_id text        NOT NULL,
    name        text        NOT NULL,
    since       timestamptz NOT NULL,
    UNIQUE (account_id, side),
    CHECK (account_id <> referrer_id),
    CHECK ((worker_id IS NOT NULL) = (side = 'technician'))
);
CREATE INDEX referrals_referrer ON referrals (referrer_id, id DESC);
