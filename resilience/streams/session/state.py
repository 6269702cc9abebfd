"""What a socket is made of, where it stands, and how it tells: the ground that `lines.py` and `session.py` build on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from itertools import count
from math import inf
from typing import Any

from ..._core.base.clock import Clock
from ..._core.classify.failure import Failure
from ..._core.policy.stream_limits import StreamSettings
from ..._core.stages.rate_window import RateWindow
from ...errors import ApiError
from .connect_attempts import Attempts
from .connection import Link, Wanted
from .dialect import Dialect
from .duplicate_filter import Echo, Sequence
from .steps import Tell
from .stream_failure import Notice, failed

__all__ = ["Standing", "State", "own"]


class State(Enum):
    """Where a socket stands."""

    IDLE = "idle"
    CONNECTING = "connecting"
    AUTHENTICATING = "authenticating"
    SUBSCRIBING = "subscribing"
    LIVE = "live"
    STALE = "stale"
    WAITING = "waiting"
    GIVEN_UP = "given up"
    CLOSED = "closed"


class Standing:
    """One socket's connections, subscriptions and instants. Belongs to one event loop. Times are monotonic seconds.

    Attributes:
        name: which of the client's sockets it is, such as `public`.
        private: it logs in, and tells of gaps.
        wanted: the subscriptions that the user wants, by id.
        over: how it ended, or None; idle before it began.
        links: the connections by number.
        active: the one that counts.
        successor: the one that will take over.
        retiring: those that were taken over from, with the instant at which each is left.
        retry_at: when the next connection is made; inf while there is one.
        renew_at: when a successor is made; inf while none is needed.
        echo: tells second copies of an update while two connections bring them.
        sequence: the numbers of numbered updates.
    """

    def __init__(
        self,
        name: str,
        dialect: Dialect,
        limits: StreamSettings,
        attempts: Attempts,
        connects: RateWindow,
        *,
        private: bool,
        clock: Clock,
        stamp: Callable[[], float] | None = None,
    ) -> None:
        """Begin idle.

        Args:
            name: which of the client's sockets it is.
            dialect: how the venue talks.
            limits: what the venue allows.
            attempts: the policy's backoff, budget and breaker.
            connects: the window of new connections, which all sockets of a client share.
            private: it logs in, and tells of gaps.
            clock: monotonic and Unix time; nothing here waits.
            stamp: the venue's Unix time as well as it is known.
        """
        self.name, self.private, self.wanted = name, private, Wanted()
        self.over: State | None = State.IDLE
        self.dialect, self.limits, self.attempts, self.connects = dialect, limits, attempts, connects
        self.clock, self.stamp = clock, stamp or clock.time
        self.numbers = count(1)
        self.links: dict[int, Link] = {}
        self.active: Link | None = None
        self.successor: Link | None = None
        self.retiring: dict[int, float] = {}
        self.retry_at = self.renew_at = inf
        self.echo: Echo | None = None
        self.sequence = Sequence()

    @property
    def state(self) -> State:
        """Where the socket stands."""
        link = self.active
        if self.over is not None:
            return self.over
        if link is None:
            return State.WAITING
        if link.opened is None:
            return State.CONNECTING
        if not link.ready:
            return State.AUTHENTICATING
        if link.pulse.stale:
            return State.STALE
        return State.LIVE if link.settled(self.wanted) else State.SUBSCRIBING

    @property
    def live(self) -> bool:
        """Tell whether everything wanted is live."""
        return self.active is not None and self.active.settled(self.wanted)

    def unix(self, instant: float) -> float:
        """Return the Unix time of an instant."""
        return self.clock.time() - (self.clock.monotonic() - instant)

    def notice(self, event: str, number: int = 0, delay: float | None = None) -> Tell:
        """Tell something that happened to the socket."""
        return Tell(event, Notice(event, self.name, number, self.clock.time(), delay))

    def exception(self, failure: Failure, words: str, delay: float | None = None, **told: Any) -> Tell:
        """Tell a failure, and in words what the client does; `{delay}` in them is the seconds it waits."""
        doing = words.format(delay=delay or 0.0)
        action = self.attempts.action(failure)
        made = failed(failure, doing=doing, action=action, socket=self.name, wait_for=delay, **told)
        return Tell("exception", replace(made, attempts=max(1, self.attempts.count)))


def own(code: str, body: Mapping[str, Any] | None = None) -> ApiError:
    """Return the error of a code of the `streams` table."""
    return ApiError(code, "", {"code": code, **(body or {})})
