INSERT INTO named_versions (doc_id, version, name, user_id, named_at, made_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (doc_id, version) DO UPDATE
SET name = excluded.name, user_id = excluded.user_id, named_at = excluded.named_at, made_at = excluded.made_at
