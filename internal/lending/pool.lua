-- Lends and borrows slots in one step, and says what there is.
--
-- KEYS: pool, a sorted set of slot numbers; wanted, there while somebody wants
-- ARGV: life that the pool is named after; wanted slots, at most, from first to
--       last; passed, the first number that is still of use; how long the pool
--       and the wish last, in ms; lent slots ...
--
-- Returns life; what lapsed; whether somebody wants; the slots taken ...
-- Where the life is another, it returns that alone and does nothing.
--
-- Numbers are texts throughout: Lua would round them when it prints them.
local server = redis.call('INFO', 'replication')
local life = string.match(server, 'role:master') and string.match(server, 'master_replid:(%x+)') or ''
if life ~= ARGV[1] or life == '' then
  return {life}
end

local lapsed = redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[5])

if #ARGV > 7 then
  local lent = {}
  for i = 8, #ARGV do
    lent[#lent + 1] = ARGV[i]
    lent[#lent + 1] = ARGV[i]
  end
  redis.call('ZADD', KEYS[1], unpack(lent))
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
end

local answer = {life, lapsed, 0}
if ARGV[2] ~= '0' then
  redis.call('SET', KEYS[2], '', 'PX', ARGV[7])
  local taken = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[3], ARGV[4], 'LIMIT', '0', ARGV[2])
  if #taken > 0 then
    redis.call('ZREM', KEYS[1], unpack(taken))
  end
  for _, slot in ipairs(taken) do
    answer[#answer + 1] = slot
  end
end
answer[3] = redis.call('EXISTS', KEYS[2])
return answer
