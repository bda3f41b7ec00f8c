-- Locked in the order in which appends and claims do, so that none waits for another in a circle.
WITH own AS (
    SELECT shard FROM shards WHERE node = $1 ORDER BY shard FOR UPDATE
)

UPDATE shards AS s
SET node = ''
FROM own
WHERE s.shard = own.shard
