"""Provides the Lua script that judges a breaker of several processes, and grants its trials.

Each process leaves a row with what its own window has counted. The rows of the present generation are added up and
judged by the rules of the process that asks. A trip, a failed trial and a closing each begin a new generation; what
concerns an older one is ignored. All instants are those of the server.

What is merged:

- the rates: failures, slow answers and `min_calls`, over the windows of all processes together;
- failures in a row: counted through all processes in the order in which their rows come. A success in any process
  begins them anew. Within one beat the order between two processes is not known.

Rows come only while some process has failures. The first judgment waits for `settle`, so that the others have left
their successes by then.
"""

from __future__ import annotations

from .store import Script

__all__ = ["BREAKER"]

BREAKER = Script(
    "breaker",
    """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local key, channel, name, member = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local known, action, rules, row = tonumber(ARGV[4]), ARGV[5], cjson.decode(ARGV[6]), cjson.decode(ARGV[7])

local stored, rows, leases = {}, {}, {}
local all = redis.call('HGETALL', key)
for index = 1, #all, 2 do
  local kind, rest = string.match(all[index], '^(%a):(.*)$')
  if kind == 'm' then
    rows[rest] = cjson.decode(all[index + 1])
  elseif kind == 'l' then
    leases[rest] = tonumber(all[index + 1])
  else
    stored[all[index]] = all[index + 1]
  end
end
local generation = tonumber(stored.generation or '0')
local state, till = stored.state or 'closed', tonumber(stored.till or '0')
local open_for, by = tonumber(stored.open_for or rules.open_for), stored.by or ''
local trouble, streak = tonumber(stored.trouble or '0'), tonumber(stored.streak or '0')
local is_current, is_news = known == generation, false
if known > generation then
  -- The store has lost its memory: closed, with the generation that a process has seen.
  generation, state, rows, leases, is_current = known, 'closed', {}, {}, true
end

local function forget(prefix, list)
  for id in pairs(list) do
    redis.call('HDEL', key, prefix .. id)
  end
end

local function begin_generation(new_state, seconds)
  generation, state, is_news = generation + 1, new_state, true
  till, open_for = now + seconds, seconds > 0 and seconds or rules.open_for
  trouble, streak, by = 0, 0, new_state == 'open' and member or ''
  forget('m:', rows)
  forget('l:', leases)
  rows, leases = {}, {}
end

-- Adds a row to the failures in a row.
local function count_in_a_row(before, after)
  if not before then
    streak = streak + after.in_a_row
  elseif after.total_ok > before.total_ok then
    streak = after.in_a_row
  else
    streak = streak + math.max(0, after.total_failed - before.total_failed)
  end
end

local function is_over_limit()
  if rules.consecutive >= 0 and streak >= rules.consecutive then
    return true
  end
  local ok, failed, slow = 0, 0, 0
  for _, one in pairs(rows) do
    ok, failed, slow = ok + one.ok, failed + one.failed, slow + one.slow
  end
  local settled = ok + failed
  if settled == 0 or settled < rules.min_calls then
    return false
  end
  return (rules.failure_rate >= 0 and failed / settled >= rules.failure_rate)
    or (rules.slow_rate >= 0 and slow / settled >= rules.slow_rate)
end

local is_bad = false
if action == 'row' and is_current and state == 'closed' then
  row.at = now
  count_in_a_row(rows[member], row)
  rows[member] = row
  redis.call('HSET', key, 'm:' .. member, cjson.encode(row))
  for id, one in pairs(rows) do
    if one.at + rules.keep < now then
      redis.call('HDEL', key, 'm:' .. id)
      rows[id] = nil
    elseif one.failed + one.slow > 0 then
      is_bad = true
    end
  end
  if not is_bad then
    trouble, streak = 0, 0
  elseif trouble == 0 then
    trouble, is_news = now, true
  elseif now - trouble >= rules.settle and is_over_limit() then
    begin_generation('open', rules.open_for)
    is_bad = false
  end
elseif action == 'failed' and is_current and state == 'open' then
  begin_generation('open', math.min(open_for * rules.growth, rules.open_max))
elseif action == 'closed' and is_current and state == 'open' then
  begin_generation('closed', 0)
elseif action == 'return' then
  redis.call('HDEL', key, 'l:' .. member)
  leases[member] = nil
end

local granted, retry = 0, 0
if action == 'ask' and state == 'open' and now >= till then
  local out, first = 0, nil
  for id, ends in pairs(leases) do
    if ends <= now then
      redis.call('HDEL', key, 'l:' .. id)
    elseif id ~= member then
      out = out + 1
      first = first and math.min(first, ends) or ends
    end
  end
  if out < rules.permits then
    granted = rules.lease
    redis.call('HSET', key, 'l:' .. member, string.format('%.0f', now + granted))
  else
    retry = math.min(rules.retry, first - now)
  end
end

redis.call('HSET', key, 'generation', string.format('%.0f', generation), 'state', state,
  'till', string.format('%.0f', till), 'open_for', string.format('%.0f', open_for), 'by', by,
  'trouble', string.format('%.0f', trouble), 'streak', string.format('%.0f', streak))
redis.call('PEXPIRE', key, 86400000)
if is_news then
  redis.call('PUBLISH', channel, name)
end
local left = state == 'open' and math.max(0, till - now) or 0
return {generation, state, string.format('%.0f', left), string.format('%.0f', open_for), by,
  string.format('%.0f', granted), string.format('%.0f', retry), trouble > 0 and is_bad and 1 or 0}
""",
)
