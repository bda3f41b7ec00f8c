SELECT user_id, last_seq, last_version FROM clients WHERE shard = $1 AND doc_id = $2 AND client_id = $3
