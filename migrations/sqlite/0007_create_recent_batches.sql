-- Operations as they come, a row for every commit: that costs a fraction of what a row for every operation in `recent_ops`
-- did. The server holds what is in this table in memory as well; nobody reads it but the recovery after a crash.
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

INSERT INTO recent_batches (id, ops)
SELECT
    id,
    json_array(json_array(
        shard, doc_id, version, pos, hex(client_id), seq, user_id, at, format, CAST(delta AS TEXT), json('false'), NULL
    ))
FROM recent_ops;

DROP TABLE recent_ops;
