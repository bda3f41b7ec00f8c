INSERT INTO contents (shard, doc_id, history, version, at, plain, body)
SELECT *
FROM unnest(
    $1::smallint[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[], $6::text[], $7::bytea[]
)
ON CONFLICT (shard, doc_id) DO UPDATE
SET
    history = excluded.history,
    version = excluded.version,
    at = excluded.at,
    plain = excluded.plain,
    body = excluded.body
