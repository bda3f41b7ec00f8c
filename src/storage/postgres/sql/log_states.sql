SELECT
    d.id,
    d.history,
    d.snapshot_version,
    coalesce(
        (SELECT o.version FROM ops AS o WHERE o.shard = d.shard AND o.doc_id = d.id ORDER BY o.version LIMIT 1), 0
    ) AS first_version,
    coalesce(
        (SELECT o.version FROM ops AS o WHERE o.shard = d.shard AND o.doc_id = d.id ORDER BY o.version DESC LIMIT 1), 0
    ) AS last_version,
    coalesce(
        (SELECT o.at FROM ops AS o WHERE o.shard = d.shard AND o.doc_id = d.id ORDER BY o.version LIMIT 1), 0
    ) AS first_at,
    coalesce((SELECT max(s.last_version) FROM segments AS s WHERE s.doc_id = d.id), 0) AS archived
FROM documents AS d
WHERE d.purged_at IS NULL AND d.id > $1
ORDER BY d.id
LIMIT $2
