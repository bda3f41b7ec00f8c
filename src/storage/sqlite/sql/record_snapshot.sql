-- Nothing is recorded of a document, or of a history, that is gone: its body was written while it went.
INSERT INTO snapshots (doc_id, version, history, at, checksum, bytes, body, preview)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
FROM documents AS d
WHERE d.id = ?1 AND d.history = ?3 AND d.purged_at IS NULL
ON CONFLICT (doc_id, version) DO UPDATE
SET
    history = excluded.history,
    at = excluded.at,
    checksum = excluded.checksum,
    bytes = excluded.bytes,
    body = excluded.body,
    preview = excluded.preview
