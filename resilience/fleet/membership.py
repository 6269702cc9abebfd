"""Counts the processes of a fleet: each leaves a heartbeat in a sorted set, by the store's clock."""

from __future__ import annotations

import time
from uuid import uuid4

from .keys import KeySpace
from .store import Script, Store

__all__ = ["Membership"]

BEAT = 5.0  # seconds between heartbeats; few, because they count as round trips
_GONE_AFTER = 3 * BEAT  # seconds without a heartbeat after which a process no longer counts
_SCRIPT = Script(
    "members",
    """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[2])) + 1)
return redis.call('ZCARD', KEYS[1])
""",
)


class Membership:
    """The heartbeat of this process, and how many processes there are.

    Attributes:
        member: the name of this process in the store.
        members: how many processes the store has seen lately; None before its first answer and while it is lost.
        round_trip: seconds that the last question took; None before the first.
    """

    def __init__(self, keys: KeySpace) -> None:
        self._key = f"{keys.tag('members')}beats"
        self._due = 0.0
        self.members: int | None = None
        self.round_trip: float | None = None
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Be another member in a forked child."""
        self.member = uuid4().hex
        self._due = 0.0

    def next_due(self) -> float | None:
        """Return the instant of the next heartbeat."""
        return self._due

    def work(self, store: Store) -> None:
        """Leave a heartbeat."""
        begin = time.monotonic()
        self.members = int(store.run(_SCRIPT, [self._key], [self.member, _GONE_AFTER]))
        now = time.monotonic()
        self.round_trip = now - begin
        self._due = now + BEAT

    def store_lost(self, _reason: str) -> None:
        """Know no number any more."""
        self.members = None

    def store_back(self) -> None:
        """Leave a heartbeat at once."""
        self._due = 0.0

    def describe(self) -> int | None:
        """Return the number of processes."""
        return self.members
