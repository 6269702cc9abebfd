"""Decides whether a connection is alive: when to ping, and when silence means that the connection is dead."""

from __future__ import annotations

from math import inf

from ..._core.policy.stream_limits import StreamSettings

__all__ = ["Heartbeat"]


class Heartbeat:
    """The heartbeat of one connection. Times are monotonic seconds.

    Any received frame proves that the connection is alive, so a quiet market whose pongs arrive is not stale. Two
    pings without a pong mean a dead connection even if updates arrive: the venue does not see our pings and will
    disconnect us.

    Attributes:
        last_frame_at: when the last frame was received.
        paused: the reader waits for a slow consumer, so silence proves nothing.
    """

    def __init__(self, limits: StreamSettings, now: float) -> None:
        self._limits = limits
        self.last_frame_at = now
        self.paused = False
        self._last_ping_at = now
        self._waiting_since = inf  # the first ping after the last frame; inf while none is out
        self._unanswered = 0

    def record_frame(self, now: float) -> None:
        """Record that a frame was received."""
        self.last_frame_at = now
        self._waiting_since = inf

    def record_pong(self) -> None:
        """Record that a pong was received."""
        self._unanswered = 0

    def record_ping(self, now: float) -> None:
        """Record that a ping was sent."""
        self._last_ping_at = now
        self._waiting_since = min(self._waiting_since, now)
        self._unanswered += 1

    def pause(self, paused: bool, now: float) -> None:
        """Record that the reader stops for a slow consumer, or continues."""
        self.paused = paused
        if not paused:
            # Pongs received meanwhile are still in the buffers, so the count starts again.
            self.record_frame(now)
            self._unanswered = 0

    @property
    def stale(self) -> bool:
        """True if a ping was sent and no frame has been received since."""
        return self._waiting_since != inf

    @property
    def ping_at(self) -> float:
        """The instant of the next ping: the regular one, or an early one after a long silence."""
        early = inf if self.stale else self.last_frame_at + self._limits.stale_after
        return min(self._last_ping_at + self._limits.ping, early)

    @property
    def dead_at(self) -> float:
        """The instant from which the connection counts as dead if no frame is received before."""
        if self.paused:
            return inf
        second_ping_at = self._last_ping_at if self._unanswered >= 2 else inf
        return min(self._waiting_since, second_ping_at) + self._limits.pong_within
