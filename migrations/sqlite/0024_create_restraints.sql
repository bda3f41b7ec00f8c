-- Whom this server does not serve: somebody with a token, or everybody of a network (CIDR). Times are Unix ms; a ban without an end
-- holds until it is lifted.
CREATE TABLE bans (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT UNIQUE,
    network TEXT UNIQUE,
    reason TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    expires_at INTEGER,
    CHECK ((user_id IS NULL) <> (network IS NULL))
) STRICT;

-- How many documents somebody may own, where that is not what everybody may.
CREATE TABLE quotas (
    user_id TEXT NOT NULL PRIMARY KEY,
    documents INTEGER NOT NULL,
    set_by TEXT NOT NULL,
    set_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
