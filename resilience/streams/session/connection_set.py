"""Manages the connections of one socket: opens, closes, reconnects, and replaces a connection without a gap.

Sans-IO: every input comes with its instant, and the steps to perform are returned. Guarantees: one connection is
active. A successor takes over once everything wanted is live on it, or earlier if the active connection is lost. An
update that both deliver in between is emitted once.
"""

from __future__ import annotations

from math import inf
from typing import Any

from ..._core.call.attempt_end import counts_as_failure
from ..._core.call.failure_report import caused_by
from ..._core.classify.failure import Failure
from ..._core.policy.codes import Category
from .code_actions import ACTIONS, ActionKind, CodeAction
from .connection import Connection
from .duplicate_filter import DuplicateFilter
from .state import State, StreamState
from .steps import Close, Emit, Fetch, Open, Prime, Step
from .stream_failure import Gap, StreamFailure

__all__ = ["ConnectionSet"]

_POLL_INTERVAL = 0.1  # seconds until a half-open breaker without a free permit is checked again
_RECONNECTS = ACTIONS["reconnect_relogin_resubscribe"]
_KEEPS_OLD = CodeAction(ActionKind.REPLACE, "keeps the old connection and tries again in {delay:.3g} s")


class ConnectionSet(StreamState):
    """The connections of one socket."""

    give_up_reason: StreamFailure | None = None
    """Why the socket has given up, or None."""
    _lost_at: float | None = None  # Unix time since which updates may be missed
    _overlap_until = -inf
    _was_open = _prime_requested = False
    times_opened = 0
    """How many connections have opened, one after the other."""
    _outage: Failure | None = None  # the failure that began the present outage

    def open_connection(self, now: float, *, replacing: bool = False) -> list[Step]:
        """Open a connection, or schedule the attempt if the breaker or the connect limit does not admit one yet."""
        admitted_at = max(self.connect_window.ready_at(now), self.attempts.ready_at(now))
        # The breaker is checked last: a permit that is not used at once would have to be returned.
        admitted, permit = self.attempts.begin(now) if admitted_at <= now else (False, None)
        if not admitted:
            next_try = max(admitted_at, now + _POLL_INTERVAL)
            self.retry_at, self.renew_at = (self.retry_at, next_try) if replacing else (next_try, self.renew_at)
            return []
        self.connect_window.take(now)
        connection = Connection(next(self.numbers), self.dialect, self.limits, now, permit)
        self.connections[connection.number] = connection
        if replacing:
            self.successor, self.renew_at = connection, inf
            self.duplicate_filter = self.duplicate_filter or DuplicateFilter()
        else:
            self.active, self.retry_at = connection, inf
        return [Open(connection.number)]

    def connection_opened(self, number: int, now: float) -> list[Step]:
        """Handle a connection that has opened."""
        connection = self.connections.get(number)
        if connection is None:
            return []
        connection.open(now)
        steps: list[Step] = []
        if connection is self.active:
            # A venue numbers the updates of each connection separately.
            self.sequence.clear()
            steps.append(self.notice_event("reconnected" if self._was_open else "open", number))
            self._was_open = True
            self.times_opened += 1
        if self.private:
            connection.login(self.stamp(), now)
        else:
            connection.ready = True
        return steps + self.advance(now)

    def drop(
        self,
        connection: Connection,
        error: Any,
        now: float,
        failure: Failure | None = None,
        details: dict[str, Any] | None = None,
        action: CodeAction = _RECONNECTS,
    ) -> list[Step]:
        """Close a connection because of an error, and schedule the next; `details` go into the exception event.

        A first attempt that fails for a reason the user must fix (wrong address, bad certificate) ends the stream. Once
        a connection has opened the address is known to be right, so later failures are retried.
        """
        failure = failure or self.attempts.classify(error)
        # The breaker counts failures of the service; a wrong key or clock, or a ban, is ours.
        counts = counts_as_failure(failure)
        steps = self._close(connection, succeeded=False if counts else None, error=error)
        if self.retiring.pop(connection.number, None) is not None:
            return steps
        if connection is self.active:
            self._record_loss(connection)
            if self.successor is not None:
                return steps + self._promote_successor()
        details = {"phase": connection.phase, "caused_by": caused_by(error), "error": _raised(error), **(details or {})}
        hopeless = failure.category is not Category.RETRYABLE and connection.opened_at is None and not self._was_open
        # The limit of new connections counts too: what the event says is when the client connects.
        window = self.connect_window.ready_at(now)
        delay = None if hopeless else self.attempts.record_failure(failure, error, now, window)
        if delay is None:
            self.attempts.emit_end(failure, error)
            return steps + self.give_up(failure, details)
        return steps + self._schedule_next(connection, failure, delay, now, details, action)

    def _record_loss(self, connection: Connection) -> None:
        """Keep the time of the last frame of a live connection: from there on updates may be missing."""
        if connection.live_at is not None and self._lost_at is None:
            self._lost_at = self.unix_time(connection.heartbeat.last_frame_at)

    def _schedule_next(
        self,
        connection: Connection,
        failure: Failure,
        delay: float,
        now: float,
        details: dict[str, Any],
        action: CodeAction,
    ) -> list[Step]:
        """Schedule the connection that takes the place of the lost one."""
        silent = connection.end_reported
        if connection is self.successor:
            self.successor, self.renew_at = None, now + delay
            return [] if silent else [self.action_event(failure, _KEEPS_OLD, delay, **details)]
        self.active, self.renew_at, self.retry_at = None, inf, now + delay
        self._outage = failure
        steps: list[Step] = [] if silent else [self.action_event(failure, action, delay, **details)]
        return [*steps, self.notice_event("reconnect", connection.number, delay)]

    def _promote_successor(self) -> list[Step]:
        """Make the successor active before it is live, because the active connection is lost."""
        self.active, self.successor = self.successor, None
        assert self.active is not None
        return [] if self.active.opened_at is None else [self.notice_event("reconnected", self.active.number)]

    def retire(self, number: int, now: float) -> list[Step]:
        """Close a replaced connection; duplicates of its last updates may still arrive on the new one."""
        self.retiring.pop(number, None)
        self._overlap_until = now + self.limits.linger
        connection = self.connections.get(number)
        return [Close(number)] if connection is None else self._close(connection, succeeded=None)

    def _close(self, connection: Connection, *, succeeded: bool | None, error: object = None) -> list[Step]:
        """Close a connection, settle its attempt and fail its requests.

        If a request was sent and not answered, the connection is cut. Otherwise the request could leave the system's
        buffers minutes later, when its caller already takes it for lost.
        """
        self.connections.pop(connection.number, None)
        # An attempt that became live is settled already.
        if connection.live_at is None:
            self.attempts.settle(connection.permit, connection.started_at, succeeded=succeeded, error=error)
        hard = any(request.sent for request in connection.requests.values())
        return [Close(connection.number, hard), *connection.fail_requests()]

    def give_up(self, failure: Failure, details: dict[str, Any]) -> list[Step]:
        """End the stream: the user must fix something first."""
        steps = self.end(State.GIVEN_UP)
        event = self.action_event(failure, ACTIONS["give_up"], **details)
        self.give_up_reason = event.value
        steps.append(event)
        return [*steps, self.notice_event("close")]

    def end(self, state: State) -> list[Step]:
        """Close every connection and open no more."""
        steps = [step for item in list(self.connections.values()) for step in self._close(item, succeeded=None)]
        self.active = self.successor = self.duplicate_filter = None
        self.retry_at = self.renew_at = inf
        self.retiring.clear()
        self.inactive_state = state
        return steps

    def overlaps(self, now: float) -> bool:
        """Return whether two connections may deliver the same updates."""
        # The new connection may still deliver what the old one delivered before it was closed.
        return self.successor is not None or bool(self.retiring) or now < self._overlap_until

    def advance(self, now: float) -> list[Step]:
        """Send what may be sent now, and detect connections that have become live."""
        steps: list[Step] = []
        for connection in list(self.connections.values()):
            if connection.number not in self.retiring:
                if connection.live_at is None and connection.is_live(self.wanted):
                    steps += self._became_live(connection, now)
                steps += connection.next_frames(self.wanted, now)
        self._end_phases(now)
        return steps

    def _end_phases(self, now: float) -> None:
        """End the filter of duplicates after an overlap, and the backoff once a connection has proved steady."""
        active = self.active
        if not self.overlaps(now):
            self.duplicate_filter = None
        if active is not None and active.live_at is not None and active.live_at + self.limits.steady_after <= now:
            self.attempts.reset()

    def _became_live(self, connection: Connection, now: float) -> list[Step]:
        """Handle a connection on which everything wanted is live for the first time."""
        connection.live_at = now
        self.attempts.settle(connection.permit, connection.started_at, succeeded=True)
        if connection is self.successor:
            return self._switch_over(connection, now)
        if self._outage is not None:
            self.attempts.emit_recovery(self._outage)
            self._outage = None
        since, self._lost_at = self._lost_at, None
        primed, self._prime_requested = self._prime_requested, True
        if not self.private:
            return []  # a public update that was missed is worthless: the next one replaces it
        if since is None:
            return [] if primed else [Prime(tuple(self.wanted.values()))]
        gap = Gap(self.name, since, self.unix_time(now), tuple(self.wanted.values()))
        return [Emit("gap", gap), Fetch(gap)]

    def _switch_over(self, connection: Connection, now: float) -> list[Step]:
        """Make the successor active; the old connection is read for a moment longer."""
        old, self.active, self.successor = self.active, connection, None
        if old is not None:
            self.retiring[old.number] = now + self.limits.linger
        return [self.notice_event("reconnected", connection.number)]


def _raised(error: object) -> BaseException | None:
    """Return an error that was raised; None for one that only stands for a code."""
    return error if isinstance(error, BaseException) and error.__traceback__ is not None else None
