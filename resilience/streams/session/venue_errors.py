"""Handles error frames of the venue: performs the action of the code's row, and emits each error exactly once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any

from ..._core.classify.failure import Failure
from ...errors import ApiError
from .code_actions import ACTIONS, ActionKind, CodeAction, choose_action
from .connection import Connection
from .dialect import Message
from .escalation import Escalation, login_pending
from .steps import Resync, Step

__all__ = ["VenueErrors"]

_MIN_HOLD = 1.0  # seconds for which nothing is sent if the backoff says less


@dataclass(slots=True)
class _VenueError:
    """One error frame, classified.

    Attributes:
        connection: the connection that it came on.
        id: the subscription that it concerns, or None.
        named: it says what it concerns: a subscription or a request.
        failure: what its code means.
        action: what is done about it.
        error: the frame as an exception.
        details: further fields of its exception event.
    """

    connection: Connection
    id: Hashable
    named: bool
    failure: Failure
    action: CodeAction
    error: ApiError
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def rejects_one_of_several(self) -> bool:
        """Whether a subscription was rejected, and nothing says which of those that are not answered yet."""
        return (
            self.action.kind is ActionKind.DROP
            and not self.named
            and len(self.connection.subscriptions.unanswered()) > 1
        )

    @property
    def affected(self) -> list[Hashable]:
        """The subscriptions that a new login has to renew: live ones, or all if the error names none."""
        by_id = self.connection.subscriptions.by_id
        return [id_ for id_, item in by_id.items() if self.id is None or item.state == "live"]


def _phase_of(message: Message, connection: Connection) -> str:
    """Return what an error frame that answers no login is about."""
    if message.request is not None:
        return "request"
    return "subscribe" if message.id is not None or connection.subscriptions.unanswered() else "read"


class VenueErrors(Escalation):
    """A socket that handles error frames.

    Attributes:
        removed: subscriptions that were unsubscribed or rejected; late updates of these are ignored.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.removed: set[Hashable] = set()

    def handle_error(
        self, connection: Connection, message: Message, now: float, *, awaited: bool = False
    ) -> list[Step]:
        """Perform the action for an error frame; with `awaited` a caller waits for it and reports the error itself."""
        error = self._classify_frame(connection, message)
        if message.op == "unsubscribe" and message.id is not None:
            connection.subscriptions.forget([message.id])  # the subscription does not exist, which is the goal
            error.action = ACTIONS["none"]
        if error.action.kind not in (ActionKind.RECONNECT, ActionKind.GIVE_UP) and not awaited:
            self.attempts.emit_failure(error.failure, error.error)  # `drop` and `emit_end` emit the other two
        if error.rejects_one_of_several:
            # The acks of the others will show which.
            connection.unnamed_errors.append(error)
            return self.resolve_unnamed(connection)
        return _HANDLERS[error.action.kind](self, error, now)

    def resolve_unnamed(self, connection: Connection) -> list[Step]:
        """Assign the errors without a name to subscriptions once no more than that many are unanswered."""
        unanswered = connection.subscriptions.unanswered()
        if not connection.unnamed_errors or len(unanswered) > len(connection.unnamed_errors):
            return []
        errors, connection.unnamed_errors = connection.unnamed_errors, []
        ids: list[Hashable] = [*unanswered, *[None] * (len(errors) - len(unanswered))]
        steps: list[Step] = []
        for id_, error in zip(ids, errors, strict=True):
            steps += _remove_subscription(self, replace(error, id=id_))
        return steps

    def _classify_frame(self, connection: Connection, message: Message) -> _VenueError:
        error = ApiError(message.code, message.text, {**message.body, "code": message.code})
        failure = self.attempts.classify(error)
        named = message.id is not None or message.request is not None
        login = connection.login_at is not None and not named and message.op in ("", "login")
        chosen = choose_action(self.attempts.action(failure), failure, login=login, subscription=message.id is not None)
        phase = "login" if login else _phase_of(message, connection)
        arg = self.wanted.get(message.id)
        details = {"phase": phase, "message": message.text, "arg": arg, "caused_by": "ApiError"}
        action = self.escalate(connection, chosen, failure, login=login)
        return _VenueError(connection, message.id, named, failure, action, error, details)


