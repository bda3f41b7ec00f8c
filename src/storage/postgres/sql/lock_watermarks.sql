-- In order of shard, as all lock them who lock several. With the ends of the logs: after a failover the stream may have what the
-- log has lost.
SELECT
    w.shard,
    w.pos,
    greatest(
        s.pos_floor,
        (SELECT o.pos FROM ops AS o WHERE o.shard = s.shard ORDER BY o.pos DESC LIMIT 1)
    ) AS last_pos
FROM watermarks AS w
INNER JOIN shards AS s ON s.shard = w.shard
WHERE w.reader = $1 AND w.shard = ANY ($2)
ORDER BY w.shard
FOR UPDATE OF w
