-- A shard is the unit of ownership: whoever raises its epoch owns it, and an append names the epoch it was made under.
-- `pos_floor` is a position that the log of the shard has reached: it is set when operations leave `ops`, so that their
-- positions are not given again.
-- All 256 rows exist from the start, so that taking a shard over is always an update, never a race of inserts.
CREATE TABLE shards (
    shard INTEGER NOT NULL PRIMARY KEY CHECK (shard BETWEEN 0 AND 255),
    epoch BIGINT NOT NULL,
    node TEXT NOT NULL,
    pos_floor BIGINT NOT NULL
);

INSERT INTO shards (shard, epoch, node, pos_floor)
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 255)
SELECT n, 0, '', 0 FROM numbers;
