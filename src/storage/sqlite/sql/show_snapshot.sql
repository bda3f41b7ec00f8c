-- What the list shows of a document comes from its newest snapshot; an older one that is recorded later changes only
-- the time, if that.
UPDATE documents
SET
    updated_at = MAX(updated_at, ?3),
    preview = CASE WHEN snapshot_version <= ?2 THEN ?4 ELSE preview END,
    search = CASE WHEN snapshot_version <= ?2 THEN ?5 ELSE search END,
    snapshot_version = MAX(snapshot_version, ?2)
WHERE id = ?1
