DELETE FROM permissions WHERE doc_id = $1
