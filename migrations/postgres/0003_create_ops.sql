-- The log, and the truth: everything else can be rebuilt from it. Rows are only ever added, until they leave for a cold
-- segment or their document is purged.
-- `pos` counts the operations of a shard, from 1 and without a gap: readers of the whole log keep it as their watermark.
-- `delta` is canonical JSON, as `format` = 1 says. Columns of 8 bytes come first, so that none is padded.
-- A partition is what vacuum, a backup or a move to another table space takes at a time.
CREATE TABLE ops (
    version bigint NOT NULL,
    pos bigint NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    client_id uuid NOT NULL,
    shard smallint NOT NULL,
    format smallint NOT NULL,
    doc_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    delta bytea NOT NULL,
    PRIMARY KEY (shard, doc_id, version),
    UNIQUE (shard, doc_id, client_id, seq),
    UNIQUE (shard, pos)
) PARTITION BY RANGE (shard);

CREATE TABLE ops_00 PARTITION OF ops FOR VALUES FROM (0) TO (16);
CREATE TABLE ops_01 PARTITION OF ops FOR VALUES FROM (16) TO (32);
CREATE TABLE ops_02 PARTITION OF ops FOR VALUES FROM (32) TO (48);
CREATE TABLE ops_03 PARTITION OF ops FOR VALUES FROM (48) TO (64);
CREATE TABLE ops_04 PARTITION OF ops FOR VALUES FROM (64) TO (80);
CREATE TABLE ops_05 PARTITION OF ops FOR VALUES FROM (80) TO (96);
CREATE TABLE ops_06 PARTITION OF ops FOR VALUES FROM (96) TO (112);
CREATE TABLE ops_07 PARTITION OF ops FOR VALUES FROM (112) TO (128);
CREATE TABLE ops_08 PARTITION OF ops FOR VALUES FROM (128) TO (144);
CREATE TABLE ops_09 PARTITION OF ops FOR VALUES FROM (144) TO (160);
CREATE TABLE ops_10 PARTITION OF ops FOR VALUES FROM (160) TO (176);
CREATE TABLE ops_11 PARTITION OF ops FOR VALUES FROM (176) TO (192);
CREATE TABLE ops_12 PARTITION OF ops FOR VALUES FROM (192) TO (208);
CREATE TABLE ops_13 PARTITION OF ops FOR VALUES FROM (208) TO (224);
CREATE TABLE ops_14 PARTITION OF ops FOR VALUES FROM (224) TO (240);
CREATE TABLE ops_15 PARTITION OF ops FOR VALUES FROM (240) TO (256);
