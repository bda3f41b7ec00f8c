-- One statement, so that both are of one moment.
SELECT
    c.doc_id, c.history, c.version, c.at, c.plain, c.body,
    (
        SELECT json_group_array(json_array(a.hour, a.user_id, a.ops, a.bytes))
        FROM activity AS a
        WHERE a.shard = c.shard AND a.doc_id = c.doc_id
    ) AS activity
FROM contents AS c
WHERE c.shard = ?1 AND c.doc_id = ?2
