-- Keeps the content ARGV[2] of version ARGV[1] in the hash KEYS[1] for ARGV[4] seconds. One that has ARGV[3] versions
-- already begins anew: which of them will be asked for again nobody knows.
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then
  redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return redis.call('EXPIRE', KEYS[1], ARGV[4])
