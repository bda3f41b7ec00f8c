-- Never backwards, whoever else takes itself for the reader. (Without WHERE the parser would take ON for a join.)
INSERT INTO watermarks (reader, shard, pos)
SELECT ?1, mark.value ->> 0, mark.value ->> 1
FROM json_each(?2) AS mark
WHERE TRUE
ON CONFLICT (reader, shard) DO UPDATE SET pos = MAX(pos, excluded.pos)
