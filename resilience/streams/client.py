"""Provides the client of one venue's streams: it opens sockets as they are needed, under one policy.

A `StreamVenue` describes the venue. The client's tasks never raise: an error is an `exception` event with a
`StreamFailure`. Wrong use raises immediately, in the call that is wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Self

from .._core.call.context import clean_context
from .._core.policy.policy import Policy
from .._core.policy.stream_limits import StreamSettings
from .._entry.configured import configured_policies
from .._entry.policies import Policies
from .._pipeline.failure_needs import load_tables
from .blocking import BlockingStream
from .buffer import Counts
from .dispatcher import Dispatcher, Handler
from .error_events import ErrorEvents
from .io.await_answer import await_answer
from .mailbox import Updates
from .session.dialect import Arg, Message
from .session.request import ClosedClientError
from .session.session import State
from .supervisor_pool import SupervisorPool
from .venue import StreamVenue

__all__ = ["StreamClient"]

_CLOSED = "the client is closed: make a new one"


class StreamClient:
    """A client of one venue's streams. It belongs to one event loop; `blocking()` serves programs without one.

    Attributes:
        limits: the venue's limits, as the client keeps them.
    """

    def __init__(
        self,
        venue: StreamVenue,
        *,
        policy: str | Policy = "default",
        policies: Policies | None = None,
        limits: StreamSettings | None = None,
        pace: float = 1.0,
    ) -> None:
        """Create the client; nothing is connected yet.

        Args:
            venue: describes the venue.
            policy: name of a policy, or a policy.
            policies: where the name is looked up; the configured policies by default.
            limits: the venue's limits; the policy's `stream` section by default.
            pace: how many seconds of the venue pass per real second; other than 1 only for a sandbox.
        """
        policies = policies or configured_policies()
        settings = policies.policy(policy) if isinstance(policy, str) else policy
        policies.load_needs(settings)
        load_tables(venue.registry)
        self.limits: StreamSettings = (limits or settings.stream or StreamSettings()).scaled(pace)
        self._venue, self._clock = venue, policies.clock
        self._policies, self._pipeline = policies, policies.pipeline(policy)
        self._errors = ErrorEvents(self._pipeline, venue.registry)
        self._dispatcher = Dispatcher(
            self.limits.queue, self.limits.overflow, self._errors.for_handler, self._on_discarded
        )
        self._sockets = SupervisorPool(venue, policies, self._pipeline, self.limits, self._dispatcher, self._report_bug)
        self._handler_task: asyncio.Task[None] | None = None
        self._closed = False
        policies.register_stream(self)

    # --- for the user ---------------------------------------------------------------------------------

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Call a handler, plain or async, with each event of this name; the returned function removes it.

        Raises:
            ValueError: there is no such event.
            TypeError: the handler cannot be called.
        """
        return self._dispatcher.on(event, handler)

    def subscribe(self, *args: Arg) -> None:
        """Subscribe, now and after every reconnect; a subscription that exists already stays unchanged.

        Raises:
            TypeError, ValueError: an argument is not a subscription of this venue; nothing is subscribed.
            RuntimeError: its socket has given up, or the client is closed.
        """
        if self._closed:
            raise RuntimeError(_CLOSED)
        by_socket: dict[str, dict[Hashable, Arg]] = {}
        for arg in self._validate(args):
            by_socket.setdefault(self._venue.route(arg), {})[self._venue.dialect.id(arg)] = arg
        # All sockets are checked before the first subscription changes: the call does everything or nothing.
        for name in by_socket:
            if self._sockets.get(name).session.inactive_state is State.GIVEN_UP:
                raise RuntimeError(f"the {name} socket has given up: fix what its exception said, then call `restart`")
        for name, wanted in by_socket.items():
            supervisor = self._sockets.get(name)
            supervisor.perform(supervisor.session.subscribe(wanted, self._clock.monotonic()))
        self._start_in_loop()

    def unsubscribe(self, *args: Arg) -> None:
        """Remove these subscriptions; errors as for `subscribe`."""
        for arg in self._validate(args):
            supervisor = self._sockets.get(self._venue.route(arg))
            steps = supervisor.session.unsubscribe([self._venue.dialect.id(arg)], self._clock.monotonic())
            supervisor.perform(steps)

    def start(self) -> None:
        """Start connecting. `async with`, `async for`, and `subscribe` inside a running loop call it themselves.

        Raises:
            RuntimeError: no event loop is running, or the client is closed.
        """
        if self._closed:
            raise RuntimeError(_CLOSED)
        loop = asyncio.get_running_loop()
        if self._handler_task is None:
            self._handler_task = loop.create_task(self._dispatcher.run(), context=clean_context())
        self._sockets.start(State.IDLE)

    def restart(self) -> None:
        """Start the sockets that gave up again, after the cause that their exception named is fixed."""
        self._sockets.start(State.GIVEN_UP)

    async def ready(self) -> None:
        """Wait until every subscription is live; there is no time limit. A rejected one is not waited for.

        Raises:
            GaveUpError: a socket has given up, as after a login that was refused for good. `failure_of` returns why.
            ClosedClientError: the client was closed meanwhile.
            RuntimeError: no event loop is running, or the client is closed already.
        """
        self.start()
        await self._sockets.ready()

    async def request(self, socket: str, request_id: str, text: str, on_send: Callable[[], None]) -> Message:
        """Send a request on a socket once it is logged in, and return the answer with the same id.

        There is no time limit. If the call is cancelled after the request was sent, the connection is closed, so
        that the request cannot arrive later.

        Args:
            socket: name of the socket.
            request_id: matches the answer to the request.
            text: the frame.
            on_send: called just before the frame is sent, and again if its connection is cut.

        Raises:
            NotSentError: the socket has ended, or the client is closed; nothing was sent.
            ConnectionResetError: the connection ended before the answer came.
        """
        if self._closed:
            raise ClosedClientError(_CLOSED)
        supervisor = self._sockets.get(socket)
        self.start()
        return await await_answer(supervisor, self._clock, request_id, text, on_send)

    async def close(self, *, patience: float = 5.0) -> None:
        """Close all sockets and end the loops; handlers get what is queued, for at most `patience` seconds."""
        self._closed = True
        # First the sockets, so that their `close` events still reach the handlers.
        await self._sockets.stop()
        self._dispatcher.close()
        task = self._handler_task
        # A handler that closes the client runs inside that task, which cannot wait for itself.
        if task is not None and task is not asyncio.current_task():
            _, late = await asyncio.wait([task], timeout=patience)
            if late:
                task.cancel()
                await asyncio.wait(late)

    def blocking(self) -> BlockingStream:
        """Return this client in its own thread, for a program without an event loop."""
        return BlockingStream(self)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> Updates:
        self._start_in_loop()
        return self._dispatcher.updates()

    def __repr__(self) -> str:
        states = ", ".join(f"{name} {state}" for name, state in self.states.items())
        return f"<{type(self).__name__} {states or 'idle'}>"

    @property
    def states(self) -> dict[str, str]:
        """The state of each socket, by name."""
        return self._sockets.states

    @property
    def counts(self) -> Counts:
        """Counts of the handlers' updates."""
        return self._dispatcher.counts

    def describe(self) -> list[dict[str, Any]]:
        """Return the state of each socket, as plain data; `dropped` counts the updates of the whole client."""
        return [{**row, "dropped": self.counts.dropped} for row in self._sockets.describe()]

    # --- inside ---------------------------------------------------------------------------------------

    def _validate(self, args: Iterable[Any]) -> list[Arg]:
        """Return the arguments in the venue's notation."""
        for arg in args:
            if not isinstance(arg, Mapping):
                raise TypeError(f"a subscription is a mapping, not a {type(arg).__name__}: {arg!r}")
        return list(args)

    def _start_in_loop(self) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return  # no loop is running yet: `start` is called later
        if not self._closed:
            self.start()

    def _on_discarded(self, id_: Hashable) -> None:
        """Subscribe anew to a book of which a full queue has discarded an update."""
        # Later: the event of that would reach the queue while the queue changes.
        asyncio.get_running_loop().call_soon(self._sockets.discarded, id_)

    def _report_bug(self, name: str, error: BaseException) -> None:
        self._dispatcher.post("exception", self._errors.for_bug(name, error))
