"""Runs statements on a PostgreSQL server from one background thread, which also renews leases. The importer of psycopg.

The caller waits for its statement, and no longer than it says, whatever the server or the network does: a thread of
this process can be waited for with a time limit, and a socket of libpq cannot. While the server is gone the thread
connects again, and every statement fails at once, so that no event loop is blocked by a server that does not answer.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from threading import Thread
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ..._core.base.fork_safety import new_lock, register_for_fork
from ...telemetry.redaction import register_secret
from .server_errors import OutboxServerError, server_error, unreachable

__all__ = ["Answer", "ServerLink"]

_CONNECTIONS = 4  # at once; a statement takes about as long as one flush of the server's log
_CONNECT_LIMIT = 5.0  # seconds
_GRACE = 0.25  # seconds that the thread may need beyond the limit of a statement
_RETRY = (0.05, 1.0)  # seconds between two tries to connect: the first, and the longest
_SETTINGS = """
    SELECT set_config('synchronous_commit',
               CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),
           set_config('default_transaction_isolation', 'read committed', false),
           set_config('statement_timeout', '10s', false),
           set_config('lock_timeout', '5s', false)
"""
_LEFT_TO_PARENT: list[object] = []
"""Loops and connections in a forked child: they are the parent's, and closing one would end its session."""


class Answer(NamedTuple):
    """The rows that a statement returned, and how many it changed."""

    rows: list[tuple[Any, ...]]
    changed: int


