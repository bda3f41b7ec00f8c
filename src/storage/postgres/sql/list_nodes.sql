-- Times as whole milliseconds. A clock that was set back makes nobody silent.
SELECT
    n.node,
    n.url,
    n.draining,
    CAST(floor(extract(EPOCH FROM n.started_at) * 1000) AS bigint) AS started_at,
    CAST(greatest(0, floor(extract(EPOCH FROM clock_timestamp() - n.seen_at) * 1000)) AS bigint) AS silent_for
FROM nodes AS n
ORDER BY n.node
