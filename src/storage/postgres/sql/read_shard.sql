-- $4 rows at most, and of them those before which there are at most $5 bytes of deltas: one more than fits, so that the
-- reader sees that it does not. (The sum without the row itself is taken so: EXCLUDE CURRENT ROW sums anew for each row.)
SELECT pos, doc_id, history, version, client_id, seq, user_id, at, format, delta
FROM (
    SELECT *, sum(octet_length(delta)) OVER (ORDER BY pos ROWS UNBOUNDED PRECEDING) - octet_length(delta) AS before
    FROM (
        SELECT o.pos, o.doc_id, d.history, o.version, o.client_id, o.seq, o.user_id, o.at, o.format, o.delta
        FROM ops AS o
        INNER JOIN documents AS d ON d.id = o.doc_id
        WHERE o.shard = $1 AND o.pos > $2 AND o.pos <= $3 AND d.purged_at IS NULL
        ORDER BY o.pos
        LIMIT $4
    ) AS first
) AS counted
WHERE before <= $5
ORDER BY pos
