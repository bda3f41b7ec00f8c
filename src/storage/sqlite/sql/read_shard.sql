-- The planner is told to go by position (CROSS JOIN keeps the order): documents are looked up one by one.
SELECT
    o.pos, o.doc_id, d.history, o.version, o.client_id, o.seq, o.user_id, o.at, o.format, o.delta
FROM ops AS o
CROSS JOIN documents AS d
WHERE
    o.shard = ?1
    AND o.pos > ?2
    AND o.pos <= ?3
    AND d.id = o.doc_id
    AND d.purged_at IS NULL
ORDER BY o.pos
LIMIT ?4
