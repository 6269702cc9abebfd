"""Shares a limit in the ways that come to mind first, each of which exceeds it: the drills run them beside ours."""

from __future__ import annotations

import time
from typing import Any

from resilience.fleet import quota_script
from resilience.fleet.store import Script

COUNTER = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return count <= tonumber(ARGV[1]) and 1 or 0
"""


class Counter:
    """Refuses and polls: a counter per span, which every process increments until it is not refused."""

    def __init__(self, client: Any, limit: int, span: float) -> None:
        self._ask, self._limit, self._span = client.register_script(COUNTER), limit, round(span * 1000)

    def wait(self) -> None:
        """Wait for a permit."""
        while not self._ask(keys=["naive"], args=[self._limit, self._span]):
            time.sleep(0.002)


class WallClocks:
    """Counts by the clock of each process: two that differ do not see each other's sends."""

    def __init__(self, client: Any, limit: int, span: float, ahead: float) -> None:
        self._client, self._limit, self._span, self._ahead = client, limit, span, ahead

    def wait(self) -> None:
        """Wait for a permit."""
        while True:
            now = time.time() + self._ahead
            self._client.zremrangebyscore("naive", "-inf", now - self._span)
            if self._client.zcard("naive") < self._limit:
                self._client.zadd("naive", {f"{now}:{id(self)}:{time.monotonic_ns()}": now})
                return
            time.sleep(0.002)


def without_epoch() -> Script:
    """Return our own script, whose store never knows that it has lost its memory (law 6)."""
    text = quota_script.BOOK.text.replace("local since, is_new = born(epoch, now)", "local since, is_new = 0, false")
    assert text != quota_script.BOOK.text
    return Script("no epoch", text)
