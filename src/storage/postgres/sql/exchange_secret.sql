-- Not while there may be servers that prove themselves with the one before the current one.
UPDATE node_secret
SET previous = secret, secret = $1, exchanged_at = clock_timestamp()
WHERE exchanged_at IS NULL OR exchanged_at < clock_timestamp() - interval '2 minutes'
