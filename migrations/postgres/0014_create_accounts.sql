-- Accounts of this server's own (rows of `users` with issuer `quire`; `subject` is the address in lower case), and what people and
-- scripts prove with who they are. What is compared is here as a hash; what has to be computed with (signing keys, secrets of second
-- factors) is here itself, and a backup of documents has none of it. Times are Unix ms.
ALTER TABLE users ADD COLUMN admin boolean NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN may_create boolean NOT NULL DEFAULT TRUE;

CREATE INDEX users_disabled ON users (disabled_at) WHERE disabled_at IS NOT NULL;

-- `password` is a PHC string. A second factor is asked for from `totp_since` on; `totp_step` is the last step that was used.
CREATE TABLE credentials (
    user_id text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES users (id),
    password text NOT NULL,
    changed_at bigint NOT NULL,
    totp_secret bytea,
    totp_since bigint,
    totp_step bigint NOT NULL DEFAULT 0
);

-- A row is one code, and goes when it is used.
CREATE TABLE recovery_codes (
    user_id text COLLATE "C" NOT NULL REFERENCES users (id),
    hash bytea NOT NULL,
    PRIMARY KEY (user_id, hash)
);

-- A sign-in is a family of refresh tokens, of which the last one is good: `family` is in all of them, `token` in that one alone.
CREATE TABLE sign_ins (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL REFERENCES users (id),
    family bytea NOT NULL UNIQUE,
    token bytea NOT NULL,
    user_agent text NOT NULL,
    created_at bigint NOT NULL,
    used_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    ended_at bigint
);

CREATE INDEX sign_ins_by_user ON sign_ins (user_id, used_at);
CREATE INDEX sign_ins_ended ON sign_ins (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX sign_ins_expiring ON sign_ins (expires_at);

-- Keys of scripts. `scopes` are words with a space between them.
CREATE TABLE service_tokens (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,
    name text NOT NULL,
    owner text COLLATE "C" NOT NULL REFERENCES users (id),
    scopes text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    used_at bigint,
    ended_at bigint
);

CREATE INDEX service_tokens_by_owner ON service_tokens (owner, created_at);
CREATE INDEX service_tokens_ended ON service_tokens (ended_at) WHERE ended_at IS NOT NULL;

-- Ed25519: `seed` is the private key. Made before it signs, so that every server knows it by then.
CREATE TABLE signing_keys (
    kid text COLLATE "C" NOT NULL PRIMARY KEY,
    seed bytea NOT NULL,
    signs_from bigint NOT NULL,
    signs_until bigint NOT NULL,
    verifies_until bigint NOT NULL
);

CREATE TABLE password_resets (
    hash bytea NOT NULL PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL REFERENCES users (id),
    expires_at bigint NOT NULL
);

CREATE INDEX password_resets_by_user ON password_resets (user_id);
CREATE INDEX password_resets_expiring ON password_resets (expires_at);
