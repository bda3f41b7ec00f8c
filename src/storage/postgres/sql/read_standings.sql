SELECT d.id, d.history AS newest, c.history, c.version, coalesce(octet_length(c.body), 0)::bigint AS bytes
FROM documents AS d
LEFT JOIN contents AS c ON c.shard = d.shard AND c.doc_id = d.id
WHERE d.id = ANY ($1) AND d.purged_at IS NULL