def _go_on(socket: VenueErrors, error: _VenueError, _now: float) -> list[Step]:
    return [socket.action_event(error.failure, error.action, **error.details)]


def _hold(socket: VenueErrors, error: _VenueError, now: float) -> list[Step]:
    """Send nothing for a while, then request again what was not answered."""
    connection = error.connection
    connection.holds += 1
    delay = error.failure.retry_after or socket.attempts.max_delay(connection.holds, _MIN_HOLD)
    if error.id is not None:
        connection.subscriptions.forget([error.id])
    # From here on nothing is sent, pings included, because the venue counts them too.
    connection.hold(now, now + delay)
    # The login was rejected like everything else; its time to be answered starts after the pause.
    if connection.login_at is not None:
        connection.login(socket.stamp(), now + delay)
    return [socket.action_event(error.failure, error.action, delay, **error.details)]


def _drop(socket: VenueErrors, error: _VenueError, _now: float) -> list[Step]:
    unanswered = error.connection.subscriptions.unanswered()
    if not error.named and len(unanswered) == 1:
        error.id = unanswered[0]
    return _remove_subscription(socket, error)


def _remove_subscription(socket: VenueErrors, error: _VenueError) -> list[Step]:
    """Remove the rejected subscription and emit which one; emit the error alone if it concerns none."""
    arg = socket.wanted.pop(error.id, None)
    if arg is None:
        dropping = error.action is ACTIONS["drop_subscription"]
        text = ACTIONS["none"].text if dropping else error.action.text
        return [socket.exception_event(error.failure, text, action=error.action.name, **error.details)]
    socket.removed.add(error.id)
    error.connection.subscriptions.forget([error.id])
    details = {**error.details, "arg": arg, "phase": "subscribe"}
    return [socket.action_event(error.failure, ACTIONS["drop_subscription"], **details)]


def _relogin(socket: VenueErrors, error: _VenueError, now: float) -> list[Step]:
    """Log in again and request again what was rejected or may be gone; nothing changes while a login is outstanding."""
    connection = error.connection
    subscriptions = connection.subscriptions
    if error.id is not None:
        subscriptions.forget([error.id])
    if not login_pending(connection, error.action):
        # If the venue closes the connection instead of accepting the login, the cause was emitted already.
        connection.end_reported = True
        if not error.action.once:
            subscriptions.renew(error.affected, now)
        connection.login(socket.stamp(), now)
    return [socket.action_event(error.failure, error.action, **error.details)]


def _resync(socket: VenueErrors, error: _VenueError, now: float) -> list[Step]:
    connection = error.connection
    if not socket.private:
        error.action = ACTIONS["none"]
        return _go_on(socket, error, now)
    connection.end_reported, connection.ready, connection.login_at = True, False, now
    return [socket.action_event(error.failure, error.action, **error.details), Resync(connection.number)]


def _reconnect(socket: VenueErrors, error: _VenueError, now: float) -> list[Step]:
    error.connection.end_reported = False
    return socket.drop(error.connection, error.error, now, error.failure, error.details, error.action)


def _replace(socket: VenueErrors, error: _VenueError, now: float) -> list[Step]:
    if error.connection is socket.active and socket.successor is None:
        socket.renew_at = min(socket.renew_at, now)
    return [socket.action_event(error.failure, error.action, **error.details)]


def _give_up(socket: VenueErrors, error: _VenueError, _now: float) -> list[Step]:
    socket.attempts.emit_end(error.failure, error.error)
    return socket.give_up(error.failure, error.details)


_HANDLERS: dict[ActionKind, Callable[[VenueErrors, _VenueError, float], list[Step]]] = {
    ActionKind.NOTHING: _go_on,
    ActionKind.HOLD: _hold,
    ActionKind.DROP: _drop,
    ActionKind.RELOGIN: _relogin,
    ActionKind.RESYNC: _resync,
    ActionKind.RECONNECT: _reconnect,
    ActionKind.REPLACE: _replace,
    ActionKind.GIVE_UP: _give_up,
}
