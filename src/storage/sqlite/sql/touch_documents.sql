-- Each touched value is [document, time]; time only goes forward.
UPDATE documents
SET updated_at = touched.at
FROM (SELECT value ->> 0 AS id, MAX(value ->> 1) AS at FROM json_each(?1) GROUP BY 1) AS touched
WHERE documents.id = touched.id AND documents.updated_at < touched.at
