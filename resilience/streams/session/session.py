"""Decides what one socket of a stream does, from the first connection to the end.

Sans-IO: each method reports what happened at an instant and returns the steps to perform; `wake_at` returns when to
call `tick` next. No received frame makes it raise.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any

from ..._core.policy.codes import Category
from . import timers
from .connection import Connection
from .dialect import Arg, Message, MessageKind
from .request import SocketRequest
from .state import State, stream_error
from .steps import Close, DeliverAnswer, Emit, Step, only_update
from .stream_failure import StreamFailure, stream_failure
from .update_filter import UpdateFilter

__all__ = ["Session", "State"]

_MIN_FETCH_DELAY = 1.0  # seconds between two fetches of missed updates, at least


class Session(UpdateFilter):
    """The decisions about one socket. Belongs to one event loop."""

    # --- the user's commands --------------------------------------------------------------------------

    def start(self, now: float) -> list[Step]:
        """Start connecting; a session that has ended starts again."""
        # Already running.
        if self.inactive_state is None:
            return []
        self.inactive_state, self.retry_at = None, now
        self.forget_errors()
        return self.tick(now)

    def stop(self) -> list[Step]:
        """Close every connection and end the session."""
        if self.inactive_state in (State.CLOSED, State.GIVEN_UP):
            return []
        return [*self.end(State.CLOSED), self.notice_event("close")]

    def subscribe(self, args: Mapping[Hashable, Arg], now: float) -> list[Step]:
        """Add wanted subscriptions, by id; those that are wanted already stay unchanged."""
        for id_, arg in args.items():
            self.wanted.setdefault(id_, arg)
            self.removed.discard(id_)
        return self.advance(now)

    def unsubscribe(self, ids: list[Hashable], now: float) -> list[Step]:
        """Remove wanted subscriptions."""
        for id_ in ids:
            if self.wanted.pop(id_, None) is not None:
                self.removed.add(id_)
        return self.advance(now)

    def send_request(self, request: SocketRequest, now: float) -> list[Step] | None:
        """Queue a request; return None if the socket is not logged in."""
        connection = self.active
        if connection is None or not connection.ready:
            return None
        connection.enqueue(request)
        return self.advance(now)

    def _connection_of(self, request: SocketRequest) -> Connection | None:
        return next((item for item in self.connections.values() if item.requests.get(request.id) is request), None)

    def withdraw(self, request: SocketRequest, now: float) -> list[Step]:
        """Remove a request whose caller was cancelled; cut its connection if the request was sent."""
        connection = self._connection_of(request)
        if connection is None:
            return []
        del connection.requests[request.id]
        if not request.sent:
            return []
        steps = self.drop(connection, stream_error("no_answer"), now, details={"phase": "request"})
        steps += self.advance(now)
        # A hard close discards what is still in the system's buffers, so the request cannot arrive later.
        return [replace(step, hard=True) if isinstance(step, Close) else step for step in steps]

    # --- what happened --------------------------------------------------------------------------------

    def tick(self, now: float) -> list[Step]:
        """Do everything that is due."""
        return timers.tick(self, now)

    def wake_at(self) -> float:
        """Return the instant of the next `tick`; inf if no timer is set."""
        return timers.wake_at(self)

    def connection_lost(self, number: int, error: Any, now: float) -> list[Step]:
        """Handle a connection that ended or could not be opened."""
        connection = self.connections.get(number)
        return [] if connection is None else self.drop(connection, error, now) + self.advance(now)

    def pause_reader(self, number: int, paused: bool, now: float) -> None:
        """Record that the reader of a connection stops for a slow consumer, or continues."""
        if number in self.connections:
            self.connections[number].heartbeat.pause(paused, now)

    def clock_measured(self, number: int, now: float) -> list[Step]:
        """Log in after the venue's clock was measured, or could not be measured."""
        connection = self.connections.get(number)
        if connection is None:
            return []
        connection.login(self.stamp(), now)
        return self.advance(now)

    def frame_received(self, number: int, text: str | bytes, now: float) -> list[Step]:
        """Handle a received frame."""
        connection = self.connections.get(number)
        if connection is None:
            return []
        connection.heartbeat.record_frame(now)
        try:
            message = self.dialect.read(text)
        except Exception as error:  # a dialect may raise anything on a malformed frame; none may end the reader
            failure = self.attempts.report(stream_error("malformed_frame"))
            details: dict[str, Any] = {"phase": "read", "caused_by": type(error).__name__, "error": error}
            return [self.exception_event(failure, "drops the frame and continues", **details)]
        request = connection.requests.pop(message.request, None) if message.request is not None else None
        if request is not None:
            return self._answer(request, connection, message, now)
        steps = _HANDLERS[message.kind](self, connection, message, now)
        if message.kind is MessageKind.DATA and (not steps or only_update(steps) is not None):
            # The hot path: an update on a live connection changes no timer.
            return steps if connection.live_at is not None else steps + self.advance(now)
        return steps + self.tick(now)

    def _answer(self, request: SocketRequest, connection: Connection, message: Message, now: float) -> list[Step]:
        """Answer a request, and perform the action of an error's code.

        The caller gets the error, so it becomes an exception event only if it also ends the connection.
        """
        is_error = message.kind is MessageKind.ERROR
        steps = self.handle_error(connection, message, now, awaited=True) if is_error else []
        # The connection was kept, so the error concerns this caller only.
        if connection.number in self.connections:
            steps = [step for step in steps if not (isinstance(step, Emit) and step.event == "exception")]
        return [DeliverAnswer(request, message), *steps, *self.tick(now)]

    # --- handlers by kind of message ------------------------------------------------------------------

    def _on_pong(self, connection: Connection, _message: Message, _now: float) -> list[Step]:
        connection.heartbeat.record_pong()
        return []

    def _on_other(self, _connection: Connection, message: Message, _now: float) -> list[Step]:
        return [Emit("response", message.body, message.request)]

    def _on_login(self, connection: Connection, message: Message, _now: float) -> list[Step]:
        connection.ready, connection.login_at, connection.end_reported = True, None, False
        self.count_login()
        return [Emit("response", message.body), self.notice_event("authenticated", connection.number)]

    def _on_ack(self, connection: Connection, message: Message, _now: float) -> list[Step]:
        subscription = connection.subscriptions.by_id.get(message.id)
        if subscription is not None and message.op == "unsubscribe":
            if subscription.state == "leaving":
                connection.subscriptions.forget([message.id])
                if message.id not in self.wanted:
                    connection.books.forget(message.id)
        elif subscription is not None and subscription.state == "requested":
            subscription.state = "live"
        return [Emit("response", message.body), *self.resolve_unnamed(connection)]

    def fetch_failed(self, error: BaseException, attempt: int) -> StreamFailure:
        """Classify a failed fetch of missed updates; `wait_for` is the seconds until the next try, None for no more."""
        failure = self.attempts.classify(error)
        retryable = failure.category is Category.RETRYABLE
        delay = (
            max(self.attempts.max_delay(attempt, _MIN_FETCH_DELAY), failure.retry_after or 0.0) if retryable else None
        )
        text = f"asks again in {delay:.3g} s" if delay is not None else "continues without the missed updates"
        details = {"phase": "fetch_missed", "socket": self.name, "caused_by": type(error).__name__, "error": error}
        return stream_failure(failure, wait_for=delay, action_text=text, **details)

    def resync_failed(self, error: BaseException) -> StreamFailure:
        """Classify a failed measurement of the venue's clock."""
        details = {"phase": "login", "socket": self.name, "caused_by": type(error).__name__, "error": error}
        text = "logs in with the venue's time as it is known so far"
        return stream_failure(self.attempts.classify(error), action_text=text, **details)


_HANDLERS: dict[MessageKind, Callable[[Session, Connection, Message, float], list[Step]]] = {
    MessageKind.DATA: Session.on_update,
    MessageKind.ACK: Session._on_ack,
    MessageKind.LOGIN: Session._on_login,
    MessageKind.PONG: Session._on_pong,
    MessageKind.ERROR: Session.handle_error,
    MessageKind.TRADE: Session._on_other,
    MessageKind.OTHER: Session._on_other,
}
