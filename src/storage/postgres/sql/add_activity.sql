INSERT INTO activity AS a (shard, doc_id, hour, user_id, ops, bytes)
SELECT *
FROM unnest($1::smallint[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[])
ON CONFLICT (shard, doc_id, hour, user_id) DO UPDATE
SET ops = a.ops + excluded.ops, bytes = a.bytes + excluded.bytes
