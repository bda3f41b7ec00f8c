-- Where to begin instead of at version 0. The body is in the object store under a name made of document, history and
-- version, or here when it is small. `checksum` is xxh3-64 of the stored body, its bits read as a signed number.
CREATE TABLE snapshots (
    doc_id TEXT NOT NULL REFERENCES documents (id),
    version BIGINT NOT NULL,
    history TEXT NOT NULL,
    at BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    body BLOB,
    preview TEXT NOT NULL,
    PRIMARY KEY (doc_id, version)
);
