"""The Lua scripts of the work queue: every change of a queue is one atomic script, one round trip for many keys.

A queue is seven Redis keys under one prefix (see `controllers.workqueue.names`):

ready       zset   key -> score; smallest score is served first. score = enqueue time (ms) - priority * 1e13
again       zset   keys that were added while they were being processed; they become ready when they are done
processing  hash   key -> token of the batch that holds it, "<worker>#<number>.<queue>"
delayed     zset   key -> time (ms) at which it becomes ready
failures    hash   key -> failures in a row, for the back-off
stats       hash   counters behind the workqueue_* metrics
wake        string exists while a wake-up is under way or a worker drains the queue
"""

# KEYS: ready again processing delayed failures stats wake
_PRELUDE = """
local ready, again, processing, delayed = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local failures, stats, wake = KEYS[5], KEYS[6], KEYS[7]
local function size() return redis.call('ZCARD', ready) + redis.call('ZCARD', again) end
local function add(key, score)
  local target = redis.call('HEXISTS', processing, key) == 1 and again or ready
  local added = redis.call('ZADD', target, 'NX', score, key)
  if added == 0 then redis.call('ZADD', target, 'LT', score, key) end
  if added > 0 then redis.call('HINCRBY', stats, 'adds', 1) end
  return added
end
local function later(key, due)
  if redis.call('ZADD', delayed, 'NX', due, key) == 0 then redis.call('ZADD', delayed, 'LT', due, key) end
end
local function release(key, due)
  redis.call('HDEL', processing, key)
  local score = redis.call('ZSCORE', again, key)
  if score then
    redis.call('ZREM', again, key)
    if due then later(key, due) else redis.call('ZADD', ready, score, key) end
  end
end
local function promote(now)
  local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 5000)
  for _, key in ipairs(due) do
    redis.call('ZREM', delayed, key)
    add(key, now)
  end
end
"""

# ARGV: score limit wake_ttl_ms key...  ->  {added, refused, 1 if the caller must send the wake-up}
ADD = (
    _PRELUDE
    + """
local score, limit, ttl = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local room = limit - size()
local added, refused = 0, 0
for i = 4, #ARGV do
  if room <= added then
    refused = refused + 1
  else
    added = added + add(ARGV[i], score)
  end
end
local woken = 0
if redis.call('ZCARD', ready) > 0 and redis.call('SET', wake, '1', 'NX', 'PX', ttl) then woken = 1 end
return {added, refused, woken}
"""
)

# ARGV: now max token wake_ttl_ms horizon_ms  ->  {time of the next delayed key or '', key, score, key, score, ...}
#   With nothing ready and nothing due within the horizon the wake ends; else the caller is expected to come again.
GET = (
    _PRELUDE
    + """
promote(ARGV[1])
local popped = redis.call('ZPOPMIN', ready, ARGV[2])
for i = 1, #popped, 2 do redis.call('HSET', processing, popped[i], ARGV[3]) end
local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
if #popped > 0 or (first and tonumber(first) <= ARGV[1] + ARGV[5]) then
  redis.call('SET', wake, '1', 'PX', ARGV[4])
else
  redis.call('DEL', wake)
end
table.insert(popped, 1, first or '')
return popped
"""
)

# ARGV: now token base_ms cap_ms jitter pause_ms, then per key: key, outcome (ok|fail), number
#   pause: keys that were added again meanwhile become ready only after it
#   ok:   number = requeue after (ms), -1 = not at all;   fail: number = random in [0, 1) for the jitter
# -> failures in a row of each key, in order
DONE = (
    _PRELUDE
    + """
local now, token = tonumber(ARGV[1]), ARGV[2]
local base, cap, jitter = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local due = tonumber(ARGV[6]) > 0 and now + ARGV[6]
local counts = {}
for i = 7, #ARGV, 3 do
  local key, outcome, number = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  if redis.call('HGET', processing, key) == token then release(key, due) end
  if outcome == 'ok' then
    redis.call('HDEL', failures, key)
    if number >= 0 then later(key, now + number) end
    counts[#counts + 1] = 0
  else
    local count = redis.call('HINCRBY', failures, key, 1)
    local delay = math.min(base * 2 ^ math.min(count - 1, 60), cap)
    later(key, now + delay * (1 + jitter * number))
    redis.call('HINCRBY', stats, 'retries', 1)
    counts[#counts + 1] = count
  end
end
return counts
"""
)

