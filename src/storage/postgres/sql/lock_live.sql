-- Which of them there are, with their histories. In order of id, as all lock them who lock several.
SELECT id, history FROM documents WHERE id = ANY ($1) AND purged_at IS NULL ORDER BY id FOR NO KEY UPDATE
