-- Versions of a document that somebody has given a name. `made_at` is when the version was made, `named_at` when it got its name.
CREATE TABLE named_versions (
    doc_id TEXT NOT NULL REFERENCES documents (id),
    version BIGINT NOT NULL,
    name TEXT NOT NULL,
    user_id TEXT NOT NULL,
    named_at BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (doc_id, version)
) WITHOUT ROWID;

-- Which document a caller's key has been given, so that a request which is sent again makes no second one. Kept for a day; the
-- document may not exist: it is named before it is made.
CREATE TABLE repeats (
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    doc_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (user_id, key)
) WITHOUT ROWID;

CREATE INDEX repeats_by_age ON repeats (at);
