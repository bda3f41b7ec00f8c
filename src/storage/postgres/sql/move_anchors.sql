-- One that somebody else has moved meanwhile stays as it is.
UPDATE comments
SET anchor_index = moved.index, anchor_length = moved.length, anchor_version = moved.version
FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) AS moved (id, since, index, length, version)
WHERE comments.doc_id = $1 AND comments.id = moved.id AND comments.anchor_version = moved.since
