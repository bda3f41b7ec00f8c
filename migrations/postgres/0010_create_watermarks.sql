-- How far each reader of the whole log has come in the log of each shard: everything up to and with `pos` is done with. A
-- row appears when a reader has come past the beginning, and its position only grows.
CREATE TABLE watermarks (
    reader text NOT NULL,
    shard smallint NOT NULL CHECK (shard BETWEEN 0 AND 255),
    pos bigint NOT NULL,
    PRIMARY KEY (reader, shard)
);
