"""Whether a connection is alive: pings on time, early ones after silence, and the verdict when nothing comes."""

from __future__ import annotations

from math import inf

from ..._core.policy.stream_limits import StreamSettings

__all__ = ["Heartbeat"]


class Heartbeat:
    """The pulse of one connection. Times are monotonic seconds.

    Anything that comes proves life, so a quiet market whose pongs arrive is not stale. Two pings without
    a pong prove death all the same: the venue does not see them and will drop the connection.

    Attributes:
        heard_at: when something came last.
        held: the reader waits for a slow consumer: silence proves nothing.
    """

    def __init__(self, limits: StreamSettings, now: float) -> None:
        self._limits = limits
        self.heard_at = now
        self.held = False
        self._pinged_at = now
        self._asked_at = inf
        self._unanswered = 0

    def heard(self, now: float) -> None:
        """Something came."""
        self.heard_at = now
        self._asked_at = inf

    def ponged(self) -> None:
        """A pong came."""
        self._unanswered = 0

    def pinged(self, now: float) -> None:
        """A ping was sent."""
        self._pinged_at = now
        self._asked_at = min(self._asked_at, now)
        self._unanswered += 1

    def hold(self, held: bool, now: float) -> None:
        """The reader stops for a slow consumer, or goes on."""
        self.held = held
        if not held:
            self.heard(now)
            self._unanswered = 0

    @property
    def stale(self) -> bool:
        """Tell whether a ping is out and nothing has come since."""
        return self._asked_at != inf

    @property
    def ping_at(self) -> float:
        """The instant of the next ping: on time, or early after a long silence."""
        early = inf if self.stale else self.heard_at + self._limits.stale_after
        return min(self._pinged_at + self._limits.ping, early)

    @property
    def dead_at(self) -> float:
        """The instant from which the connection counts as dead if nothing comes."""
        if self.held:
            return inf
        missed = self._pinged_at if self._unanswered >= 2 else inf
        return min(self._asked_at, missed) + self._limits.pong_within
