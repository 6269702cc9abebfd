"""Builds one socket of a client: a session that decides, and a supervisor that runs it under the policy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from .._core.call.operation_info import OperationInfo
from .._core.policy.stream_limits import StreamSettings
from .._core.stages.rate_window import RateWindow
from .._pipeline.pipeline import Pipeline
from .dispatcher import Dispatcher
from .io.supervisor import Supervisor
from .session.connect_attempts import ConnectAttempts
from .session.session import Session
from .venue import StreamVenue

__all__ = ["build_supervisor", "host_of"]


def host_of(venue: StreamVenue, name: str) -> str:
    """Return the host of a venue's socket, by the socket's name."""
    return urlsplit(venue.urls[name]).netloc


def build_supervisor(
    name: str,
    venue: StreamVenue,
    pipeline: Pipeline,
    limits: StreamSettings,
    connect_window: RateWindow,
    dispatcher: Dispatcher,
    *,
    on_bug: Callable[[BaseException], None],
    on_end: Callable[[], None],
) -> Supervisor:
    """Return the supervisor of one of a venue's sockets.

    Args:
        name: the socket's name.
        venue: the venue.
        pipeline: the policy of its connection attempts.
        limits: the venue's limits.
        connect_window: the window of new connections to that host.
        dispatcher: takes the events.
        on_bug: called with an error that is a bug.
        on_end: called when the socket has ended.
    """
    connect = partial(venue.connect, venue.urls[name])
    # The operation reads, so that a policy retries it without a key, and its errors are those of a connection attempt.
    info = OperationInfo(
        operation=f"stream_{name}",
        socket=name,
        read=True,
        registry=venue.registry,
        host=host_of(venue, name),
        account=venue.account,
    )
    session = Session(
        name,
        venue.dialect,
        limits,
        ConnectAttempts(partial(pipeline.plan, connect, info)),
        connect_window,
        private=name in venue.private,
        clock=pipeline.clock,
        stamp=venue.stamp,
        cannot_resync="" if venue.resync is not None else venue.cannot_resync,
    )
    return Supervisor(
        session,
        connect,
        dispatcher,
        pipeline.clock,
        resync=venue.resync,
        fetch=venue.fetch,
        prime=venue.prime,
        on_bug=on_bug,
        on_end=on_end,
    )
