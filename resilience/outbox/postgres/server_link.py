"""Runs statements on a PostgreSQL server from a background thread, with a time limit that always holds.

The caller waits for its statement, and no longer than it says, whatever the server or the network does: a thread of
this process can be waited for with a time limit, and a socket of libpq cannot. While the server is gone the thread
connects again, and every statement fails at once, so that no event loop is blocked by a server that does not answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, wait
from contextlib import suppress
from threading import current_thread
from typing import Any

from ..._core.base.fork_safety import new_lock, register_for_fork
from .server_address import read_url
from .server_connections import Answer, ServerConnections, execute
from .server_errors import unreachable

__all__ = ["ServerLink"]

_GRACE = 0.25  # seconds that the thread may need beyond the limit of a statement
_LEFT_TO_PARENT: list[object] = []
"""Loops and connections in a forked child: they are the parent's, and closing one would end its session."""


class ServerLink:
    """Statements on one server. Safe across threads, in signal handlers and in a forked child, which connects anew.

    Attributes:
        address: the server and the database, without credentials.
    """

    def __init__(self, url: str, beat: Callable[[], Coroutine[Any, Any, None]], interval: float) -> None:
        """Read the URL; nothing is sent yet.

        Args:
            url: `postgresql://…`, as libpq reads it.
            beat: called in the thread every `interval` seconds; what it raises as an `OSError` is ignored.
            interval: seconds.

        Raises:
            ValueError: libpq cannot read the URL. The message does not repeat it.
        """
        self._server = read_url(url)
        self.address = self._server.name
        self._beat, self._interval = beat, interval
        self._lock = new_lock()
        self._connections: ServerConnections | None = None
        register_for_fork(self)

    def run(self, work: Callable[[Any], Coroutine[Any, Any, Any]], limit: float) -> Any:
        """Do some work on a connection, and return what it returns.

        Args:
            work: gets a connection of psycopg whose statements are transactions of their own.
            limit: seconds; after that the connection is given up.

        Raises:
            OutboxUnreachableError: the server does not answer, or not in time.
            OutboxServerError: the server refuses.
        """
        connections = self._started()
        execution = connections.execute(work, limit)
        try:
            future = asyncio.run_coroutine_threadsafe(execution, connections.loop)
        except RuntimeError:  # the link was closed meanwhile
            execution.close()
            raise unreachable(self.address, "the outbox was closed", may_be_stored=False) from None
        try:
            wait((future,), limit + _GRACE)  # it raises what a signal handler raises, and nothing of its own
            if future.done():
                return future.result()
        except CancelledError:  # the link was closed meanwhile
            pass
        except BaseException:
            future.cancel()
            raise
        future.cancel()
        raise unreachable(self.address, f"no answer within {limit:g} s", may_be_stored=True)

    async def execute_here(self, statement: str, values: Any, limit: float) -> Answer:
        """Execute a statement in the background thread itself, for its beat."""
        connections = self._connections
        assert connections is not None, "the beat runs in its thread"
        answer: Answer = await connections.execute(lambda connection: execute(connection, statement, values), limit)
        return answer

    def execute(self, statement: str, values: Any, limit: float) -> Answer:
        """Execute a statement; raises as `run` does."""
        answer: Answer = self.run(lambda connection: execute(connection, statement, values), limit)
        return answer

    def _started(self) -> ServerConnections:
        with self._lock:
            if self._connections is None:
                self._connections = ServerConnections(self._server, self._beat, self._interval)
                self._connections.thread.start()
            return self._connections

    def reset_after_fork(self) -> None:
        """Leave thread and connections to the parent."""
        if self._connections is not None:
            _LEFT_TO_PARENT.append(self._connections)
        self._connections = None

    def close(self) -> None:
        """Close the connections and end the thread; a statement under way fails."""
        connections, self._connections = self._connections, None
        if connections is not None:
            with suppress(RuntimeError):  # the loop has ended already
                connections.loop.call_soon_threadsafe(connections.loop.stop)
            if current_thread() is not connections.thread:  # the last reference may go in that thread
                connections.thread.join(1.0)
