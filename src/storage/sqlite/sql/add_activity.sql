-- (Without WHERE the parser would take ON for a join.)
INSERT INTO activity (shard, doc_id, hour, user_id, ops, bytes)
SELECT ?1, ?2, added.value ->> 0, added.value ->> 1, added.value ->> 2, added.value ->> 3
FROM json_each(?3) AS added
WHERE TRUE
ON CONFLICT (shard, doc_id, hour, user_id) DO UPDATE
SET ops = ops + excluded.ops, bytes = bytes + excluded.bytes
