SELECT
    d.id, d.history AS newest, c.history, c.version, coalesce(octet_length(c.body), 0)::bigint AS bytes,
    d.purged_at IS NOT NULL AS purged
FROM documents AS d
LEFT JOIN contents AS c ON c.shard = d.shard AND c.doc_id = d.id
WHERE d.id = ANY ($1)
