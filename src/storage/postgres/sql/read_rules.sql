-- $2 ids of users; $3 keys of links.
SELECT 'user' AS source, p.subject AS who, NULL::bytea AS hash, p.role, p.expires_at
FROM permissions AS p
WHERE p.doc_id = $1 AND p.kind = 'user' AND p.subject = ANY ($2)
UNION ALL
SELECT 'group', m.user_id, NULL, p.role, p.expires_at
FROM permissions AS p
INNER JOIN group_members AS m ON m.group_id = p.subject AND m.user_id = ANY ($2)
WHERE p.doc_id = $1 AND p.kind = 'group'
UNION ALL
SELECT 'link', NULL, l.hash, l.role, l.expires_at
FROM share_links AS l
WHERE l.doc_id = $1 AND l.revoked_at IS NULL AND l.hash = ANY ($3)
