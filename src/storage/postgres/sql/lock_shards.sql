-- For itself, in the order in which appends share them: waits for the appends before, and holds off those after.
SELECT shard, epoch, node FROM shards WHERE shard = ANY ($1) ORDER BY shard FOR UPDATE
