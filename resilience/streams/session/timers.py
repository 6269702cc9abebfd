"""Handles the timers of a socket: the next connection, the next ping, and answers that are overdue."""

from __future__ import annotations

from collections.abc import Hashable
from math import inf

from .code_actions import ACTIONS
from .connection import Connection
from .connection_set import ConnectionSet
from .state import stream_error
from .steps import Step

__all__ = ["tick", "wake_at"]

_MAX_DOUBLINGS = 4  # the time to answer a subscription grows up to 16 times


def tick(socket: ConnectionSet, now: float) -> list[Step]:
    """Do everything that is due."""
    if socket.inactive_state is not None:
        return []
    steps: list[Step] = []
    for connection in list(socket.connections.values()):
        if connection.number not in socket.retiring:
            steps += _check_overdue(socket, connection, now)
    return steps + _retire_due(socket, now) + _open_due(socket, now) + socket.advance(now)


def _retire_due(socket: ConnectionSet, now: float) -> list[Step]:
    """Close the replaced connections whose time is over."""
    due = [number for number, instant in socket.retiring.items() if instant <= now]
    return [step for number in due for step in socket.retire(number, now)]


def _open_due(socket: ConnectionSet, now: float) -> list[Step]:
    """Open the next connection, or one that replaces an old one."""
    if socket.active is None:
        return socket.open_connection(now) if socket.retry_at <= now else []
    is_due = socket.successor is None and socket.renew_at <= now
    return socket.open_connection(now, replacing=True) if is_due else []


def wake_at(socket: ConnectionSet) -> float:
    """Return the instant of the next `tick`; inf if no timer is set."""
    if socket.inactive_state is not None:
        return inf
    active = socket.active
    instants = [socket.retry_at if active is None else inf, *socket.retiring.values()]
    if active is not None and socket.successor is None:
        instants.append(socket.renew_at)
    for connection in socket.connections.values():
        if connection.number not in socket.retiring:
            instants += [_overdue_at(socket, connection), connection.next_frame_at(socket.wanted)]
    # Needed only after a failure: reaching this age restarts the backoff.
    if socket.attempts.count and active is not None and active.live_at is not None:
        instants.append(active.live_at + socket.limits.steady_after)
    return min(instants)


def _check_overdue(socket: ConnectionSet, connection: Connection, now: float) -> list[Step]:
    """Drop a connection that did not open, answer or pong in time; resend subscriptions that were not answered."""
    limits = socket.limits
    if connection.opened_at is None:
        overdue = connection.started_at + limits.open_within <= now
        return socket.drop(connection, stream_error("not_opened"), now) if overdue else []
    if connection.heartbeat.dead_at <= now:
        return socket.drop(connection, stream_error("no_pong"), now)
    if connection.login_at is not None and connection.login_at + limits.answer_within <= now:
        return socket.drop(connection, stream_error("no_answer"), now)
    if _renewal_at(socket, connection) <= now:
        socket.renew_at = min(socket.renew_at, now)
    return _resend_unanswered(socket, connection, now)


def _overdue_at(socket: ConnectionSet, connection: Connection) -> float:
    """Return the earliest instant at which `_check_overdue` has something to do."""
    limits = socket.limits
    if connection.opened_at is None:
        return connection.started_at + limits.open_within
    login = inf if connection.login_at is None else connection.login_at + limits.answer_within
    timeout = _answer_timeout(socket, connection)
    pending = [item.since + timeout for item in connection.subscriptions.by_id.values() if item.state != "live"]
    return min([connection.heartbeat.dead_at, login, _renewal_at(socket, connection), *pending])


def _answer_timeout(socket: ConnectionSet, connection: Connection) -> float:
    """Return the seconds in which a subscription must be answered; they double with each round without an answer."""
    return float(socket.limits.answer_within * 2 ** min(connection.unanswered_rounds, _MAX_DOUBLINGS))


def _renewal_at(socket: ConnectionSet, connection: Connection) -> float:
    """Return the instant at which this connection's age calls for a successor; inf while one is scheduled or open."""
    after = socket.limits.renew_after
    if after is None or connection.opened_at is None or connection is not socket.active:
        return inf
    return connection.opened_at + after if socket.successor is None and socket.renew_at == inf else inf


def _overdue_subscriptions(socket: ConnectionSet, connection: Connection, now: float) -> list[Hashable]:
    """Return the subscriptions that were not answered in time; forget those that were to end."""
    timeout, subscriptions = _answer_timeout(socket, connection), connection.subscriptions
    by_id = subscriptions.by_id
    subscriptions.forget(
        [id_ for id_, item in by_id.items() if item.state == "leaving" and item.since + timeout <= now]
    )
    return [id_ for id_ in subscriptions.unanswered() if by_id[id_].since + timeout <= now]


def _emit_unnamed(socket: ConnectionSet, connection: Connection) -> list[Step]:
    """Emit the errors that name no subscription as they are: which ones they concern can no longer be worked out."""
    unnamed, connection.unnamed_errors = connection.unnamed_errors, []
    return [socket.exception_event(error.failure, ACTIONS["none"].text, **error.details) for error in unnamed]


def _resend_unanswered(socket: ConnectionSet, connection: Connection, now: float) -> list[Step]:
    """Request again what was not answered in time, ever more slowly; drop a connection that answers nothing."""
    subscriptions = connection.subscriptions
    late = _overdue_subscriptions(socket, connection, now)
    if not late:
        return []
    steps = _emit_unnamed(socket, connection)
    connection.unanswered_rounds += 1
    # If others are live the connection works, and one silent subscription must not cost them theirs.
    if connection.unanswered_rounds > 1 and not subscriptions.any_live():
        return steps + socket.drop(connection, stream_error("no_answer"), now)
    subscriptions.renew(late, now)
    if connection.unanswered_rounds > 1:
        return steps  # the first round has emitted it
    arg = socket.wanted.get(late[0]) if len(late) == 1 else None
    failure = socket.attempts.report(stream_error("no_answer"))
    return [*steps, socket.exception_event(failure, "asks for it again", phase="subscribe", arg=arg)]
