-- The log's tables with their indexes.
SELECT
    (
        SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint FROM pg_inherits WHERE inhparent = 'ops'::regclass
    ) AS log,
    (SELECT coalesce(sum(bytes), 0)::bigint FROM snapshots) AS snapshots,
    count(*) AS segments,
    coalesce(sum(bytes), 0)::bigint AS segment_bytes,
    coalesce(sum(last_version - first_version + 1), 0)::bigint AS archived
FROM segments
