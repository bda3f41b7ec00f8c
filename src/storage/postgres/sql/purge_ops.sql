-- The lowest versions, at most $3 of them.
DELETE FROM ops
WHERE
    shard = $1
    AND doc_id = $2
    AND version < $3 + (
        SELECT o.version FROM ops AS o WHERE o.shard = $1 AND o.doc_id = $2 ORDER BY o.version LIMIT 1
    )
