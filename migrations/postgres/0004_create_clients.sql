-- What a document knows of each client that has ever written: who may speak for it, and how far it has come. It outlives
-- the client's rows in `ops`, so that a resend after months is still known as one.
-- A row changes with every batch that has something of its client. No index holds what changes, and pages have room left,
-- so that the new row stays on the page of the old one and no index is touched.
CREATE TABLE clients (
    last_seq bigint NOT NULL,
    last_version bigint NOT NULL,
    client_id uuid NOT NULL,
    shard smallint NOT NULL,
    doc_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (shard, doc_id, client_id)
) WITH (fillfactor = 70);