class _Connections:
    """The thread, its event loop, and its connections. Used in that thread, but for `loop` and `thread`."""

    def __init__(self, conninfo: str, address: str, beat: Callable[[], Awaitable[None]], interval: float) -> None:
        self._conninfo, self._address = conninfo, address
        self._beat, self._interval = beat, interval
        self._idle: list[psycopg.AsyncConnection[Any]] = []
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._trouble: OutboxServerError | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.loop = asyncio.SelectorEventLoop()  # psycopg does not work with the default one of Windows
        self.thread = Thread(target=self._run, name="resilience-outbox", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self._begin(self._beating())
        self.loop.run_forever()
        with suppress(Exception):
            self.loop.run_until_complete(self._end())
        self.loop.close()

    def _begin(self, work: Any) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self) -> None:
        for task in tuple(asyncio.all_tasks() - {asyncio.current_task()}):
            task.cancel()
        self.drop_idle()
        await asyncio.sleep(0)

    async def _beating(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            with suppress(OSError):
                await self._beat()

    async def execute(self, work: Callable[[Any], Awaitable[Any]], limit: float) -> Any:
        """Do some work on a connection within a limit in seconds."""
        is_sent, problem = False, None
        try:
            async with asyncio.timeout(limit), self._slots:
                connection = await self._take()
                is_sent = True
                try:
                    answer = await work(connection)
                except BaseException as error:
                    problem = self._explain(connection, error)
                    raise
                self._idle.append(connection)
                return answer
        except TimeoutError:
            self.drop_idle()
            problem = unreachable(self._address, f"no answer within {limit:g} s", may_be_stored=is_sent)
            if not is_sent:
                self._note_trouble(problem)
        except (psycopg.Error, OSError) as error:
            problem = problem or (error if isinstance(error, OutboxServerError) else None)
        # Raised out here: the error of psycopg, which knows the connection's parameters, is no context of ours.
        raise problem or unreachable(self._address, "the connection broke", may_be_stored=is_sent)

    def _explain(self, connection: Any, error: BaseException) -> OutboxServerError | None:
        """Give a connection back after an error, or close it; return the error to raise, if it was psycopg's."""
        is_usable = isinstance(error, psycopg.Error) and not connection.closed
        if is_usable and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            self._idle.append(connection)
        else:
            self._begin(_close(connection))
            self.drop_idle()  # those of a server that has been restarted are as dead
        return server_error(self._address, error, is_connected=is_usable) if isinstance(error, psycopg.Error) else None

    def drop_idle(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._begin(_close(self._idle.pop()))

    async def _take(self) -> Any:
        if self._trouble is not None:
            raise self._trouble
        while self._idle:
            connection = self._idle.pop()
            if _is_quiet(connection):
                return connection
            self._begin(_close(connection))
        return await self._connect()

    async def _connect(self) -> Any:
        problem = None
        try:
            connection = await psycopg.AsyncConnection.connect(
                self._conninfo, autocommit=True, prepare_threshold=None
            )  # fmt: skip
            await connection.execute(_SETTINGS)
        except psycopg.Error as error:
            problem = server_error(self._address, error, is_connected=False, is_sent=False)
        if problem is not None:
            self._note_trouble(problem)
            raise problem
        return connection

    def _note_trouble(self, problem: OutboxServerError) -> None:
        """Let statements fail at once until the server is back."""
        if self._trouble is None:
            self._trouble = problem
            self._begin(self._connecting_again())

    async def _connecting_again(self) -> None:
        delay, longest = _RETRY
        while self._trouble is not None:
            await asyncio.sleep(delay)
            delay = min(2 * delay, longest)
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_LIMIT):
                    self._idle.append(await self._connect())
                self._trouble = None


def _is_quiet(connection: Any) -> bool:
    """Return whether an idle connection has nothing to read: the server has not ended it, as far as is known."""
    try:
        with DefaultSelector() as selector:
            selector.register(connection.fileno(), EVENT_READ)
            return not selector.select(0)
    except (OSError, ValueError, psycopg.Error):
        return False


async def _close(connection: Any) -> None:
    with suppress(Exception):
        await connection.close()


class ServerLink:
    """Statements on one server. Safe across threads, in signal handlers and in a forked child, which connects anew.

    Attributes:
        address: the server and the database, without credentials.
    """

    def __init__(self, url: str, beat: Callable[[], Awaitable[None]], interval: float) -> None:
        """Read the URL; nothing is sent yet.

        Args:
            url: `postgresql://…`, as libpq reads it.
            beat: called in the thread every `interval` seconds; what it raises as an `OSError` is ignored.
            interval: seconds.

        Raises:
            ValueError: libpq cannot read the URL. The message does not repeat it.
        """
        parameters = _read_url(url)
        for name in ("password", "sslpassword", "passfile"):
            register_secret(str(parameters.get(name) or ""))
        self.address = _address(parameters)
        parameters.setdefault("connect_timeout", f"{_CONNECT_LIMIT:g}")
        parameters.setdefault("fallback_application_name", "resilience-outbox")
        self._conninfo = make_conninfo(**parameters)
        self._beat, self._interval = beat, interval
        self._lock = new_lock()
        self._connections: _Connections | None = None
        register_for_fork(self)

    def run(self, work: Callable[[Any], Awaitable[Any]], limit: float) -> Any:
        """Do some work on a connection, and return what it returns.

        Args:
            work: gets a connection of psycopg whose statements are transactions of their own.
            limit: seconds; after that the connection is given up.

        Raises:
            OutboxUnreachableError: the server does not answer, or not in time.
            OutboxServerError: the server refuses.
        """
        connections = self._started()
        future = asyncio.run_coroutine_threadsafe(connections.execute(work, limit), connections.loop)
        try:
            return future.result(limit + _GRACE)
        except TimeoutError:
            future.cancel()
        except asyncio.CancelledError:
            pass  # the link was closed meanwhile
        except BaseException:
            future.cancel()
            raise
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

    def _started(self) -> _Connections:
        with self._lock:
            if self._connections is None:
                self._connections = _Connections(self._conninfo, self.address, self._beat, self._interval)
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
            connections.thread.join(1.0)


async def execute(connection: Any, statement: str, values: Any) -> Answer:
    """Execute a statement on a connection."""
    cursor = await connection.execute(statement, values)
    rows = await cursor.fetchall() if cursor.description is not None else []
    return Answer(rows, cursor.rowcount)


def _read_url(url: str) -> dict[str, Any]:
    try:
        return dict(conninfo_to_dict(url))
    except psycopg.Error:
        pass  # its text repeats the URL, and with it the password
    raise ValueError(
        "the URL of the outbox is none that PostgreSQL knows: postgresql://USER:PASSWORD@HOST:PORT/DATABASE; a special "
        "character in a part of it is written as %XX"
    )


def _address(parameters: dict[str, Any]) -> str:
    host = parameters.get("host") or parameters.get("hostaddr") or os.environ.get("PGHOST") or "the local socket"
    port = parameters.get("port") or os.environ.get("PGPORT") or "5432"
    database = parameters.get("dbname") or os.environ.get("PGDATABASE") or "of the user's name"
    return f"PostgreSQL at {host}:{port}, database {database}"
