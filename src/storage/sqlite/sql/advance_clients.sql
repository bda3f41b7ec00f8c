-- How far each client has come; never backwards. The version is that of the row with the highest seq.
UPDATE clients
SET last_seq = last.seq, last_version = last.version
FROM (
    SELECT shard, doc_id, client_id, MAX(seq) AS seq, version
    FROM unsettled_ops
    WHERE batch <= ?1
    GROUP BY shard, doc_id, client_id
) AS last
WHERE
    clients.shard = last.shard
    AND clients.doc_id = last.doc_id
    AND clients.client_id = last.client_id
    AND clients.last_seq < last.seq
