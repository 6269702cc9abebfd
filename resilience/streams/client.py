"""A client of one venue's streams: sockets opened as they are needed, under one policy, with one set of handlers.

What a venue brings is a `Venue`. Nothing is ever thrown out of the client's tasks: what goes wrong is an
`exception` event with a `StreamFailure`. What the user does wrong is raised at once, where it was done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from typing import Any, Self

from .._core.policy.policy import Policy
from .._core.policy.stream_limits import StreamSettings
from .._entry.configured import configured_policies
from .._entry.policies import Policies
from ..telemetry.structlog import StructlogListener
from .assembly import assembled, host_of
from .blocking import BlockingStream
from .buffer import Counts
from .connection_windows import window_of
from .dispatcher import Handler, Hub, Updates
from .io.await_answer import answer_to
from .io.supervisor import Supervisor
from .session.dialect import Arg, Message
from .session.request import ClosedClientError
from .session.session import State
from .session.stream_failure import StreamFailure, failed
from .venue import Venue

__all__ = ["StreamClient"]


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
        limits: StreamSettings | None = None,
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
        policies = policies or configured_policies()
        settings = policies.policy(policy) if isinstance(policy, str) else policy
        self.limits = (limits or settings.stream or StreamSettings()).scaled(pace)
        self._venue, self._clock = venue, policies.clock
        self._policies, self._pipeline = policies, policies.pipeline(policy)
        self._connects = partial(window_of, policies, self.limits.connects)
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
            RuntimeError: its socket has given up, or the client is closed.
        """
        if self._closed:
            raise RuntimeError("the client is closed: make a new one")
        wanted: dict[str, dict[Hashable, Arg]] = {}
        for arg in self._checked(args):
            wanted.setdefault(self._venue.route(arg), {})[self._venue.dialect.id(arg)] = arg
        for name in wanted:
            if self._supervisor(name).session.over is State.GIVEN_UP:
                raise RuntimeError(f"the {name} socket has given up: put right what its exception said, then `restart`")
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

    def restart(self) -> None:
        """Begin anew with the sockets that gave up, once what their exception said is put right."""
        for one in self._supervisors.values():
            if one.session.over is State.GIVEN_UP:
                one.start()

    async def ready(self) -> None:
        """Wait until everything wanted is live, or its socket has ended; there is no time limit of its own."""
        self.start()
        waiting = [one for one in self._supervisors.values() if not _settled(one)]
        for one in waiting:
            while not _settled(one):
                await one.changed()

    async def request(self, socket: str, request_id: str, text: str, leaving: Callable[[], None]) -> Message:
        """Send a request on one of the sockets, once it is logged in, and return the answer that has this id.

        Waiting has no limit of its own. A call that is cut after the request has left closes the connection, so
        that nothing of it arrives later; `leaving` is called just before it leaves, and once more then.

        Raises:
            NotSentError: the socket has ended, or the client is closed; nothing was sent.
            ConnectionResetError: the connection ended before the answer came.
        """
        if self._closed:
            raise ClosedClientError("the client is closed: make a new one")
        supervisor = self._supervisor(socket)
        self.start()
        return await answer_to(supervisor, self._clock, request_id, text, leaving)

    async def close(self, *, patience: float = 5.0) -> None:
        """End it: sockets are closed, loops end, handlers get what waits for them, for `patience` seconds at most."""
        self._closed = True
        for one in self._supervisors.values():
            await one.stop()
        self._hub.close()
        calling = self._calling
        if calling is not None and calling is not asyncio.current_task():
            _, late = await asyncio.wait([calling], timeout=patience)
            if late:
                calling.cancel()
                await asyncio.wait(late)

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
            found = self._supervisors[name] = assembled(
                name,
                self._venue,
                self._pipeline,
                self.limits,
                self._connects(host_of(self._venue, name)),
                self._hub,
                broke=partial(self._broken, name),
                over=self._ended,
            )
        return found

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
