-- A client belongs to the user of its first operation, and a guest's passes to the first signed-in user who makes one: so
-- the first operation of a signed-in user decides, or without any the first of all. SQLite takes the other columns from the
-- row of the minimum; versions are below 2^53.
INSERT INTO clients (shard, doc_id, client_id, user_id, last_seq, last_version)
SELECT first.shard, first.doc_id, first.client_id, first.user_id, first.seq, first.version
FROM (
    SELECT
        r.shard,
        r.doc_id,
        r.client_id,
        r.user_id,
        r.seq,
        r.version,
        MIN(((r.user_id GLOB 'guest:*') << 53) + r.version) AS precedence
    FROM unsettled_ops AS r
    INNER JOIN documents AS d ON d.id = r.doc_id AND d.purged_at IS NULL
    WHERE r.batch <= ?1
    GROUP BY r.shard, r.doc_id, r.client_id
) AS first
WHERE TRUE
ON CONFLICT (shard, doc_id, client_id) DO UPDATE
SET user_id = excluded.user_id
WHERE clients.user_id GLOB 'guest:*' AND NOT excluded.user_id GLOB 'guest:*'
