-- Takes ARGV[1] tokens from the bucket KEYS[1], which holds ARGV[3] at most and gets ARGV[2] a second. Answers 0 when it had
-- them, else the milliseconds until it will. Time is Redis' own, so that the servers' clocks do not matter. The key is gone
-- when the bucket is full again: then it says nothing.
local cost, rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(kept[1]) or burst, tonumber(kept[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate / 1000)
local wait = 0
if tokens >= cost or cost < 0 then
  tokens = math.min(burst, tokens - cost)
else
  wait = math.ceil((cost - tokens) * 1000 / rate)
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) * 1000 / rate) + 1000)
return wait
