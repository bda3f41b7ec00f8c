UPDATE documents
SET title = $2, archived = $3, deleted_at = $4, updated_at = $5, search = $6, preview = $7
WHERE id = $1
