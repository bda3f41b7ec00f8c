-- The documents that go with somebody who is being erased, chosen when that is asked for. A row goes when its document has: what
-- somebody makes who has come back is not on the list, whatever cuts the erasure short.
CREATE TABLE erasure_documents (
    user_id TEXT NOT NULL,
    doc_id TEXT NOT NULL,
    PRIMARY KEY (user_id, doc_id)
) WITHOUT ROWID;
