-- One row for every id that was ever given, so that none is given twice: a purged document keeps its row as a tombstone
-- (`purged_at`), emptied of all that a person wrote. `purge_pending` is set until the last of its log is gone.
-- `history` names the one sequence of versions this document has had; a fork or a restore from backup begins another
-- and says where it left the old one. `search` is the title and the preview in lower case: LOWER() of SQLite knows ASCII
-- alone, so the server folds them.
CREATE TABLE documents (
    id TEXT NOT NULL PRIMARY KEY,
    shard INTEGER NOT NULL,
    history TEXT NOT NULL,
    forked_from TEXT,
    forked_history TEXT,
    forked_at_version BIGINT,
    title TEXT NOT NULL,
    owner TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    snapshot_version BIGINT NOT NULL DEFAULT 0,
    preview TEXT NOT NULL DEFAULT '',
    search TEXT NOT NULL,
    deleted_at BIGINT,
    archived BOOLEAN NOT NULL DEFAULT FALSE,
    purged_at BIGINT,
    purge_pending BOOLEAN NOT NULL DEFAULT FALSE
);

-- Lists are read by page, recent first.
CREATE INDEX documents_recent ON documents (updated_at DESC, id DESC) WHERE purged_at IS NULL;
CREATE INDEX documents_purge_pending ON documents (id) WHERE purge_pending;
