-- The cold part of the log: operations that have left `ops` for the object store. A segment has all versions from the first to
-- the last, and follows on the segment before. `history` is the one that they were made under. `checksum` is xxh3-64 of the
-- object's index, its bits read as a signed number.
CREATE TABLE segments (
    doc_id TEXT NOT NULL REFERENCES documents (id),
    first_version BIGINT NOT NULL,
    last_version BIGINT NOT NULL,
    history TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    index_bytes BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    object_key TEXT NOT NULL,
    PRIMARY KEY (doc_id, last_version)
) WITHOUT ROWID;
