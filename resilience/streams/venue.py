"""What a client of streams must know of a venue, in one record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .io.wire import Connection
from .session.dialect import Arg, Dialect
from .session.stream_failure import Gap

__all__ = ["Venue"]


@dataclass(frozen=True, kw_only=True)
class Venue:
    """What a client must know of a venue.

    Attributes:
        dialect: how its sockets talk.
        urls: its sockets by name, such as `public` and `private`.
        route: tells which socket a subscription belongs to.
        private: the sockets that log in.
        connect: opens a connection to a URL.
        registry: the code table of its sockets.
        account: a name of the account that gives nothing away.
        stamp: its Unix time as well as it is known; None goes by the policies' clock.
        resync: measures its clock.
        fetch: fetches what a gap swallowed, as updates; None fetches nothing.
        prime: learns what there is of subscriptions when a private socket is live for the first time.
    """

    dialect: Dialect
    urls: Mapping[str, str]
    route: Callable[[Arg], str]
    connect: Callable[[str], Awaitable[Connection]]
    private: frozenset[str] = field(default_factory=frozenset)
    registry: str | None = None
    account: str | None = None
    stamp: Callable[[], float] | None = None
    resync: Callable[[], Awaitable[Any]] | None = None
    fetch: Callable[[Gap], Awaitable[Iterable[Any]]] | None = None
    prime: Callable[[Sequence[Arg]], Awaitable[Iterable[Any]]] | None = None
