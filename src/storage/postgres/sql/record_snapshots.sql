INSERT INTO snapshots (doc_id, version, history, at, checksum, bytes, body, preview)
SELECT *
FROM unnest(
    $1::text[], $2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[], $8::text[]
)
ON CONFLICT (doc_id, version) DO UPDATE
SET
    history = excluded.history,
    at = excluded.at,
    checksum = excluded.checksum,
    bytes = excluded.bytes,
    body = excluded.body,
    preview = excluded.preview
