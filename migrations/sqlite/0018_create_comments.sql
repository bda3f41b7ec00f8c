-- What is said about a document beside its text: threads, whose first comment has an anchor, and answers to them, which have a
-- `parent`. Ids are UUIDs of version 7, so that their order is that of time.
--
-- The anchor is a piece of the text at `anchor_version`; readers bring it up to date and write it back. Its length is 0 once
-- that text is gone. `revision` counts the changes that somebody has made to the comment, and not those of its anchor.
CREATE TABLE comments (
    doc_id TEXT NOT NULL REFERENCES documents (id),
    id TEXT NOT NULL,
    parent TEXT,
    user_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    edited_at BIGINT,
    revision BIGINT NOT NULL,
    resolved_by TEXT,
    resolved_at BIGINT,
    anchor_index BIGINT,
    anchor_length BIGINT,
    anchor_version BIGINT,
    text TEXT NOT NULL,
    PRIMARY KEY (doc_id, id)
) WITHOUT ROWID;
