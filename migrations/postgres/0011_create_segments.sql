-- The cold part of the log: operations that have left `ops` for the object store. A segment has all versions from the first to
-- the last, and follows on the segment before. `history` is the one that they were made under. `checksum` is xxh3-64 of the
-- object's index, its bits read as a signed number.
CREATE TABLE segments (
    first_version bigint NOT NULL,
    last_version bigint NOT NULL,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    bytes bigint NOT NULL,
    index_bytes bigint NOT NULL,
    checksum bigint NOT NULL,
    history uuid NOT NULL,
    doc_id text COLLATE "C" NOT NULL REFERENCES documents (id),
    object_key text NOT NULL,
    PRIMARY KEY (doc_id, last_version)
);
