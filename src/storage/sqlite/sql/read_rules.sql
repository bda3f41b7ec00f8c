-- ?2 ids of users; ?3 keys of links in hexadecimal. CROSS: in this order, each row by its key.
SELECT 'user' AS source, p.subject AS who, NULL AS hash, p.role, p.expires_at
FROM json_each(?2) AS wanted
CROSS JOIN permissions AS p ON p.doc_id = ?1 AND p.kind = 'user' AND p.subject = wanted.value
UNION ALL
SELECT 'group', m.user_id, NULL, p.role, p.expires_at
FROM json_each(?2) AS wanted
CROSS JOIN group_members AS m ON m.user_id = wanted.value
CROSS JOIN permissions AS p ON p.doc_id = ?1 AND p.kind = 'group' AND p.subject = m.group_id
UNION ALL
SELECT 'link', NULL, l.hash, l.role, l.expires_at
FROM share_links AS l
WHERE l.doc_id = ?1 AND l.revoked_at IS NULL AND hex(l.hash) IN (SELECT value FROM json_each(?3))
