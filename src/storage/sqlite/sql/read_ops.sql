SELECT version, client_id, seq, user_id, at, format, delta
FROM ops
WHERE shard = ?1 AND doc_id = ?2 AND version > ?3 AND version <= ?4
ORDER BY version
LIMIT ?5
