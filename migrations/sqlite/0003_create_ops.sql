-- The log, and with `recent_ops` the truth: everything else can be rebuilt from it. Rows are only ever added, until they
-- leave for a cold segment or their document is purged.
-- `pos` counts the operations of a shard, from 1 and without a gap: readers of the whole log keep it as their watermark.
-- `delta` is canonical JSON, as `format` = 1 says. Clustered by document, since that is how it is read.
CREATE TABLE ops (
    shard INTEGER NOT NULL,
    doc_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    client_id BLOB NOT NULL,
    seq BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    format INTEGER NOT NULL,
    delta BLOB NOT NULL,
    PRIMARY KEY (shard, doc_id, version),
    UNIQUE (shard, doc_id, client_id, seq),
    UNIQUE (shard, pos)
) WITHOUT ROWID;
