-- Whom this server does not serve: somebody with a token, or everybody of a network (CIDR). Times are Unix ms; a ban without an end
-- holds until it is lifted.
CREATE TABLE bans (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    user_id text COLLATE "C" UNIQUE,
    network text COLLATE "C" UNIQUE,
    reason text NOT NULL,
    made_by text COLLATE "C" NOT NULL,
    made_at bigint NOT NULL,
    expires_at bigint,
    CHECK ((user_id IS NULL) <> (network IS NULL))
);

-- How many documents somebody may own, where that is not what everybody may.
CREATE TABLE quotas (
    user_id text COLLATE "C" NOT NULL PRIMARY KEY,
    documents bigint NOT NULL,
    set_by text COLLATE "C" NOT NULL,
    set_at bigint NOT NULL
);
