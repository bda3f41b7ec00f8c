-- The newest first. An action that ends with a dot is an area: all actions that begin so.
SELECT * FROM audit
WHERE
    (?1 IS NULL OR actor = ?1)
    AND (?2 IS NULL OR subject = ?2)
    AND (?3 IS NULL OR action = ?3 OR (?3 LIKE '%.' AND substr(action, 1, length(?3)) = ?3))
    AND (?4 IS NULL OR at >= ?4)
    AND (?5 IS NULL OR at < ?5)
    AND (?6 IS NULL OR (at, chain, n) < (?6, ?7, ?8))
ORDER BY at DESC, chain DESC, n DESC
LIMIT ?9
