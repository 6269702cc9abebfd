"""Defines the record with all that a stream client must know of a venue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .io.wire import FrameSocket
from .session.dialect import Arg, Dialect
from .session.stream_failure import Gap

__all__ = ["StreamVenue"]


@dataclass(frozen=True, kw_only=True)
class StreamVenue:
    """All that a stream client must know of a venue.

    Attributes:
        dialect: the protocol of its sockets.
        urls: the URLs of its sockets by name, such as `public` and `private`.
        route: returns the name of the socket that a subscription belongs to.
        private: names of the sockets that log in.
        connect: opens a connection to a URL.
        registry: name of the code table of its sockets.
        account: a name of the account that reveals nothing.
        stamp: returns the venue's Unix time in seconds; None uses the policies' clock.
        resync: measures the venue's clock.
        cannot_resync: why there is no `resync`, for the user: what to pass so that there is one.
        fetch: fetches what was missed during a gap, as updates; None fetches nothing.
        prime: loads the current state of subscriptions when a private socket is live for the first time.
    """

    dialect: Dialect
    urls: Mapping[str, str]
    route: Callable[[Arg], str]
    connect: Callable[[str], Awaitable[FrameSocket]]
    private: frozenset[str] = field(default_factory=frozenset)
    registry: str | None = None
    account: str | None = None
    stamp: Callable[[], float] | None = None
    resync: Callable[[], Awaitable[Any]] | None = None
    cannot_resync: str = "this venue has no way to do it"
    fetch: Callable[[Gap], Awaitable[Iterable[Any]]] | None = None
    prime: Callable[[Sequence[Arg]], Awaitable[Iterable[Any]]] | None = None
