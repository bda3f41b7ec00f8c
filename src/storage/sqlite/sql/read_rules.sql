-- ?2 ids of users; ?3 keys of links in hexadecimal.
SELECT 'user' AS source, p.subject AS who, NULL AS hash, p.role, p.expires_at
FROM json_each(?2) AS wanted
INNER JOIN permissions AS p ON p.doc_id = ?1 AND p.kind = 'user' AND p.subject = wanted.value
UNION ALL
SELECT 'group', m.user_id, NULL, p.role, p.expires_at
FROM permissions AS p
INNER JOIN json_each(?2) AS wanted
INNER JOIN group_members AS m ON m.group_id = p.subject AND m.user_id = wanted.value
WHERE p.doc_id = ?1 AND p.kind = 'group'
UNION ALL
SELECT 'link', NULL, l.hash, l.role, l.expires_at
FROM share_links AS l
WHERE l.doc_id = ?1 AND l.revoked_at IS NULL AND hex(l.hash) IN (SELECT value FROM json_each(?3))
