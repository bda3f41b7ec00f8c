-- Accounts of this server's own (rows of `users` with issuer `quire`; `subject` is the address in lower case), and what people and
-- scripts prove with who they are. What is compared is here as a hash; what has to be computed with (signing keys, secrets of second
-- factors) is here itself, and a backup of documents has none of it. Times are Unix ms.
ALTER TABLE users ADD COLUMN admin BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN may_create BOOLEAN NOT NULL DEFAULT TRUE;

CREATE INDEX users_disabled ON users (disabled_at) WHERE disabled_at IS NOT NULL;

-- `password` is a PHC string. A second factor is asked for from `totp_since` on; `totp_step` is the last step that was used.
CREATE TABLE credentials (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id),
    password TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    totp_secret BLOB,
    totp_since BIGINT,
    totp_step BIGINT NOT NULL DEFAULT 0
);

-- A row is one code, and goes when it is used.
CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users (id),
    hash BLOB NOT NULL,
    PRIMARY KEY (user_id, hash)
) WITHOUT ROWID;

-- A sign-in is a family of refresh tokens, of which the last one is good: `family` is in all of them, `token` in that one alone.
CREATE TABLE sign_ins (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    family BLOB NOT NULL UNIQUE,
    token BLOB NOT NULL,
    user_agent TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
);

CREATE INDEX sign_ins_by_user ON sign_ins (user_id, used_at);
CREATE INDEX sign_ins_ended ON sign_ins (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX sign_ins_expiring ON sign_ins (expires_at);

-- Keys of scripts. `scopes` are words with a space between them.
CREATE TABLE service_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    owner TEXT NOT NULL REFERENCES users (id),
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    used_at BIGINT,
    ended_at BIGINT
);

CREATE INDEX service_tokens_by_owner ON service_tokens (owner, created_at);
CREATE INDEX service_tokens_ended ON service_tokens (ended_at) WHERE ended_at IS NOT NULL;

-- Ed25519: `seed` is the private key. Made before it signs, so that every server knows it by then.
CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    seed BLOB NOT NULL,
    signs_from BIGINT NOT NULL,
    signs_until BIGINT NOT NULL,
    verifies_until BIGINT NOT NULL
);

CREATE TABLE password_resets (
    hash BLOB NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    expires_at BIGINT NOT NULL
);

CREATE INDEX password_resets_by_user ON password_resets (user_id);
CREATE INDEX password_resets_expiring ON password_resets (expires_at);
