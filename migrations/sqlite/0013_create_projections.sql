-- What is made of the log, and can be made of it again at any time: by the reader `projections`, whose watermarks exist from the
-- start, so that moving one is always an update.
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 255)
INSERT INTO watermarks (reader, shard, pos) SELECT 'projections', n, 0 FROM numbers;

-- The content of each document at a version, some seconds behind its log. `history` and `version` say which operations are in
-- it, and are in `activity`: none is counted twice, whatever `pos` the shard has come to. `body` is the content with a head
-- of its own and a checksum; `plain` the words of its beginning in lower case, a space between them. What is long comes last.
CREATE TABLE contents (
    id INTEGER PRIMARY KEY,
    shard SMALLINT NOT NULL,
    doc_id TEXT NOT NULL,
    history TEXT NOT NULL,
    version BIGINT NOT NULL,
    at BIGINT NOT NULL,
    plain TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (shard, doc_id)
);

-- The index of words has no text of its own: the triggers keep it.
CREATE VIRTUAL TABLE words USING fts5 (
    plain, content = 'contents', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 0'
);

CREATE TRIGGER contents_inserted AFTER INSERT ON contents BEGIN
    INSERT INTO words (rowid, plain) VALUES (new.id, new.plain);
END;

CREATE TRIGGER contents_deleted AFTER DELETE ON contents BEGIN
    INSERT INTO words (words, rowid, plain) VALUES ('delete', old.id, old.plain);
END;

CREATE TRIGGER contents_updated AFTER UPDATE OF plain ON contents WHEN old.plain <> new.plain BEGIN
    INSERT INTO words (words, rowid, plain) VALUES ('delete', old.id, old.plain);
    INSERT INTO words (rowid, plain) VALUES (new.id, new.plain);
END;

-- Who has written how much into which document in which hour (Unix ms of its beginning): operations, and bytes of their deltas.
CREATE TABLE activity (
    shard SMALLINT NOT NULL,
    doc_id TEXT NOT NULL,
    hour BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    ops BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (shard, doc_id, hour, user_id)
) WITHOUT ROWID;

-- What one person has done, and when.
CREATE INDEX activity_by_user ON activity (user_id, hour);
