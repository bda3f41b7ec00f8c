-- $1 trashed, $2 text, folded like `search`; $3, $4 the last of the page before; NULL without.
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
    SELECT *
    FROM documents
    WHERE
        purged_at IS NULL
        AND (deleted_at IS NOT NULL) = $1
        -- Not LIKE, in which % and _ mean something.
        AND ($2 IS NULL OR strpos(search, $2) > 0)
        AND ($3 IS NULL OR (updated_at, id) < ($3, $4))
    ORDER BY updated_at DESC, id DESC
    LIMIT $5
) AS d
ORDER BY d.updated_at DESC, d.id DESC
