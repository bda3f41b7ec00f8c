-- Records of one chain, which are in order.
INSERT INTO audit (chain, n, at, actor, address, action, subject, outcome, details, previous, hash)
SELECT $1, r.*
FROM
    unnest(
        $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::bytea[], $11::bytea[]
    ) AS r
