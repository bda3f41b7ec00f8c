-- The version before the first one that is not ripe, else the last one of the range.
SELECT
    coalesce(
        (
            SELECT o.version - 1 FROM ops AS o
            WHERE o.shard = $1 AND o.doc_id = $2 AND o.version > $3 AND o.version <= $4 AND (o.at >= $5 OR o.pos > $6)
            ORDER BY o.version LIMIT 1
        ),
        (
            SELECT o.version FROM ops AS o
            WHERE o.shard = $1 AND o.doc_id = $2 AND o.version > $3 AND o.version <= $4
            ORDER BY o.version DESC LIMIT 1
        ),
        $3
    ) AS upto
