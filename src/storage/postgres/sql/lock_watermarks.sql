-- In order of shard, as all lock them who lock several.
SELECT shard, pos FROM watermarks WHERE reader = $1 AND shard = ANY ($2) ORDER BY shard FOR UPDATE
