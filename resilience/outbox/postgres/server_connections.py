"""Keeps the connections to a PostgreSQL server in a background thread, which connects anew while the server is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from threading import Thread
from typing import Any, NamedTuple

import psycopg

from .server_address import CONNECT_LIMIT, ServerAddress
from .server_errors import OutboxServerError, server_error, unreachable

__all__ = ["Answer", "ServerConnections", "execute"]

_CONNECTIONS = 4  # at once; a statement takes about as long as one flush of the server's log
_END_TIMEOUT = 2.0  # seconds for tasks that were cancelled to end
_RETRY = (0.05, 1.0)  # seconds between two tries to connect: the first, and the longest
_SETTINGS = """
    SELECT set_config('synchronous_commit',
               CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),
           set_config('default_transaction_isolation', 'read committed', false),
           set_config('statement_timeout', '10s', false),
           set_config('lock_timeout', '5s', false)
"""


class Answer(NamedTuple):
    """The rows that a statement returned, and how many it changed."""

    rows: list[tuple[Any, ...]]
    changed: int


class ServerConnections:
    """The thread, its event loop, and its connections. Used in that thread, but for `loop` and `thread`."""

    def __init__(self, address: ServerAddress, beat: Callable[[], Coroutine[Any, Any, None]], interval: float) -> None:
        self._conninfo, self._address = address
        self._beat, self._interval = beat, interval
        self._idle: list[psycopg.AsyncConnection[Any]] = []
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._trouble = ""  # why the server cannot be used now; empty where it can
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
        # A beat that is under way cancels its query first. A task that is destroyed before it has ended is reported.
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks, timeout=_END_TIMEOUT)

    async def _beating(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            with suppress(Exception):  # a beat that was missed must not be the last one
                await self._beat()

    async def execute(self, work: Callable[[Any], Coroutine[Any, Any, Any]], limit: float) -> Any:
        """Do some work on a connection within a limit in seconds."""
        has_slot = is_sent = False
        problem = None
        try:
            async with asyncio.timeout(limit), self._slots:
                has_slot = True
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
            reason = f"no answer within {limit:g} s"
            problem = unreachable(self._address, reason, may_be_stored=is_sent)
            if has_slot:
                self._note_trouble(reason)
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
        if self._trouble:
            raise unreachable(self._address, self._trouble, may_be_stored=False)
        while self._idle:
            connection = self._idle.pop()
            if _is_quiet(connection):
                return connection
            self._begin(_close(connection))
        return await self._connect()

    async def _connect(self) -> Any:
        connection = problem = None
        try:
            connection = await psycopg.AsyncConnection.connect(
                self._conninfo, autocommit=True, prepare_threshold=None
            )  # fmt: skip
            await connection.execute(_SETTINGS)
        except psycopg.Error as error:
            problem = server_error(self._address, error, is_connected=False, is_sent=False)
        if problem is None:
            return connection
        if connection is not None:
            self._begin(_close(connection))
        self._note_trouble(problem.reason)
        raise problem

    def _note_trouble(self, reason: str) -> None:
        """Let statements fail at once until the server is back."""
        self.drop_idle()
        if not self._trouble:
            self._trouble = reason
            self._begin(self._connecting_again())

    async def _connecting_again(self) -> None:
        delay, longest = _RETRY
        while self._trouble:
            await asyncio.sleep(delay)
            delay = min(2 * delay, longest)
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_LIMIT):
                    self._idle.append(await self._connect())
                self._trouble = ""


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


async def execute(connection: Any, statement: str, values: Any) -> Answer:
    """Execute a statement on a connection."""
    cursor = await connection.execute(statement, values)
    rows = await cursor.fetchall() if cursor.description is not None else []
    return Answer(rows, cursor.rowcount)
