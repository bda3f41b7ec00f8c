-- As list_documents.sql, of those that $6 owns or has been given at $7, or whose address is good for anything: nearly all of
-- them, where this is asked.
SELECT
    d.*,
    coalesce(
        (
            SELECT o.version FROM ops AS o
            WHERE o.shard = d.shard AND o.doc_id = d.id
            ORDER BY o.version DESC LIMIT 1
        ),
        0
    ) AS head
FROM (
    SELECT l.*
    FROM documents AS l
    WHERE
        l.purged_at IS NULL
        AND (l.deleted_at IS NOT NULL) = $1
        AND ($2 IS NULL OR strpos(l.search, $2) > 0)
        AND ($3 IS NULL OR (l.updated_at, l.id) < ($3, $4))
        AND (
            l.link_role <> 'none'
            OR l.owner = $6
            OR EXISTS (
                SELECT FROM permissions AS p
                WHERE
                    p.doc_id = l.id
                    AND (p.expires_at IS NULL OR p.expires_at > $7)
                    AND (
                        (p.kind = 'user' AND p.subject = $6)
                        OR (
                            p.kind = 'group'
                            AND p.subject IN (SELECT m.group_id FROM group_members AS m WHERE m.user_id = $6)
                        )
                    )
            )
        )
    ORDER BY l.updated_at DESC, l.id DESC
    LIMIT $5
) AS d
ORDER BY d.updated_at DESC, d.id DESC
