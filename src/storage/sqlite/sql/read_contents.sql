SELECT c.doc_id, c.history, c.version, c.at, c.plain, c.body
FROM json_each(?1) AS wanted
INNER JOIN contents AS c ON c.shard = wanted.value ->> 0 AND c.doc_id = wanted.value ->> 1
