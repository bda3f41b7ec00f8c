-- What is held of documents that do not exist. A tombstone has nothing either once its purge has ended, which opening
-- the database sees to.
SELECT held.doc_id, held.place
FROM (
    SELECT DISTINCT doc_id, 'operations' AS place FROM ops
    UNION ALL
    SELECT DISTINCT doc_id, 'clients' AS place FROM clients
    UNION ALL
    SELECT DISTINCT doc_id, 'snapshots' AS place FROM snapshots
    UNION ALL
    SELECT DISTINCT doc_id, 'segments' AS place FROM segments
    UNION ALL
    SELECT DISTINCT doc_id, 'forks' AS place FROM forks
    UNION ALL
    SELECT DISTINCT doc_id, 'permissions' AS place FROM permissions
    UNION ALL
    SELECT DISTINCT doc_id, 'links' AS place FROM share_links
    UNION ALL
    SELECT doc_id, 'contents' AS place FROM contents
    UNION ALL
    SELECT DISTINCT doc_id, 'activity' AS place FROM activity
) AS held
WHERE NOT EXISTS (SELECT 1 FROM documents AS d WHERE d.id = held.doc_id AND d.purged_at IS NULL)
LIMIT 100
