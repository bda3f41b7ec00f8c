SELECT
    d.id,
    d.purged_at IS NOT NULL AS purged,
    COALESCE((SELECT MAX(o.version) FROM ops AS o WHERE o.shard = d.shard AND o.doc_id = d.id), 0) AS head
FROM json_each(?1) AS wanted
CROSS JOIN documents AS d ON d.id = wanted.value
