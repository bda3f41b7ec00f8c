-- As list_documents.sql, of those that ?6 owns or has been given at ?7. Own ones are read in their order, as many as are
-- wanted; of what was given all rows are looked at, which are few beside those of everybody.
SELECT d.*
FROM (
    SELECT id FROM (
        SELECT o.id
        FROM documents AS o
        WHERE
            o.owner = ?6
            AND o.purged_at IS NULL
            AND (o.deleted_at IS NOT NULL) = ?1
            AND (?2 IS NULL OR instr(o.search, ?2) > 0)
            AND (?3 IS NULL OR (o.updated_at, o.id) < (?3, ?4))
        ORDER BY o.updated_at DESC, o.id DESC
        LIMIT ?5
    )
    UNION
    SELECT p.doc_id
    FROM permissions AS p
    WHERE p.kind = 'user' AND p.subject = ?6 AND (p.expires_at IS NULL OR p.expires_at > ?7)
    UNION
    SELECT p.doc_id
    -- CROSS: in this order. The other way round all that was ever given to groups would be looked at.
    FROM group_members AS m
    CROSS JOIN permissions AS p ON p.kind = 'group' AND p.subject = m.group_id
    WHERE m.user_id = ?6 AND (p.expires_at IS NULL OR p.expires_at > ?7)
) AS seen
INNER JOIN documents AS d ON d.id = seen.id
WHERE
    d.purged_at IS NULL
    AND (d.deleted_at IS NOT NULL) = ?1
    AND (?2 IS NULL OR instr(d.search, ?2) > 0)
    AND (?3 IS NULL OR (d.updated_at, d.id) < (?3, ?4))
ORDER BY d.updated_at DESC, d.id DESC
LIMIT ?5
