-- Each wanted value is [shard, document, client in hex].
SELECT c.doc_id, c.client_id, c.user_id, c.last_seq, c.last_version
FROM json_each(?1) AS wanted
CROSS JOIN clients AS c
    ON c.shard = wanted.value ->> 0 AND c.doc_id = wanted.value ->> 1 AND c.client_id = unhex(wanted.value ->> 2)
