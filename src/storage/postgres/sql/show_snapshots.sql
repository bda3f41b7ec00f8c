-- What the list shows of a document comes from its newest snapshot, of which there is one in each batch; an older one that
-- is recorded later changes only the time, if that. What is searched begins with the title, up to and with the separator.
UPDATE documents AS d
SET
    updated_at = greatest(d.updated_at, s.at),
    preview = CASE WHEN d.snapshot_version <= s.version THEN s.preview ELSE d.preview END,
    search = CASE
        WHEN d.snapshot_version <= s.version THEN left(d.search, strpos(d.search, chr(31))) || s.folded
        ELSE d.search
    END,
    snapshot_version = greatest(d.snapshot_version, s.version)
FROM
    unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[]) AS s (doc_id, version, at, preview, folded)
WHERE d.id = s.doc_id
