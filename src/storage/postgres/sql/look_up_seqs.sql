SELECT o.doc_id, o.client_id, o.seq
FROM unnest($1::smallint[], $2::text[], $3::uuid[], $4::bigint[]) AS w (shard, doc_id, client_id, seq)
INNER JOIN ops AS o
    ON o.shard = w.shard AND o.doc_id = w.doc_id AND o.client_id = w.client_id AND o.seq = w.seq
