-- From the newest, which made the history that the document has, back to its first.
WITH RECURSIVE chain AS (
    SELECT f.*, 1 AS depth
    FROM forks AS f
    INNER JOIN documents AS d ON d.id = f.doc_id AND d.history = f.history
    WHERE f.doc_id = ?1
    UNION ALL
    SELECT f.*, c.depth + 1
    FROM chain AS c
    INNER JOIN forks AS f ON f.doc_id = c.doc_id AND f.history = c.parent
)
SELECT history, parent, version, at FROM chain ORDER BY depth
