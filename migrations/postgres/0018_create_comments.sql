-- What is said about a document beside its text: threads, whose first comment has an anchor, and answers to them, which have a
-- `parent`. Ids are UUIDs of version 7, so that their order is that of time.
--
-- The anchor is a piece of the text at `anchor_version`; readers bring it up to date and write it back. Its length is 0 once
-- that text is gone. `revision` counts the changes that somebody has made to the comment, and not those of its anchor.
CREATE TABLE comments (
    created_at bigint NOT NULL,
    edited_at bigint,
    revision bigint NOT NULL,
    resolved_at bigint,
    anchor_index bigint,
    anchor_length bigint,
    anchor_version bigint,
    id uuid NOT NULL,
    parent uuid,
    doc_id text COLLATE "C" NOT NULL REFERENCES documents (id),
    user_id text COLLATE "C" NOT NULL,
    resolved_by text COLLATE "C",
    text text NOT NULL,
    PRIMARY KEY (doc_id, id)
);
