"""Provides the Lua code by which a script finds out whether the store remembers what was granted (law 6).

A store that was flushed, that restarted, or that was a replica and has been promoted, does not know the last grants.
Its server's `run_id` is another one, or the epoch is gone. Such a store grants nothing for one window, one lease, and
the time before its begin from which on a lease is sure (`quota_script.py`): by then nothing counts any more that was
granted before.
"""

from __future__ import annotations

__all__ = ["EPOCH"]

EPOCH = """
local function microseconds()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- Returns the instant at which this server began to remember, and whether that is now.
local function born(key, now)
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
  local known = redis.call('HMGET', key, 'run', 'born', 'at')
  -- A clock that was set back would keep old grants for longer than they count, so everything begins anew.
  if known[1] == run and now >= tonumber(known[3] or '0') then
    redis.call('HSET', key, 'at', string.format('%.0f', now))
    return tonumber(known[2]), false
  end
  redis.call('DEL', key)
  redis.call('HSET', key, 'run', run, 'born', string.format('%.0f', now), 'at', string.format('%.0f', now))
  return now, true
end
"""
