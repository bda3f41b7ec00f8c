SELECT c.doc_id, c.history, c.version, c.at, c.plain, c.body
FROM unnest($1::smallint[], $2::text[]) AS wanted (shard, doc_id)
INNER JOIN contents AS c ON c.shard = wanted.shard AND c.doc_id = wanted.doc_id
