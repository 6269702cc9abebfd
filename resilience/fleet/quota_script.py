"""Books leases of a limit in the store: the script answers when permits may be spent, and never refuses (law 3).

Data of one limit: a sorted set `sends` of `count:instant` by the instant at which these permits end (microseconds of
the store's clock), and a hash `epoch`. A lease is booked at the first instant at which the permits that end in the
window before it, and all that were booked already, leave room for it. So in any window there are at most `cap` permits
that can be spent, wherever in their lease they are.

A lease that has ended is reported with what was spent. Its permits then count from the report, and not from the end of
the lease; those that were not spent do not count any more.

A lease may be booked long before it begins. If the store loses its memory meanwhile, it would grant the same room
again. So a process asks again (`KNOWN`) at most `ahead` before such a lease begins, and a store without memory waits
for that much longer.
"""

from __future__ import annotations

from .epoch_script import EPOCH
from .store import Script

__all__ = ["BOOK", "KNOWN"]

BOOK = Script(
    "book",
    EPOCH
    + """
local sends, epoch = KEYS[1], KEYS[2]
local cap, span, lease, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local margin, bucket, overdrawn = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local least, ahead = tonumber(ARGV[8]), tonumber(ARGV[9])
local now = microseconds()
local since, is_new = born(epoch, now)
if is_new then
  redis.call('DEL', sends)
end

-- Processes with an older file may count in a longer window.
local longest = math.max(span, tonumber(redis.call('HGET', epoch, 'span') or '0'))
redis.call('HSET', epoch, 'span', string.format('%.0f', longest))
redis.call('EXPIRE', epoch, 604800)
redis.call('ZREMRANGEBYSCORE', sends, '-inf', string.format('%.0f', now - longest))

local function add(instant, count)
  local score = string.format('%.0f', instant)
  local entry = redis.call('ZRANGEBYSCORE', sends, score, score, 'LIMIT', 0, 1)[1]
  if entry then
    count = count + tonumber(string.match(entry, '^(%d+):'))
    redis.call('ZREM', sends, entry)
  end
  if count > 0 then
    redis.call('ZADD', sends, score, string.format('%.0f:%s', count, score))
  end
end

local function rounded(instant)
  return math.ceil(instant / bucket) * bucket
end

for index = 10, #ARGV, 4 do
  local ends, granted, spent = tonumber(ARGV[index + 1]), tonumber(ARGV[index + 2]), tonumber(ARGV[index + 3])
  if tonumber(ARGV[index]) == since then
    add(ends, -granted)
    if spent > 0 then
      add(math.min(ends, rounded(now + margin)), spent)
    end
  end
end
if overdrawn > 0 then
  add(rounded(now + margin), overdrawn)
end

local entries = redis.call('ZRANGEBYSCORE', sends, string.format('(%.0f', now - span), '+inf', 'WITHSCORES')
local room = cap
for index = 1, #entries, 2 do
  room = room - tonumber(string.match(entries[index], '^(%d+):'))
end
local cold = since + longest + lease + ahead
local begin = math.max(now, cold)
if room < wanted and room >= least and room * 2 >= wanted then
  wanted = room
end
local index = 1
while room < wanted do
  room = room + tonumber(string.match(entries[index], '^(%d+):'))
  begin = math.max(begin, tonumber(entries[index + 1]) + span)
  index = index + 2
end
local ends = rounded(begin + lease)
add(ends, wanted)
redis.call('PEXPIRE', sends, math.ceil((ends - now + longest) / 1000) + 60000)
return {wanted, string.format('%.0f', begin - now), string.format('%.0f', since), string.format('%.0f', ends),
  now < cold and 1 or 0}
""",
)

KNOWN = Script(
    "known",
    """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
local known = redis.call('HMGET', KEYS[1], 'run', 'born')
return known[1] == run and known[2] or ''
""",
)
