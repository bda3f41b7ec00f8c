SELECT
    d.id, d.history AS newest, c.history, c.version, COALESCE(LENGTH(c.body), 0) AS bytes,
    d.purged_at IS NOT NULL AS purged
FROM json_each(?1) AS wanted
INNER JOIN documents AS d ON d.id = wanted.value
LEFT JOIN contents AS c ON c.shard = d.shard AND c.doc_id = d.id
