-- Positions are unique in their shard and begin at 1, so that none is missing where there are as many as the last one
-- says: those of operations that have left for a segment count too, unless they are here as well. A purged document takes its
-- own away: of a shard that has had one nothing can be said.
SELECT held.shard, held.operations, held.last
FROM (
    SELECT
        o.shard,
        count(*) FILTER (
            WHERE NOT EXISTS (SELECT FROM segments AS s WHERE s.doc_id = o.doc_id AND s.last_version >= o.version)
        ) + coalesce(max(cold.operations), 0) AS operations,
        max(o.pos) AS last
    FROM ops AS o
    LEFT JOIN (
        SELECT d.shard, sum(s.last_version - s.first_version + 1)::bigint AS operations
        FROM segments AS s
        INNER JOIN documents AS d ON d.id = s.doc_id
        GROUP BY d.shard
    ) AS cold ON cold.shard = o.shard
    WHERE o.shard NOT IN (SELECT d.shard FROM documents AS d WHERE d.purged_at IS NOT NULL)
    GROUP BY o.shard
) AS held
WHERE held.operations <> held.last
LIMIT 100
