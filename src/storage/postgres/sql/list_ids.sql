SELECT id FROM documents WHERE purged_at IS NULL AND id > $1 ORDER BY id LIMIT $2
