SELECT
    (SELECT p.page_count * s.page_size FROM pragma_page_count AS p, pragma_page_size AS s) AS log,
    (SELECT COALESCE(SUM(bytes), 0) FROM snapshots) AS snapshots,
    COUNT(*) AS segments,
    COALESCE(SUM(bytes), 0) AS segment_bytes,
    COALESCE(SUM(last_version - first_version + 1), 0) AS archived
FROM segments
