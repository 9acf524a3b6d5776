-- People: one account for all sides; a technician is an account with one more role (HS-003).
CREATE TABLE accounts (
    id               text        PRIMARY KEY,
    phone            text        COLLATE "C" NOT NULL UNIQUE CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    nickname         text        NOT NULL DEFAULT '' CHECK (length(nickname) <= 40),
    roles            text[]      NOT NULL
                     CHECK ('user' = ANY (roles)
                        AND roles <@ ARRAY['user', 'technician', 'support', 'finance', 'ops', 'supervisor', 'admin']),
    status           text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'closed')),
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    -- Access tokens made before this instant carry roles the account no longer has: they are refused (HS-215).
    roles_changed_at timestamptz,
    version          int         NOT NULL DEFAULT 1
);
-- All accounts, the newest first (administrators).
CREATE INDEX accounts_created ON accounts (created_at DESC, id DESC);
-- Read by every process each second: whose roles have changed lately.
CREATE INDEX accounts_roles_changed ON accounts (roles_changed_at) WHERE roles_changed_at IS NOT NULL;

-- Sign-in sessions. The refresh token is known only by its hash; a token of an older generation was stolen or
-- repeated, and ends the session.
CREATE TABLE sessions (
    id                 text        PRIMARY KEY,
    account_id         text        NOT NULL REFERENCES accounts (id),
    refresh_hash       bytea       NOT NULL,
    refresh_generation int         NOT NULL DEFAULT 1 CHECK (refresh_generation > 0),
    user_agent         text        NOT NULL DEFAULT '' CHECK (length(user_agent) <= 200),
    created_at         timestamptz NOT NULL,
    refreshed_at       timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL,
    revoked_at         timestamptz,
    revoke_reason      text,
    CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
);
-- An account's own live sessions, the newest first.
CREATE INDEX sessions_of_account ON sessions (account_id, created_at DESC, id DESC) WHERE revoked_at IS NULL;
-- Read by every process each second: what has been revoked lately.
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX sessions_expired ON sessions (expires_at);

-- The one live sign-in code of a phone, as a keyed hash, and how many were sent in the running hour.
CREATE TABLE sign_in_codes (
    phone          text        PRIMARY KEY,
    code_hash      bytea       NOT NULL,
    sent_at        timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    tries          int         NOT NULL DEFAULT 0,
    window_start   timestamptz NOT NULL,
    sent_in_window int         NOT NULL DEFAULT 1
);
CREATE INDEX sign_in_codes_window ON sign_in_codes (window_start);