# KEYS: those of many queues; ARGV: prefix of the worker leases, now, this worker, per queue the number of the next batch
#   that this worker takes from it, then its batches under way (tokens)...
#   ->  per queue the number of keys taken back from workers without a lease, and from batches this worker forgot.
#   A batch may have been taken since the list was made: its number tells.
RECOVER = """
local alive, result = {}, {}
for i = 4 + #KEYS / 7, #ARGV do alive[ARGV[i]] = true end
for base = 0, #KEYS - 1, 7 do
  local next_number = tonumber(ARGV[4 + base / 7])
  local ready, again, processing = KEYS[base + 1], KEYS[base + 2], KEYS[base + 3]
  local held, taken = redis.call('HGETALL', processing), 0
  for i = 1, #held, 2 do
    local token = held[i + 1]
    if alive[token] == nil then
      local worker, number = string.match(token, '^(.*)#(%d+)')
      if worker == ARGV[3] then
        alive[token] = tonumber(number) >= next_number
      else
        alive[token] = redis.call('EXISTS', ARGV[1] .. worker) == 1
      end
    end
    if not alive[token] then
      redis.call('HDEL', processing, held[i])
      redis.call('ZADD', ready, redis.call('ZSCORE', again, held[i]) or ARGV[2], held[i])
      redis.call('ZREM', again, held[i])
      taken = taken + 1
    end
  end
  result[#result + 1] = taken
end
return result
"""

# KEYS: those of many queues; ARGV: now wake_ttl_ms  ->  per queue
#   {1 if the caller must send a wake-up, time of the next delayed key or '', sizes: ready, again, processing, delayed}
POLL = """
local result = {}
for base = 0, #KEYS - 1, 7 do
  local ready, delayed, wake = KEYS[base + 1], KEYS[base + 4], KEYS[base + 7]
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  local due = first and tonumber(first) <= tonumber(ARGV[1])
  local woken = 0
  if (due or redis.call('ZCARD', ready) > 0) and redis.call('SET', wake, '1', 'NX', 'PX', ARGV[2]) then woken = 1 end
  result[#result + 1] = {woken, first or '', redis.call('ZCARD', ready), redis.call('ZCARD', KEYS[base + 2]),
                         redis.call('HLEN', KEYS[base + 3]), redis.call('ZCARD', delayed)}
end
return result
"""

# The wake-ups of a role (see `controllers.wakeups`):
#
# waiting  list   queues that no drain has taken yet
# idle     zset   drain that waits for a queue -> time (ms) until which it does
# inbox:N  list   the queue that is handed to the drain N
#
# KEYS: waiting idle inbox:; ARGV: queue now  ->  1 when no drain waits: the caller must send a message
WAKE = """
local drain = redis.call('ZREVRANGEBYSCORE', KEYS[2], '+inf', '(' .. ARGV[2], 'LIMIT', 0, 1)[1]
if drain then
  redis.call('ZREM', KEYS[2], drain)
  redis.call('RPUSH', KEYS[3] .. drain, ARGV[1])
  redis.call('PEXPIRE', KEYS[3] .. drain, 10000)
  return 0
end
redis.call('DEL', KEYS[2])
redis.call('LREM', KEYS[1], 0, ARGV[1])
redis.call('RPUSH', KEYS[1], ARGV[1])
return 1
"""

# KEYS: waiting idle inbox:; ARGV: drain now until  ->  a queue, or '' and from now on the drain is one that waits
TAKE_WAKE = """
local queue = redis.call('LPOP', KEYS[1])
if queue then return queue end
if tonumber(ARGV[3]) > tonumber(ARGV[2]) then redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1]) end
return ''
"""

# KEYS: waiting idle inbox:; ARGV: drain  ->  a queue that was handed to the drain at the last moment, or ''
LEAVE = """
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('LPOP', KEYS[3] .. ARGV[1]) or redis.call('LPOP', KEYS[1]) or ''
"""
