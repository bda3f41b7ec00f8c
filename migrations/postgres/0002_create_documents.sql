-- One row for every id that was ever given, so that none is given twice: a purged document keeps its row as a tombstone
-- (`purged_at`), emptied of all that a person wrote. `purge_pending` is set until the last of its log is gone.
-- `history` names the one sequence of versions this document has had; a fork or a restore from backup begins another
-- and says where it left the old one. `search` is the title and the preview in lower case, folded by the server, so that
-- the database's locale has no say in it.
-- Ids are compared byte by byte (collation C): as fast as can be, and in the same order in every database.
CREATE TABLE documents (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    shard smallint NOT NULL,
    history uuid NOT NULL,
    forked_from text COLLATE "C",
    forked_history uuid,
    forked_at_version bigint,
    title text NOT NULL,
    owner text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    snapshot_version bigint NOT NULL DEFAULT 0,
    preview text NOT NULL DEFAULT '',
    search text NOT NULL,
    deleted_at bigint,
    archived boolean NOT NULL DEFAULT FALSE,
    purged_at bigint,
    purge_pending boolean NOT NULL DEFAULT FALSE
);

-- Lists are read by page, recent first.
CREATE INDEX documents_recent ON documents (updated_at DESC, id DESC) WHERE purged_at IS NULL;
CREATE INDEX documents_purge_pending ON documents (id) WHERE purge_pending;
