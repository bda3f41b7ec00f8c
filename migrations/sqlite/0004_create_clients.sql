-- What a document knows of each client that has ever written: who may speak for it, and how far it has come. It outlives
-- the client's rows in `ops`, so that a resend after months is still known as one.
CREATE TABLE clients (
    shard INTEGER NOT NULL,
    doc_id TEXT NOT NULL,
    client_id BLOB NOT NULL,
    user_id TEXT NOT NULL,
    last_seq BIGINT NOT NULL,
    last_version BIGINT NOT NULL,
    PRIMARY KEY (shard, doc_id, client_id)
) WITHOUT ROWID;
