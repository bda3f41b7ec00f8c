SELECT
    s.secret,
    s.previous,
    CAST(greatest(0, floor(extract(EPOCH FROM clock_timestamp() - s.exchanged_at) * 1000)) AS bigint) AS exchanged_for
FROM node_secret AS s
