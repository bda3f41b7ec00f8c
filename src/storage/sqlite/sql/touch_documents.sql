-- Each touched value is [document, time, preview, preview as it is searched]; time only goes forward, and without a
-- preview the one that is there stays. What is searched begins with the title, up to and with the separator.
UPDATE documents
SET
    updated_at = MAX(documents.updated_at, touched.at),
    preview = COALESCE(touched.preview, documents.preview),
    search = COALESCE(
        substr(documents.search, 1, instr(documents.search, char(31))) || touched.folded,
        documents.search
    )
FROM (
    SELECT
        value ->> 0 AS id,
        value ->> 1 AS at,
        value ->> 2 AS preview,
        value ->> 3 AS folded
    FROM json_each(?1)
) AS touched
WHERE
    documents.id = touched.id
    AND documents.purged_at IS NULL
    AND (documents.updated_at < touched.at OR touched.preview IS NOT NULL)
