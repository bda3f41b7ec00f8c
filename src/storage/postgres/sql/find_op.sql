SELECT version FROM ops WHERE shard = $1 AND doc_id = $2 AND client_id = $3 AND seq = $4
