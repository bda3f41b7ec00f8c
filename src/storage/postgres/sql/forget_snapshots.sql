DELETE FROM snapshots WHERE doc_id = $1 AND version = ANY ($2)
