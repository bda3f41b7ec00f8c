UPDATE shards SET epoch = epoch + 1, node = $2 WHERE shard = ANY ($1) RETURNING shard, epoch
