-- Sorted, so that neighbours in the trees of `ops` are written one after the other.
INSERT INTO ops (shard, doc_id, version, pos, client_id, seq, user_id, at, format, delta)
SELECT r.shard, r.doc_id, r.version, r.pos, r.client_id, r.seq, r.user_id, r.at, r.format, r.delta
FROM unsettled_ops AS r
WHERE
    r.batch <= ?1
    -- Settled before the crash, and only not yet removed here.
    AND NOT EXISTS (
        SELECT 1 FROM ops AS o
        WHERE o.shard = r.shard AND o.doc_id = r.doc_id AND o.version = r.version
    )
    -- The same, and archived since.
    AND NOT EXISTS (SELECT 1 FROM segments AS s WHERE s.doc_id = r.doc_id AND s.last_version >= r.version)
    -- A document that was purged meanwhile takes nothing any more.
    AND EXISTS (SELECT 1 FROM documents AS d WHERE d.id = r.doc_id AND d.purged_at IS NULL)
ORDER BY r.shard, r.doc_id, r.version
