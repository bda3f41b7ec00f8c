-- Who has done what, when, and with what outcome: rows that are only added, each with the hash of the one before in its own
-- (storage/audit.rs), so that a row that was changed, removed, moved or put in by hand is found. Old rows go from the lower end;
-- the record `audit.checkpoint` says what the last of them had for a hash.
CREATE TABLE audit (
    chain text COLLATE "C" NOT NULL,
    n bigint NOT NULL,
    at bigint NOT NULL,
    actor text COLLATE "C" NOT NULL,
    address text,
    action text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    outcome text NOT NULL,
    details text NOT NULL,
    previous bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (chain, n)
);

-- What is asked for: of all, of one person, of one document.
CREATE INDEX audit_by_time ON audit (at, chain, n);
CREATE INDEX audit_by_actor ON audit (actor, at);
CREATE INDEX audit_by_subject ON audit (subject, at);

-- Where each chain ends: a row that is missing there is missed as well.
CREATE TABLE audit_chains (
    chain text COLLATE "C" NOT NULL PRIMARY KEY,
    n bigint NOT NULL,
    hash bytea NOT NULL
);
