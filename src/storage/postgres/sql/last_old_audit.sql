-- The last record that may go: all up to it are old, or follow on so many; the end of the chain stays. Time is that of whoever
-- made the record and may go back, so what is looked for is the first that is young.
SELECT a.chain, a.n, a.hash FROM audit AS a
WHERE
    a.chain = $1
    AND a.n < coalesce(
        (SELECT min(y.n) FROM audit AS y WHERE y.chain = $1 AND y.at >= $2),
        (SELECT max(e.n) FROM audit AS e WHERE e.chain = $1)
    )
    AND a.n < $3 + (SELECT min(f.n) FROM audit AS f WHERE f.chain = $1)
ORDER BY a.n DESC
LIMIT 1
