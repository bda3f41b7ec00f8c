-- The oldest rows, at most ?3 of them.
DELETE FROM activity
WHERE
    shard = ?1
    AND doc_id = ?2
    AND (hour, user_id) IN (
        SELECT a.hour, a.user_id FROM activity AS a
        WHERE a.shard = ?1 AND a.doc_id = ?2 ORDER BY a.hour, a.user_id LIMIT ?3
    )
