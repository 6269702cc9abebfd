"""Stores the writes of an outbox in a table of PostgreSQL, one row per write, which several processes share.

A row names its owner, an epoch and the end of a lease, by the server's clock alone. Every change is made under the
condition that owner and epoch are still those with which the row was taken. So an owner that was stopped while another
process adopted its write changes nothing when it wakes, whatever its own clocks say, and sends nothing.
"""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from weakref import WeakMethod, finalize

from ..._core.base.fork_safety import register_for_fork
from ..._core.call.unsettled_writes import WriteOwner
from ..argument_codec import FORMAT
from ..outbox_store import HeldWrite, NewWrite, OutboxBusyError, TakenWrite, WriteAdoptedError
from ..row import Row, RowState, is_settled, read_row
from ..store_waits import in_event_loop
from .migrations import migrate
from .server_connections import Answer
from .server_errors import OutboxServerError
from .server_link import ServerLink
from .statements import (
    ADD,
    ADDED,
    CHECK,
    FORGET,
    KEEP_LEASES,
    OWNERS,
    RELEASE,
    SELECT,
    SET_KEY_MISSING,
    SET_STAMPS,
    SET_WINDOW,
    SETTLE,
    TAKE,
    TOUCH,
    WITHDRAW,
)  # fmt: skip
from .write_owners import WriteOwners

__all__ = ["PostgresStore"]

T = TypeVar("T")

_LIMIT = 2.0  # seconds for a statement: a disk may be slow for a while, and the statement is repeated
_LIMIT_IN_LOOP = 1.0  # seconds; it blocks the loop, once: while the server is gone statements fail at once
_LIMIT_TO_OPEN = 15.0  # seconds; another process may be migrating the tables


