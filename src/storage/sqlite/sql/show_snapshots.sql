-- What the list shows of a document comes from its newest snapshot; an older one that is recorded later changes only
-- the time, if that. The values are as in record_snapshots.sql, one for each document.
UPDATE documents
SET
    updated_at = MAX(updated_at, shown.at),
    preview = CASE WHEN snapshot_version <= shown.version THEN shown.preview ELSE documents.preview END,
    search = CASE
        WHEN snapshot_version <= shown.version
            THEN substr(documents.search, 1, instr(documents.search, char(31))) || shown.folded
        ELSE documents.search
    END,
    snapshot_version = MAX(snapshot_version, shown.version)
FROM (
    SELECT
        value ->> 'doc' AS doc,
        value ->> 'version' AS version,
        value ->> 'at' AS at,
        value ->> 'preview' AS preview,
        value ->> 'folded' AS folded
    FROM json_each(?1)
) AS shown
WHERE documents.id = shown.doc
