-- Positions are the log's own; the floor remembers those that have left it.
SELECT
    s.epoch,
    s.node,
    MAX(s.pos_floor, COALESCE((SELECT MAX(o.pos) FROM ops AS o WHERE o.shard = s.shard), 0)) AS last_pos
FROM shards AS s
ORDER BY s.shard
