-- What is made of the log, and can be made of it again at any time: by the reader `projections`, whose watermarks exist from the
-- start, so that moving one is always an update. Whoever writes here locks the watermark of the shard first; so does a purge.
INSERT INTO watermarks (reader, shard, pos)
SELECT 'projections', n, 0 FROM generate_series(0, 255) AS numbers (n);

-- The content of each document at a version, some seconds behind its log. `history` and `version` say which operations are in
-- it, and are in `activity`: none is counted twice, whatever `pos` the shard has come to. `body` is the content with a head
-- of its own and a checksum; `plain` the words of its beginning in lower case, a space between them. ('simple' knows no language:
-- what is written in any is found as it was written.)
CREATE TABLE contents (
    version bigint NOT NULL,
    at bigint NOT NULL,
    history uuid NOT NULL,
    shard smallint NOT NULL,
    doc_id text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    plain text NOT NULL,
    words tsvector GENERATED ALWAYS AS (to_tsvector('simple', plain)) STORED,
    PRIMARY KEY (shard, doc_id)
) PARTITION BY RANGE (shard);

-- Bodies are compressed already.
ALTER TABLE contents ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE contents_00 PARTITION OF contents FOR VALUES FROM (0) TO (16);
CREATE TABLE contents_01 PARTITION OF contents FOR VALUES FROM (16) TO (32);
CREATE TABLE contents_02 PARTITION OF contents FOR VALUES FROM (32) TO (48);
CREATE TABLE contents_03 PARTITION OF contents FOR VALUES FROM (48) TO (64);
CREATE TABLE contents_04 PARTITION OF contents FOR VALUES FROM (64) TO (80);
CREATE TABLE contents_05 PARTITION OF contents FOR VALUES FROM (80) TO (96);
CREATE TABLE contents_06 PARTITION OF contents FOR VALUES FROM (96) TO (112);
CREATE TABLE contents_07 PARTITION OF contents FOR VALUES FROM (112) TO (128);
CREATE TABLE contents_08 PARTITION OF contents FOR VALUES FROM (128) TO (144);
CREATE TABLE contents_09 PARTITION OF contents FOR VALUES FROM (144) TO (160);
CREATE TABLE contents_10 PARTITION OF contents FOR VALUES FROM (160) TO (176);
CREATE TABLE contents_11 PARTITION OF contents FOR VALUES FROM (176) TO (192);
CREATE TABLE contents_12 PARTITION OF contents FOR VALUES FROM (192) TO (208);
CREATE TABLE contents_13 PARTITION OF contents FOR VALUES FROM (208) TO (224);
CREATE TABLE contents_14 PARTITION OF contents FOR VALUES FROM (224) TO (240);
CREATE TABLE contents_15 PARTITION OF contents FOR VALUES FROM (240) TO (256);

CREATE INDEX contents_words ON contents USING gin (words);

-- Who has written how much into which document in which hour (Unix ms of its beginning): operations, and bytes of their deltas.
CREATE TABLE activity (
    hour bigint NOT NULL,
    ops bigint NOT NULL,
    bytes bigint NOT NULL,
    shard smallint NOT NULL,
    doc_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (shard, doc_id, hour, user_id)
) PARTITION BY RANGE (shard);

CREATE TABLE activity_00 PARTITION OF activity FOR VALUES FROM (0) TO (16);
CREATE TABLE activity_01 PARTITION OF activity FOR VALUES FROM (16) TO (32);
CREATE TABLE activity_02 PARTITION OF activity FOR VALUES FROM (32) TO (48);
CREATE TABLE activity_03 PARTITION OF activity FOR VALUES FROM (48) TO (64);
CREATE TABLE activity_04 PARTITION OF activity FOR VALUES FROM (64) TO (80);
CREATE TABLE activity_05 PARTITION OF activity FOR VALUES FROM (80) TO (96);
CREATE TABLE activity_06 PARTITION OF activity FOR VALUES FROM (96) TO (112);
CREATE TABLE activity_07 PARTITION OF activity FOR VALUES FROM (112) TO (128);
CREATE TABLE activity_08 PARTITION OF activity FOR VALUES FROM (128) TO (144);
CREATE TABLE activity_09 PARTITION OF activity FOR VALUES FROM (144) TO (160);
CREATE TABLE activity_10 PARTITION OF activity FOR VALUES FROM (160) TO (176);
CREATE TABLE activity_11 PARTITION OF activity FOR VALUES FROM (176) TO (192);
CREATE TABLE activity_12 PARTITION OF activity FOR VALUES FROM (192) TO (208);
CREATE TABLE activity_13 PARTITION OF activity FOR VALUES FROM (208) TO (224);
CREATE TABLE activity_14 PARTITION OF activity FOR VALUES FROM (224) TO (240);
CREATE TABLE activity_15 PARTITION OF activity FOR VALUES FROM (240) TO (256);

-- What one person has done, and when.
CREATE INDEX activity_by_user ON activity (user_id, hour);
