"""Provides the Lua script that keeps entries with an end, or without one, until they are dropped.

Its generation is raised by each drop. A process that was cut off meanwhile does not know of the drop: it may put back
what the store has lost, but only if its own generation is not older than the store's. A store that lost its memory
takes the highest generation that it is sent.
"""

from __future__ import annotations

from .store import Script

__all__ = ["ENTRIES"]

ENTRIES = Script(
    "entries",
    """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local key, known, channel = KEYS[1], tonumber(ARGV[1]), ARGV[2]
local stored = tonumber(redis.call('HGET', key, '#generation') or '0')
local generation = math.max(stored, known)
local changed = false

local function ends(text)
  return tonumber(string.match(text, '^(%d+)|'))
end

-- 0 is no end, so that it is later than all others.
local function is_longer(new, old)
  return old ~= 0 and (new == 0 or new > old)
end

for index = 3, #ARGV, 4 do
  local action, field, left, value = ARGV[index], ARGV[index + 1], tonumber(ARGV[index + 2]), ARGV[index + 3]
  if action == 'drop' then
    redis.call('HDEL', key, field)
  elseif action == 'clear' then
    redis.call('DEL', key)
  elseif action == 'new' or known >= stored then
    local last = left < 0 and 0 or now + left
    local old = redis.call('HGET', key, field)
    local is_over = old and ends(old) ~= 0 and ends(old) <= now
    if not old or is_over or is_longer(last, ends(old)) or (action == 'new' and last == 0) then
      redis.call('HSET', key, field, string.format('%.0f|', last) .. value)
      changed = true
    end
  end
  if action == 'drop' or action == 'clear' then
    generation = generation + 1
    changed = true
  end
end

if generation ~= stored or changed then
  redis.call('HSET', key, '#generation', string.format('%.0f', generation))
end
local answer = {string.format('%.0f', generation)}
local entries = redis.call('HGETALL', key)
for index = 1, #entries, 2 do
  local field, text = entries[index], entries[index + 1]
  if field ~= '#generation' then
    local last = ends(text)
    if last ~= 0 and last <= now then
      redis.call('HDEL', key, field)
    else
      answer[#answer + 1] = field
      answer[#answer + 1] = string.format('%.0f', last == 0 and -1 or last - now)
      answer[#answer + 1] = string.match(text, '^%d+|(.*)$')
    end
  end
end
if changed then
  redis.call('PUBLISH', channel, 'changed')
end
return answer
""",
)
