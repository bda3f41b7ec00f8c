-- $5 rows at most, and past the first of them $6 bytes of deltas. The length of a delta is known without reading it.
SELECT version, client_id, seq, user_id, at, format, delta
FROM (
    SELECT *, sum(octet_length(delta)) OVER (ORDER BY version) AS bytes, row_number() OVER (ORDER BY version) AS n
    FROM (
        SELECT version, client_id, seq, user_id, at, format, delta
        FROM ops
        WHERE shard = $1 AND doc_id = $2 AND version > $3 AND version <= $4
        ORDER BY version
        LIMIT $5
    ) AS first
) AS counted
WHERE n = 1 OR bytes <= $6
ORDER BY version
