INSERT INTO recent_ops (shard, doc_id, version, pos, client_id, seq, user_id, at, format, delta, touch, preview)
SELECT shard, doc_id, version, pos, client_id, seq, user_id, at, format, delta, touch, preview
FROM unsettled_ops
ORDER BY batch, place
