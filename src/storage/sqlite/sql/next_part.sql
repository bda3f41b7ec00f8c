-- The last of the lowest batches that have at most ?1 bytes together; the lowest alone if it has more. NULL without any.
SELECT COALESCE(MAX(id) FILTER (WHERE bytes <= ?1), MIN(id)) AS upto
FROM (
    SELECT id, SUM(octet_length(ops)) OVER (ORDER BY id) AS bytes
    FROM recent_batches
    ORDER BY id
    LIMIT 4096
)