class PostgresStore:
    """The writes in one database. Safe across threads, processes, signal handlers and in a forked child.

    Attributes:
        is_shared: True.
        owner: the name under which this process takes writes; a forked child has one of its own.
    """

    is_shared = True

    def __init__(self, url: str, lease: float) -> None:
        """Connect, and create the tables where they are missing.

        Raises:
            OSError: the server cannot be reached, or refuses.
            ValueError: the URL is invalid, or the tables are those of a newer version.
        """
        self._lease = lease
        self._in_progress: Callable[[], list[tuple[str, str]]] = list
        self._unsettled: dict[HeldWrite, RowState] = {}
        """Writes whose state could not be stored yet."""
        self._owners = WriteOwners()
        self._closed = False
        self.owner = _new_owner()
        beat = WeakMethod(self._beat)  # the thread must not keep the store alive

        async def beating() -> None:
            method = beat()
            if method is not None:
                await method()

        self._link = link = ServerLink(url, beating, lease / 3)
        try:
            link.run(lambda connection: migrate(connection, link.address), _LIMIT_TO_OPEN)
        except BaseException:
            link.close()
            raise
        self._finalizer = finalize(self, link.close)
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Take a name of its own: the parent's writes stay the parent's."""
        self.owner = _new_owner()
        self._unsettled = {}
        self._owners.reset()

    def check_process(self) -> None:
        """Raise an `OSError` if the store was closed."""
        if self._closed:
            raise OutboxServerError(f"the outbox at {self._link.address} was closed")

    async def in_background(self, step: Callable[[], T], *, durable: bool) -> tuple[T, BaseException | None]:  # noqa: ARG002
        """Make a step at once: the server answers within a second, or is gone and fails at once."""
        return step(), None

    def post(self, step: Callable[[], object]) -> None:
        """Make a step at once."""
        step()

    def keep_leases(self, in_progress: Callable[[], list[tuple[str, str]]]) -> None:
        """Renew the leases of these writes from now on."""
        self._in_progress = in_progress

    def follow(self, held: HeldWrite) -> WriteOwner:
        """Return who has an open write: this process, until the background thread sees another."""
        return self._owners.follow(held.key, held.operation, self.owner)

    # --- changes of a row -------------------------------------------------------------------------

    def add(self, write: NewWrite) -> HeldWrite | None:
        """Add an open write, in place of a failed one with the same key; see `OutboxStore.add`."""
        if "\0" in write.key or not _is_text(write.key):
            raise TypeError(f"{write.operation}: the key is no valid text: {write.key!a}")
        answer = self._execute(ADD, _values(write))
        return HeldWrite(write.key, write.operation, answer.rows[0][0]) if answer.rows else None

    def withdraw(self, write: NewWrite) -> bool:
        """Settle a write as failed whose `add` may have been stored or not; see `OutboxStore.withdraw`."""
        # Unchanged is a row that is open or done: another write with this key, or this one, which another has adopted.
        return self._execute(WITHDRAW, _values(write)).changed > 0 or not self._select(ADDED, **write._asdict())

    def take(self, row: Row) -> TakenWrite | None:
        """Take an open write of this process, or one whose lease has ended; None if another was faster."""
        answer = self._execute(TAKE, {"key": row.key, "operation": row.operation, "epoch": row.epoch})
        if not answer.rows:
            return None
        taken = _read(answer.rows[0][:-1])  # without what makes it durable
        return TakenWrite(taken, HeldWrite(row.key, row.operation, taken.epoch))

    def check(self, held: HeldWrite, *, writable: bool) -> None:
        """Raise an `OSError` if the write is no longer held, or the server cannot be asked."""
        self._change(TOUCH if writable else CHECK, held)

    def set_stamps(self, held: HeldWrite, stamps: Iterable[float]) -> None:
        """Store the stamps of a write's attempts; raises an `OSError` if the write is no longer held."""
        self._change(SET_STAMPS, held, stamps=list(map(float, stamps)))

    def set_key_missing(self, held: HeldWrite) -> None:
        """Store that a request did not carry the key; raises an `OSError` if the write is no longer held."""
        self._change(SET_KEY_MISSING, held)

    def set_window(self, held: HeldWrite, seconds: float) -> None:
        """Store for how long the API accepts a request; raises an `OSError` if the write is no longer held."""
        self._change(SET_WINDOW, held, seconds=seconds)

    def settle(self, held: HeldWrite, state: RowState) -> OSError | None:
        """Store how a write ended; return what went wrong. While the server is gone, it is stored once it is back."""
        try:
            self._change(SETTLE, held, state=state)
        except OutboxBusyError as error:
            self._unsettled[held] = state
            return error
        except OSError as error:
            return error
        return None

    def _change(self, statement: str, held: HeldWrite, **values: Any) -> None:
        if not self._execute(statement, {**held._asdict(), **values}).changed:
            raise WriteAdoptedError(self._reason(held))

    def _reason(self, held: HeldWrite) -> str:
        """Say what has become of a write that is no longer held."""
        try:
            row = self.find(held.key, held.operation)
        except OSError:
            row = None
        what = f"the write with key {held.key}"
        if row is None:
            return f"{what} is no longer in the outbox"
        if row.owner == self.owner and row.epoch == held.epoch:
            return f"{what} was settled as {row.state} meanwhile"
        return f"{what} was adopted by {row.owner} after its lease had ended, and is {row.state} there"

    # --- reading ----------------------------------------------------------------------------------

    def find(self, key: str, operation: str | None = None) -> Row | None:
        """Return a write by its key, an open one first, or None."""
        where = "key = %(key)s AND operation = coalesce(%(operation)s::text, operation)"
        return min(self._select(where, key=key, operation=operation), key=is_settled, default=None)

    def in_state(self, state: RowState) -> list[Row]:
        """Return the writes of all processes in this state, oldest first."""
        # Those that are settled and not stored yet are open in the table.
        rows = self._select("state IN ('open', %(state)s)", state=state)
        return [row for row in rows if row.state == state]

    def resumable(self) -> list[Row]:
        """Return the open writes of this process."""
        return [row for row in self._select("state = 'open' AND owner = %(me)s") if row.state == "open"]

    def adoptable(self) -> list[Row]:
        """Return the open writes of other processes whose lease has ended."""
        return self._select("state = 'open' AND owner <> %(me)s AND lease_until < clock_timestamp()")

    def forget(self, older_than: float) -> int:
        """Delete the writes that were settled more than this many seconds ago; return their number."""
        return self._execute(FORGET, {"older_than": older_than}).changed

    def _select(self, where: str, **values: Any) -> list[Row]:
        # A write that was executed is done, whatever is stored. One that was not is failed only once that is stored:
        # until then another process may adopt it, and send it. Read before the rows are: the thread may store it then.
        done = {(held.key, held.operation) for held, state in tuple(self._unsettled.items()) if state == "done"}
        rows = map(_read, self._execute(SELECT.format(where=where), values).rows)
        return [row._replace(state="done") if (row.key, row.operation) in done else row for row in rows]

    def _execute(self, statement: str, values: dict[str, Any]) -> Answer:
        self.check_process()
        limit = _LIMIT_IN_LOOP if in_event_loop() else _LIMIT
        return self._link.execute(statement, {**values, "me": self.owner, "lease": self._lease}, limit)

    # --- in the background ------------------------------------------------------------------------

    async def _beat(self) -> None:
        """Renew the leases of what this process works on, and store what could not be stored."""
        names = {"me": self.owner, "lease": self._lease}
        in_progress = self._in_progress()
        if in_progress:
            keys, operations = map(list, zip(*in_progress, strict=True))
            await self._link.execute_here(KEEP_LEASES, {**names, "keys": keys, "operations": operations}, _LIMIT)
        await self._owners.refresh(lambda values: self._link.execute_here(OWNERS, values, _LIMIT))
        for held, state in tuple(self._unsettled.items()):
            await self._link.execute_here(SETTLE, {**names, **held._asdict(), "state": state}, _LIMIT)
            self._unsettled.pop(held, None)

    def close(self) -> OSError | None:
        """End the leases and the connections; return what kept a state from being stored."""
        if self._closed:
            return None
        problem: OSError | None = None
        try:
            for held, state in tuple(self._unsettled.items()):
                self._execute(SETTLE, {**held._asdict(), "state": state})
                self._unsettled.pop(held, None)
            self._execute(RELEASE, {})
        except OSError as error:
            problem = error
        self._closed = True
        self._finalizer()
        return problem if self._unsettled else None


def _values(write: NewWrite) -> dict[str, Any]:
    return {**write._asdict(), "process": os.getpid(), "machine": platform.node(), "format": FORMAT}


def _new_owner() -> str:
    return f"{platform.node()}:{os.getpid()}:{secrets.token_hex(6)}"


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(values: tuple[Any, ...]) -> Row:
    """Return the row of what `COLUMNS_READ` selects."""
    *common, owner, epoch = values
    return read_row(common)._replace(owner=owner, epoch=epoch)
