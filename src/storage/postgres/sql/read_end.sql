SELECT
    greatest(
        s.pos_floor,
        (SELECT o.pos FROM ops AS o WHERE o.shard = s.shard ORDER BY o.pos DESC LIMIT 1)
    ) AS last_pos
FROM shards AS s
WHERE s.shard = $1
