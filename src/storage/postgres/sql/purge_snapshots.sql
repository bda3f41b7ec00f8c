DELETE FROM snapshots WHERE doc_id = $1
