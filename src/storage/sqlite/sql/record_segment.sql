-- Nothing is written if it does not follow on the segments before, or has the last operation of its document in it.
INSERT INTO segments (
    doc_id, first_version, last_version, history, first_at, last_at, bytes, index_bytes, checksum, object_key
)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
WHERE
    ?2 = 1 + COALESCE((SELECT MAX(s.last_version) FROM segments AS s WHERE s.doc_id = ?1), 0)
    AND EXISTS (SELECT 1 FROM ops AS o WHERE o.shard = ?11 AND o.doc_id = ?1 AND o.version = ?3 + 1)
