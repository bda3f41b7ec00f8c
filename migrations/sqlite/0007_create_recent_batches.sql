-- Operations as they come, a row for every commit: that costs a fraction of what a row for every operation did.
-- `recent_ops` is filled, and emptied, only by the recovery after a crash from here on.
CREATE TABLE recent_batches (
    id INTEGER PRIMARY KEY,
    ops TEXT NOT NULL
);

-- `ops` is an array of operations, and an operation an array of values in this order. `touch` and `preview` are what it is
-- to change in its document's row when it settles: the time, and the first line if that is new.
CREATE VIEW unsettled_ops AS
SELECT
    b.id AS batch,
    op.key AS place,
    op.value ->> 0 AS shard,
    op.value ->> 1 AS doc_id,
    op.value ->> 2 AS version,
    op.value ->> 3 AS pos,
    unhex(op.value ->> 4) AS client_id,
    op.value ->> 5 AS seq,
    op.value ->> 6 AS user_id,
    op.value ->> 7 AS at,
    op.value ->> 8 AS format,
    CAST(op.value ->> 9 AS BLOB) AS delta,
    op.value ->> 10 AS touch,
    op.value ->> 11 AS preview
FROM recent_batches AS b
CROSS JOIN json_each(b.ops) AS op;

ALTER TABLE recent_ops ADD COLUMN touch BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE recent_ops ADD COLUMN preview TEXT;
