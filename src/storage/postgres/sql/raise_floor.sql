-- The positions of a document that goes are not given again, though they may be the last of its shard.
UPDATE shards AS s
SET
    changes = s.changes + 1,
    pos_floor = greatest(
        s.pos_floor,
        (SELECT o.pos FROM ops AS o WHERE o.shard = s.shard ORDER BY o.pos DESC LIMIT 1)
    )
WHERE s.shard = $1
