-- As list_documents.sql, of those that ?6 owns or has been given at ?7, or whose address is good for anything: nearly all of
-- them, where this is asked.
SELECT *
FROM documents AS d
WHERE
    d.purged_at IS NULL
    AND (d.deleted_at IS NOT NULL) = ?1
    AND (?2 IS NULL OR instr(d.search, ?2) > 0)
    AND (?3 IS NULL OR (d.updated_at, d.id) < (?3, ?4))
    AND (
        d.link_role <> 'none'
        OR d.owner = ?6
        OR EXISTS (
            SELECT 1 FROM permissions AS p
            WHERE
                p.doc_id = d.id
                AND (p.expires_at IS NULL OR p.expires_at > ?7)
                AND (
                    (p.kind = 'user' AND p.subject = ?6)
                    OR (
                        p.kind = 'group'
                        AND p.subject IN (SELECT m.group_id FROM group_members AS m WHERE m.user_id = ?6)
                    )
                )
        )
    )
ORDER BY d.updated_at DESC, d.id DESC
LIMIT ?5
