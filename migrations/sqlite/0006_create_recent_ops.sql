-- Operations as they come, from all documents, before they move to `ops`, `clients` and their indexes in bulk.
-- An operation put into `ops` at once dirties a page in each of four trees, since thousands of documents take turns: 16 KB
-- and some 55 µs of processor time for 60 bytes. Here it is appended to the end of one tree. The server holds what is in
-- this table in memory as well and checks versions, positions and sequence numbers there; the unique keys of `ops` stay as
-- the second line.
CREATE TABLE recent_ops (
    id INTEGER PRIMARY KEY,
    shard INTEGER NOT NULL,
    doc_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    client_id BLOB NOT NULL,
    seq BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    format INTEGER NOT NULL,
    delta BLOB NOT NULL
);
