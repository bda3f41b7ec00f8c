-- Each new value is a snapshot's row, its body in hex. Nothing is recorded of a document, or of a history, that is gone:
-- its body was written while it went.
INSERT INTO snapshots (doc_id, version, history, at, checksum, bytes, body, preview)
SELECT
    value ->> 'doc',
    value ->> 'version',
    value ->> 'history',
    value ->> 'at',
    value ->> 'checksum',
    value ->> 'bytes',
    unhex(value ->> 'body'),
    value ->> 'preview'
FROM json_each(?1)
CROSS JOIN documents AS d ON d.id = value ->> 'doc'
WHERE d.history = value ->> 'history' AND d.purged_at IS NULL
ON CONFLICT (doc_id, version) DO UPDATE
SET
    history = excluded.history,
    at = excluded.at,
    checksum = excluded.checksum,
    bytes = excluded.bytes,
    body = excluded.body,
    preview = excluded.preview
RETURNING doc_id, version
