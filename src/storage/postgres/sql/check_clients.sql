-- Clients of whom the log has nothing, as far as it is here: of what is in segments nothing can be said. Those of whom it has something are compared with it document by document.
SELECT c.doc_id, c.client_id, c.last_version
FROM clients AS c
INNER JOIN documents AS d ON d.id = c.doc_id AND d.purged_at IS NULL
WHERE NOT EXISTS (
    SELECT FROM ops AS o
    WHERE o.shard = c.shard AND o.doc_id = c.doc_id AND o.client_id = c.client_id
)
    AND NOT EXISTS (SELECT FROM segments AS s WHERE s.doc_id = c.doc_id AND s.last_version >= c.last_version)
LIMIT 100
