INSERT INTO nodes (node, url, started_at, seen_at, draining)
VALUES ($1, $2, clock_timestamp(), clock_timestamp(), $3)
ON CONFLICT (node) DO UPDATE SET url = excluded.url, seen_at = excluded.seen_at, draining = excluded.draining
