-- Who has done what, when, and with what outcome: rows that are only added, each with the hash of the one before in its own
-- (storage/audit.rs), so that a row that was changed, removed, moved or put in by hand is found. Old rows go from the lower end;
-- the record `audit.checkpoint` says what the last of them had for a hash.
CREATE TABLE audit (
    chain TEXT NOT NULL,
    n BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    address TEXT,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL,
    details TEXT NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (chain, n)
);

-- What is asked for: of all, of one person, of one document.
CREATE INDEX audit_by_time ON audit (at, chain, n);
CREATE INDEX audit_by_actor ON audit (actor, at);
CREATE INDEX audit_by_subject ON audit (subject, at);

-- Where each chain ends: a row that is missing there is missed as well.
CREATE TABLE audit_chains (
    chain TEXT NOT NULL PRIMARY KEY,
    n BIGINT NOT NULL,
    hash BLOB NOT NULL
);
