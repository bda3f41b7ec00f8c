-- Where the history of a document has parted from the one that it had before: by a restore from backup, or since what came
-- after may have been lost. Both have the versions up to `version`; of those after it each has its own. A document that was
-- forked more than once has a row for each, the newest naming the history in `documents`.
CREATE TABLE forks (
    doc_id text COLLATE "C" NOT NULL REFERENCES documents (id),
    history uuid NOT NULL,
    parent uuid NOT NULL,
    version bigint NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (doc_id, history)
);

-- Never written: they had room for one fork alone.
ALTER TABLE documents DROP COLUMN forked_from;
ALTER TABLE documents DROP COLUMN forked_history;
ALTER TABLE documents DROP COLUMN forked_at_version;
