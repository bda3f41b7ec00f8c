SELECT *, 0::bigint AS head FROM documents WHERE id = $1 AND purged_at IS NULL FOR NO KEY UPDATE
