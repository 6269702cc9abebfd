"""A client of one venue's streams: sockets opened as they are needed, under one policy, with one set of handlers.

What a venue brings is a `Venue`. Nothing is ever thrown out of the client's tasks: what goes wrong is an
`exception` event with a `StreamFailure`. What the user does wrong is raised at once, where it was done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self
from urllib.parse import urlsplit

from .._core.plan import Binding
from .._core.policy import Policy
from .._core.stream import Limits
from .._policies import Policies, current
from ..telemetry.structlog import StructlogListener
from .attempts import Attempts
from .blocking import BlockingStream
from .buffer import Counts
from .dialect import Arg, Dialect
from .failure import Gap, StreamFailure, failed
from .hub import Handler, Hub, Updates
from .link import gauge_of
from .session import Session, State
from .supervisor import Connection, Supervisor

__all__ = ["StreamClient", "Venue"]


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


class StreamClient:
    """A client of one venue's streams. Belongs to one event loop; `blocking()` gives one for programs without.

    Attributes:
        limits: the limits that it keeps.
    """

    def __init__(
        self,
        venue: Venue,
        *,
        policy: str | Policy = "default",
        policies: Policies | None = None,
        limits: Limits | None = None,
        pace: float = 1.0,
    ) -> None:
        """Set the client up; nothing is connected yet.

        Args:
            venue: what it talks to.
            policy: name of a policy, or a policy.
            policies: where the name is looked up; the configured ones by default.
            limits: the venue's limits; the policy's `stream` section by default.
            pace: seconds of the venue that pass in one of ours; other than 1 for a sandbox alone.
        """
        policies = policies or current()
        settings = policies.policy(policy) if isinstance(policy, str) else policy
        self.limits = (limits or settings.stream or Limits()).scaled(pace)
        self._venue, self._clock = venue, policies.clock
        self._pipeline = policies.pipeline(policy)
        self._connects = gauge_of(self.limits.connects)
        self._hub = Hub(self.limits.queue, self.limits.overflow, self._raised)
        self._logged: set[str] = set()
        self._supervisors: dict[str, Supervisor] = {}
        self._calling: asyncio.Task[None] | None = None
        self._closed = False

    # --- what the user does ---------------------------------------------------------------------------

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Have a handler, plain or async, called with each event of this name; the function returned ends that.

        Raises:
            ValueError: there is no such event.
            TypeError: the handler cannot be called.
        """
        return self._hub.on(event, handler)

    def subscribe(self, *args: Arg) -> None:
        """Want these subscriptions, now and after every reconnect; one that is wanted already stays as it is.

        Raises:
            TypeError, ValueError: an argument is no subscription of this venue; nothing is subscribed.
        """
        wanted: dict[str, dict[Hashable, Arg]] = {}
        for arg in self._checked(args):
            wanted.setdefault(self._venue.route(arg), {})[self._venue.dialect.id(arg)] = arg
        for name, asked in wanted.items():
            one = self._supervisor(name)
            one.do(one.session.subscribe(asked, self._clock.monotonic()))
        self._begin()

    def unsubscribe(self, *args: Arg) -> None:
        """Want these subscriptions no more; errors as for `subscribe`."""
        for arg in self._checked(args):
            one = self._supervisor(self._venue.route(arg))
            one.do(one.session.unsubscribe([self._venue.dialect.id(arg)], self._clock.monotonic()))

    def start(self) -> None:
        """Begin to connect; `async with`, `async for`, and `subscribe` inside a running loop do it by themselves.

        Raises:
            RuntimeError: no event loop is running, or the client is closed.
        """
        if self._closed:
            raise RuntimeError("the client is closed: make a new one")
        loop = asyncio.get_running_loop()
        if self._calling is None:
            self._calling = loop.create_task(self._hub.run())
        for one in self._supervisors.values():
            if one.session.over is State.IDLE:
                one.start()

    async def ready(self) -> None:
        """Wait until everything wanted is live, or its socket has ended; there is no time limit of its own."""
        self.start()
        waiting = [one for one in self._supervisors.values() if not _settled(one)]
        for one in waiting:
            while not _settled(one):
                await one.changed()

    async def close(self) -> None:
        """End it: sockets are closed, handlers get what waits for them, loops end."""
        self._closed = True
        for one in self._supervisors.values():
            await one.stop()
        self._hub.close()
        if self._calling is not None and self._calling is not asyncio.current_task():
            await asyncio.wait([self._calling])

    def blocking(self) -> BlockingStream:
        """Return this client in a thread of its own, for a program without an event loop."""
        return BlockingStream(self)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> Updates:
        self._begin()
        return self._hub.updates()

    def __repr__(self) -> str:
        states = ", ".join(f"{name} {state}" for name, state in self.states.items())
        return f"<{type(self).__name__} {states or 'idle'}>"

    @property
    def states(self) -> dict[str, str]:
        """Where each socket stands, by name."""
        return {name: one.session.state.value for name, one in self._supervisors.items()}

    @property
    def counts(self) -> Counts:
        """What became of the handlers' updates."""
        return self._hub.counts

    # --- inside ---------------------------------------------------------------------------------------

    def _checked(self, args: Iterable[Any]) -> list[Arg]:
        """Return the arguments as this venue wants them."""
        for arg in args:
            if not isinstance(arg, Mapping):
                raise TypeError(f"a subscription is a mapping, not a {type(arg).__name__}: {arg!r}")
        return list(args)

    def _begin(self) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return  # before the loop runs: `start` follows
        if not self._closed:
            self.start()

    def _supervisor(self, name: str) -> Supervisor:
        found = self._supervisors.get(name)
        if found is None:
            found = self._supervisors[name] = self._made(name)
        return found

    def _made(self, name: str) -> Supervisor:
        venue = self._venue
        url = venue.urls[name]
        connect = partial(venue.connect, url)
        binding = Binding(
            operation=f"stream_{name}",
            read=True,
            registry=venue.registry,
            host=urlsplit(url).netloc,
            account=venue.account,
        )
        session = Session(
            name,
            venue.dialect,
            self.limits,
            Attempts(partial(self._pipeline.plan, connect, binding)),
            self._connects,
            private=name in venue.private,
            clock=self._clock,
            stamp=venue.stamp,
        )
        told = partial(self._broken, name)
        return Supervisor(
            session,
            connect,
            self._hub,
            self._clock,
            resync=venue.resync,
            fetch=venue.fetch,
            broke=told,
            over=self._ended,
        )

    def _ended(self) -> None:
        """A socket has ended; with the last one the loops end."""
        if all(one.session.over not in (None, State.IDLE) for one in self._supervisors.values()):
            self._hub.end_loops()

    def _raised(self, event: str, error: BaseException) -> StreamFailure | None:
        """Return what is told of a handler that raised; one that listens to exceptions is logged, once a class."""
        if event != "exception":
            return self._failure(error, during="handler", doing=f"goes on with the next event after `{event}`")
        name = type(error).__name__
        if name not in self._logged:
            self._logged.add(name)
            StructlogListener().raised("exception", error)
        return None

    def _broken(self, name: str, error: BaseException) -> None:
        told = self._failure(error, during="read", doing="goes on", socket=name)
        self._hub.post("exception", told)

    def _failure(self, error: BaseException, **told: Any) -> StreamFailure:
        failure = self._pipeline.classifier.classify(error, registry=self._venue.registry)
        return failed(failure, caused_by=type(error).__name__, **told)


def _settled(one: Supervisor) -> bool:
    return one.session.live or one.session.over not in (None, State.IDLE)
