INSERT INTO pins (shard, node)
SELECT $1, n.node FROM nodes AS n WHERE n.node = $2
ON CONFLICT (shard) DO UPDATE SET node = excluded.node
