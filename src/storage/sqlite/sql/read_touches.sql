-- A snapshot that holds the operation has brought a first line of its own.
SELECT
    r.doc_id,
    r.at,
    CASE WHEN r.version > d.snapshot_version THEN r.preview END AS preview
FROM unsettled_ops AS r
INNER JOIN documents AS d ON d.id = r.doc_id
WHERE r.batch <= ?1 AND r.touch
ORDER BY r.batch, r.place
