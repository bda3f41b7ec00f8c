-- Keeps the content ARGV[1] in KEYS[1] for ARGV[2] seconds, unless what is there is of the same history and of a version that is
-- not lower. Bytes 14 to 29 are the history, 30 to 37 the version, big-endian: see content.rs. Versions are below 2^53.
local function version(value)
  local number = 0
  for at = 30, 37 do
    number = number * 256 + (string.byte(value, at) or 0)
  end
  return number
end
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, 5) == string.sub(ARGV[1], 1, 5)
  and string.sub(held, 14, 29) == string.sub(ARGV[1], 14, 29) and version(held) >= version(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
