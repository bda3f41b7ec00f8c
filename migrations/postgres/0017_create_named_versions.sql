-- Versions of a document that somebody has given a name. `made_at` is when the version was made, `named_at` when it got its name.
CREATE TABLE named_versions (
    version bigint NOT NULL,
    named_at bigint NOT NULL,
    made_at bigint NOT NULL,
    doc_id text COLLATE "C" NOT NULL REFERENCES documents (id),
    name text NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (doc_id, version)
);

-- Which document a caller's key has been given, so that a request which is sent again makes no second one. Kept for a day; the
-- document may not exist: it is named before it is made.
CREATE TABLE repeats (
    at bigint NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    doc_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (user_id, key)
);

CREATE INDEX repeats_by_age ON repeats (at);
