-- Positions are unique in their shard and begin at 1, so that none is missing where there are as many as the last one
-- says. A purged document takes its own away: of a shard that has had one nothing can be said.
SELECT o.shard, count(*) AS operations, max(o.pos) AS last
FROM ops AS o
WHERE o.shard NOT IN (SELECT d.shard FROM documents AS d WHERE d.purged_at IS NOT NULL)
GROUP BY o.shard
HAVING count(*) <> max(o.pos)
LIMIT 100
