-- A shard is the unit of ownership: whoever raises its epoch owns it, and an append names the epoch it was made under. Appends
-- share-lock the rows of their shards; whoever raises an epoch locks them for itself, and so waits for the appends before.
-- `pos_floor` is a position that the log of the shard has reached: it is set when operations leave `ops`, so that their
-- positions are not given again.
-- `changes` is raised by whatever changes the log of a shard and is no append, such as a purge: what the owner remembers of
-- the log holds for as long as `epoch` and `changes` are what they were.
-- All 256 rows exist from the start, so that taking a shard over is always an update, never a race of inserts.
CREATE TABLE shards (
    shard smallint NOT NULL PRIMARY KEY CHECK (shard BETWEEN 0 AND 255),
    epoch bigint NOT NULL,
    node text NOT NULL,
    pos_floor bigint NOT NULL,
    changes bigint NOT NULL
);

INSERT INTO shards (shard, epoch, node, pos_floor, changes)
SELECT n, 0, '', 0, 0 FROM generate_series(0, 255) AS numbers (n);
