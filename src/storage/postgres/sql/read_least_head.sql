-- There is no index by version, and a document may have as many clients as operations: some of them have to do.
SELECT coalesce(max(last_version), 0) AS least_head
FROM (SELECT last_version FROM clients WHERE shard = $1 AND doc_id = $2 LIMIT 1024) AS some_of_them
