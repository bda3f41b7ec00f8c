-- The newest first. An action that ends with a dot is an area: all actions that begin so.
SELECT * FROM audit
WHERE
    ($1::text IS NULL OR actor = $1)
    AND ($2::text IS NULL OR subject = $2)
    AND ($3::text IS NULL OR action = $3 OR ($3 LIKE '%.' AND starts_with(action, $3)))
    AND ($4::bigint IS NULL OR at >= $4)
    AND ($5::bigint IS NULL OR at < $5)
    AND ($6::bigint IS NULL OR (at, chain, n) < ($6, $7::text COLLATE "C", $8::bigint))
ORDER BY at DESC, chain DESC, n DESC
LIMIT $9
