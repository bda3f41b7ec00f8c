UPDATE watermarks AS w
SET pos = m.pos
FROM unnest($2::smallint[], $3::bigint[]) AS m (shard, pos)
WHERE w.reader = $1 AND w.shard = m.shard
