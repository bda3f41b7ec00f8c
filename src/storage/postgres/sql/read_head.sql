-- No row when the document does not exist.
SELECT
    coalesce(
        (
            SELECT o.version FROM ops AS o
            WHERE o.shard = d.shard AND o.doc_id = d.id
            ORDER BY o.version DESC LIMIT 1
        ),
        0
    ) AS head
FROM documents AS d
WHERE d.id = $1 AND d.purged_at IS NULL
