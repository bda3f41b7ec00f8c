INSERT INTO contents (shard, doc_id, history, version, at, plain, body)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (shard, doc_id) DO UPDATE
SET
    history = excluded.history,
    version = excluded.version,
    at = excluded.at,
    plain = excluded.plain,
    body = excluded.body
