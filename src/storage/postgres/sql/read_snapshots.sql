SELECT * FROM snapshots WHERE doc_id = $1 AND version <= $2 ORDER BY version DESC LIMIT $3
