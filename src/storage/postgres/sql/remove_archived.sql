-- The lowest versions, at most $4 of them, up to $3 and not beyond what is in segments.
DELETE FROM ops
WHERE
    shard = $1
    AND doc_id = $2
    AND version <= least($3, coalesce((SELECT max(s.last_version) FROM segments AS s WHERE s.doc_id = $2), 0))
    AND version < $4 + (
        SELECT o.version FROM ops AS o WHERE o.shard = $1 AND o.doc_id = $2 ORDER BY o.version LIMIT 1
    )
