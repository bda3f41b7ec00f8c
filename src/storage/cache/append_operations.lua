-- Appends ARGV[4] and those after it to the list KEYS[1], which must end with an element that begins with ARGV[1]: else it
-- has a gap, or is of another history, and begins anew. It keeps the last ARGV[2] elements for ARGV[3] seconds.
local last = ARGV[1] ~= '' and redis.call('LINDEX', KEYS[1], -1)
if not last or string.sub(last, 1, #ARGV[1]) ~= ARGV[1] then
  redis.call('DEL', KEYS[1])
end
for i = 4, #ARGV do
  redis.call('RPUSH', KEYS[1], ARGV[i])
end
redis.call('LTRIM', KEYS[1], -ARGV[2], -1)
redis.call('EXPIRE', KEYS[1], ARGV[3])
return redis.call('LLEN', KEYS[1])
