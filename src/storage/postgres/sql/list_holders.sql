SELECT s.shard, s.node, p.node AS pinned
FROM shards AS s
LEFT JOIN pins AS p ON p.shard = s.shard
ORDER BY s.shard
