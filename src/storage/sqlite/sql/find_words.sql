SELECT c.doc_id
FROM words AS w
INNER JOIN contents AS c ON c.id = w.rowid
INNER JOIN documents AS d ON d.id = c.doc_id
WHERE w.words MATCH ?1 AND d.deleted_at IS NULL
ORDER BY c.doc_id
LIMIT ?2
