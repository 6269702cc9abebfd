"""Keeps the sockets of a client: builds each when it is first needed, and starts and stops them together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from .._core.classify.attach import attach_failure
from .._core.policy.stream_limits import StreamSettings
from .._entry.policies import Policies
from .._pipeline.pipeline import Pipeline
from .assembly import build_supervisor, host_of
from .connection_windows import connect_window
from .dispatcher import Dispatcher
from .io.supervisor import Supervisor
from .session.request import ClosedClientError, GaveUpError
from .session.session import Session, State
from .venue import StreamVenue

__all__ = ["SupervisorPool"]


class SupervisorPool:
    """The supervisors of a client's sockets, by name. Belongs to one event loop."""

    def __init__(
        self,
        venue: StreamVenue,
        policies: Policies,
        pipeline: Pipeline,
        limits: StreamSettings,
        dispatcher: Dispatcher,
        on_bug: Callable[[str, BaseException], None],
    ) -> None:
        """Create an empty pool.

        Args:
            venue: the venue.
            policies: their clients share the limit of new connections.
            pipeline: the policy of the connection attempts.
            limits: the venue's limits.
            dispatcher: takes the events.
            on_bug: called with a socket's name and an error that is a bug.
        """
        self._venue, self._policies, self._pipeline, self._limits = venue, policies, pipeline, limits
        self._dispatcher, self._on_bug = dispatcher, on_bug
        self._supervisors: dict[str, Supervisor] = {}

    def get(self, name: str) -> Supervisor:
        """Return the supervisor of a socket."""
        supervisor = self._supervisors.get(name)
        if supervisor is None:
            supervisor = self._supervisors[name] = build_supervisor(
                name,
                self._venue,
                self._pipeline,
                self._limits,
                connect_window(self._policies, self._limits.connects, host_of(self._venue, name)),
                self._dispatcher,
                on_bug=partial(self._on_bug, name),
                on_end=self._on_socket_end,
            )
        return supervisor

    def start(self, state: State) -> None:
        """Start the sockets that are in this inactive state."""
        for supervisor in self._supervisors.values():
            if supervisor.session.inactive_state is state:
                supervisor.start()

    async def ready(self) -> None:
        """Wait until everything wanted is live on each socket.

        Raises:
            GaveUpError: a socket has given up.
            ClosedClientError: the client was closed.
        """
        supervisors, changed = list(self._supervisors.values()), asyncio.Event()
        for supervisor in supervisors:
            supervisor.waiters.add(changed)
        try:
            await _all_live(supervisors, changed)
        finally:
            for supervisor in supervisors:
                supervisor.waiters.discard(changed)

    def discarded(self, id_: Hashable) -> None:
        """Tell the sockets that an update of this subscription was discarded unread."""
        for supervisor in self._supervisors.values():
            supervisor.perform(supervisor.session.discarded(id_, self._pipeline.clock.monotonic()))

    async def stop(self) -> None:
        """Stop every socket."""
        for supervisor in self._supervisors.values():
            await supervisor.stop()

    @property
    def states(self) -> dict[str, str]:
        """The state of each socket, by name."""
        return {name: supervisor.session.state.value for name, supervisor in self._supervisors.items()}

    def describe(self) -> list[dict[str, Any]]:
        """Return each socket's name, state, reconnects and gaps, as plain data."""
        sessions = [supervisor.session for supervisor in tuple(self._supervisors.values())]
        return [
            {
                "socket": session.name,
                "state": session.state.value,
                "reconnects": max(0, session.times_opened - 1),
                "gaps": session.gap_count,
            }
            for session in sessions
        ]

    def _on_socket_end(self) -> None:
        """End the loops once the last socket has ended."""
        states = [supervisor.session.inactive_state for supervisor in self._supervisors.values()]
        if all(state not in (None, State.IDLE) for state in states):
            self._dispatcher.end_loops()


async def _all_live(supervisors: list[Supervisor], changed: asyncio.Event) -> None:
    """Wait until each socket was live; `changed` is set when one of them changes its state."""
    # A socket that was live is not waited for again, even if it loses its connection meanwhile.
    pending = supervisors
    while pending := [supervisor for supervisor in pending if not supervisor.session.live]:
        for supervisor in supervisors:
            _check_running(supervisor.session)
        changed.clear()
        await changed.wait()


def _check_running(session: Session) -> None:
    """Check that a socket may still become live.

    Raises:
        GaveUpError, ClosedClientError: it has ended.
    """
    failure = session.give_up_reason
    if session.inactive_state is State.GIVEN_UP and failure is not None:
        error = GaveUpError(f"the {session.name} socket has given up: {failure}", failure)
        attach_failure(error, failure, None)
        raise error from failure.error
    if session.inactive_state is State.CLOSED:
        raise ClosedClientError(f"the {session.name} socket was closed before it was live")
