"""Holds the state of one socket and builds its events; the base of `connection_set.py` and `session.py`."""

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
from .code_actions import CodeAction
from .connect_attempts import ConnectAttempts
from .connection import Connection
from .dialect import Dialect
from .duplicate_filter import DuplicateFilter, SequenceNumbers
from .steps import Emit
from .stream_failure import Notice, stream_failure
from .subscriptions import Wanted

__all__ = ["State", "StreamState", "stream_error"]


class State(Enum):
    """The state of a socket."""

    IDLE = "idle"
    CONNECTING = "connecting"
    AUTHENTICATING = "authenticating"
    SUBSCRIBING = "subscribing"
    LIVE = "live"
    STALE = "stale"
    WAITING = "waiting"
    GIVEN_UP = "given up"
    CLOSED = "closed"


class StreamState:
    """The connections, subscriptions and timers of one socket. Belongs to one event loop. Times are monotonic seconds.

    Attributes:
        name: name of the socket, such as `public`.
        private: it logs in, and reports gaps.
        wanted: the subscriptions that the user wants, by id.
        inactive_state: idle, closed or given up; None while the session runs.
        connections: the connections by number.
        active: the connection whose state counts.
        successor: the connection that will replace the active one.
        retiring: replaced connections by number, with the instant at which each is closed.
        retry_at: when to open the next connection; inf while there is one.
        renew_at: when to open a successor; inf while none is needed.
        duplicate_filter: drops duplicate updates while two connections deliver them, else None.
        sequence: checks the numbers of numbered updates.
    """

    def __init__(
        self,
        name: str,
        dialect: Dialect,
        limits: StreamSettings,
        attempts: ConnectAttempts,
        connect_window: RateWindow,
        *,
        private: bool,
        clock: Clock,
        stamp: Callable[[], float] | None = None,
        cannot_resync: str = "",
    ) -> None:
        """Create an idle session.

        Args:
            name: name of the socket.
            dialect: the venue's protocol.
            limits: the venue's limits.
            attempts: the policy's backoff, budget and breaker.
            connect_window: the window of new connections, shared by all clients of one host.
            private: the socket logs in, and reports gaps.
            clock: monotonic and Unix time; nothing here waits.
            stamp: returns the venue's Unix time in seconds; the clock's own time by default.
            cannot_resync: why the venue's clock cannot be measured, for the user; empty if it can.
        """
        self.name, self.private, self.wanted = name, private, Wanted()
        self.inactive_state: State | None = State.IDLE
        self.dialect, self.limits, self.attempts, self.connect_window = dialect, limits, attempts, connect_window
        self.clock, self.stamp, self.cannot_resync = clock, stamp or clock.time, cannot_resync
        self.numbers = count(1)
        self.connections: dict[int, Connection] = {}
        self.active: Connection | None = None
        self.successor: Connection | None = None
        self.retiring: dict[int, float] = {}
        self.retry_at = self.renew_at = inf
        self.duplicate_filter: DuplicateFilter | None = None
        self.sequence = SequenceNumbers()

    @property
    def state(self) -> State:
        """The state of the socket."""
        connection = self.active
        if self.inactive_state is not None:
            return self.inactive_state
        if connection is None:
            return State.WAITING
        if connection.opened_at is None:
            return State.CONNECTING
        if not connection.ready:
            return State.AUTHENTICATING
        if connection.heartbeat.stale:
            return State.STALE
        return State.LIVE if connection.is_live(self.wanted) else State.SUBSCRIBING

    @property
    def live(self) -> bool:
        """True if everything wanted is live."""
        return self.active is not None and self.active.is_live(self.wanted)

    def unix_time(self, instant: float) -> float:
        """Return the Unix time of a monotonic instant."""
        # Both clocks are read now: an instant of the past may be from before a step of the wall clock.
        return self.clock.time() - (self.clock.monotonic() - instant)

    def notice_event(self, event: str, number: int = 0, delay: float | None = None) -> Emit:
        """Return the step that emits a change of the socket's state."""
        return Emit(event, Notice(event, self.name, number, self.clock.time(), delay))

    def exception_event(self, failure: Failure, text: str, delay: float | None = None, **details: Any) -> Emit:
        """Return the step that emits a failure.

        Args:
            failure: what happened.
            text: what the client does about it; `{delay}` in it is in seconds.
            delay: seconds until it does it, or None.
            details: further fields; without `action` it is the one in the code table.
        """
        # `text` is ours and never contains the venue's message, so `format` is safe.
        details = {"action": self.attempts.action(failure), **details}
        details |= {"action_text": text.format(delay=delay or 0.0), "socket": self.name, "wait_for": delay}
        return Emit("exception", replace(stream_failure(failure, **details), attempts=max(1, self.attempts.count)))

    def action_event(self, failure: Failure, action: CodeAction, delay: float | None = None, **details: Any) -> Emit:
        """Return the step that emits a failure about which the client takes this action."""
        return self.exception_event(failure, action.text, delay, **{**details, "action": action.name})


def stream_error(code: str, body: Mapping[str, Any] | None = None) -> ApiError:
    """Return the error for a code of the `streams` code table."""
    return ApiError(code, "", {"code": code, **(body or {})})
