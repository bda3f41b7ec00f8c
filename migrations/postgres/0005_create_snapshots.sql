-- Where to begin instead of at version 0. The body is in the object store under a name made of document, history and
-- version, or here when it is small. `checksum` is xxh3-64 of the stored body, its bits read as a signed number.
CREATE TABLE snapshots (
    doc_id text COLLATE "C" NOT NULL REFERENCES documents (id),
    version bigint NOT NULL,
    history uuid NOT NULL,
    at bigint NOT NULL,
    checksum bigint NOT NULL,
    bytes bigint NOT NULL,
    body bytea,
    preview text NOT NULL,
    PRIMARY KEY (doc_id, version)
);

-- Bodies are compressed already.
ALTER TABLE snapshots ALTER COLUMN body SET STORAGE EXTERNAL;
