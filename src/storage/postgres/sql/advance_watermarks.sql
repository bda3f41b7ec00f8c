-- Never backwards, whoever else takes itself for the reader; in order of shard, so that two of them do not lock each other.
INSERT INTO watermarks AS w (reader, shard, pos)
SELECT $1, m.shard, m.pos
FROM unnest($2, $3) AS m (shard, pos)
ORDER BY m.shard
ON CONFLICT (reader, shard) DO UPDATE SET pos = greatest(w.pos, excluded.pos)
