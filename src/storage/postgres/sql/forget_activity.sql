DELETE FROM activity AS a
USING unnest($1::smallint[], $2::text[]) AS forgotten (shard, doc_id)
WHERE a.shard = forgotten.shard AND a.doc_id = forgotten.doc_id
