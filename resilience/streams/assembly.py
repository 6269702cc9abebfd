"""One socket of a client, put together: the policy's parts, a session that decides, a supervisor that waits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from .._core.call.operation_info import OperationInfo
from .._core.policy.stream_limits import StreamSettings
from .._core.stages.rate_window import RateWindow
from .._pipeline.pipeline import Pipeline
from .dispatcher import Hub
from .io.supervisor import Supervisor
from .session.connect_attempts import Attempts
from .session.session import Session
from .venue import Venue

__all__ = ["assembled", "host_of"]


def host_of(venue: Venue, name: str) -> str:
    """Return the host of one of a venue's sockets, by the socket's name."""
    return urlsplit(venue.urls[name]).netloc


def assembled(
    name: str,
    venue: Venue,
    pipeline: Pipeline,
    limits: StreamSettings,
    connects: RateWindow,
    hub: Hub,
    *,
    broke: Callable[[BaseException], None],
    over: Callable[[], None],
) -> Supervisor:
    """Return the supervisor of one of a venue's sockets.

    Args:
        name: the socket's name.
        venue: whose it is.
        pipeline: the policy that its connects are under.
        limits: the venue's limits.
        connects: the window of new connections to that host.
        hub: takes the events.
        broke: is told of an error that is a bug.
        over: is told when the socket has ended.
    """
    connect = partial(venue.connect, venue.urls[name])
    info = OperationInfo(
        operation=f"stream_{name}",
        read=True,
        registry=venue.registry,
        host=host_of(venue, name),
        account=venue.account,
    )
    session = Session(
        name,
        venue.dialect,
        limits,
        Attempts(partial(pipeline.plan, connect, info)),
        connects,
        private=name in venue.private,
        clock=pipeline.clock,
        stamp=venue.stamp,
    )
    return Supervisor(
        session,
        connect,
        hub,
        pipeline.clock,
        resync=venue.resync,
        fetch=venue.fetch,
        prime=venue.prime,
        broke=broke,
        over=over,
    )
