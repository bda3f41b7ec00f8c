SELECT c.doc_id
FROM contents AS c
INNER JOIN documents AS d ON d.id = c.doc_id
WHERE c.words @@ plainto_tsquery('simple', $1) AND d.deleted_at IS NULL
ORDER BY c.doc_id
LIMIT $2
