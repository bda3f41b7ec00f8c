UPDATE documents AS d
SET
    snapshot_version = coalesce(
        (SELECT s.version FROM snapshots AS s WHERE s.doc_id = d.id ORDER BY s.version DESC LIMIT 1), 0
    )
WHERE d.id = $1
