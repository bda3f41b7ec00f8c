-- At most $3 of them.
DELETE FROM clients
WHERE
    shard = $1
    AND doc_id = $2
    AND client_id = ANY (
        ARRAY(SELECT c.client_id FROM clients AS c WHERE c.shard = $1 AND c.doc_id = $2 LIMIT $3)
    )
