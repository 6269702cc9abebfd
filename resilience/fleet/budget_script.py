"""Provides the Lua script that adds up the calls and retries of all processes under one policy.

Each process leaves a row with the calls and retries of its last seconds. A row that is older than these counts no more.
Rows come only while some process has retried.
"""

from __future__ import annotations

from .store import Script

__all__ = ["BUDGET"]

BUDGET = Script(
    "budget",
    """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local key, channel, name, member = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local keep = tonumber(ARGV[6])
redis.call('HSET', key, member, string.format('%.0f|%s|%s', now, ARGV[4], ARGV[5]))
redis.call('PEXPIRE', key, keep * 2)
local calls, retries, others, members = 0, 0, 0, 0
local rows = redis.call('HGETALL', key)
for index = 1, #rows, 2 do
  local at, row_calls, row_retries = string.match(rows[index + 1], '^(%d+)|(%d+)|(%d+)$')
  if tonumber(at) + keep < now then
    redis.call('HDEL', key, rows[index])
  else
    calls, retries, members = calls + tonumber(row_calls), retries + tonumber(row_retries), members + 1
    if rows[index] ~= member then
      others = others + tonumber(row_retries)
    end
  end
end
-- The first retry in the fleet: the others leave their rows too.
if tonumber(ARGV[5]) > 0 and others == 0 and ARGV[7] == '1' then
  redis.call('PUBLISH', channel, name)
end
return {calls, retries, members}
""",
)
