-- The oldest hours, at most $3 of them.
DELETE FROM activity
WHERE
    shard = $1
    AND doc_id = $2
    AND hour = ANY (
        ARRAY(
            SELECT DISTINCT a.hour FROM activity AS a WHERE a.shard = $1 AND a.doc_id = $2 ORDER BY a.hour LIMIT $3
        )
    )
