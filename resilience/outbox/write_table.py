"""Stores the writes of an outbox in SQLite, one row per write.

A row has the operation, its key, its arguments and every stamp that was signed for it. Only the owner of the file
may read it. It holds no credentials: those belong to the client.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from .._drivers.system_clock import SystemClock
from .argument_codec import FORMAT
from .file_transactions import FileTransactions
from .outbox_file import OutboxFile, OutboxFileError, OutboxLockedError, open_error
from .outbox_store import HeldWrite, NewWrite, TakenWrite
from .row import COLUMNS, COLUMNS_OF_0_1, Row, RowState, is_settled, read_row
from .row_writer import RowWriter
from .salvage import read_rows
from .store_waits import LONGEST_WAIT, poll
from .unsettled_states import UnsettledStates

__all__ = ["WriteTable"]

T = TypeVar("T")

_VERSION = 2
"""`user_version` of the file. Files of 0.1 have 0."""
_LIST = ", ".join(COLUMNS)
_OPEN = "(state = 'open' OR state NOT IN ('open', 'done', 'failed'))"
_DEFINITIONS = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
_CREATE = f"CREATE TABLE IF NOT EXISTS writes ({_DEFINITIONS}, PRIMARY KEY (key, operation))"


class WriteTable:
    """The table of writes. Safe across threads; one process at a time.

    Attributes:
        is_shared: False: one process at a time has the file.
    """

    is_shared = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file, or create it. A file of 0.1 gets the columns that it lacks.

        Raises:
            OSError: the folder does not exist or cannot be written, another outbox uses the file, or another program
                has locked it for longer than `LONGEST_WAIT`.
            ValueError: the file is not an outbox, or one of a newer version.
        """
        self.file = OutboxFile(path)
        self._states = UnsettledStates(self.file)
        # It has neither the table nor the writer, which end when nobody has them any more.
        self._writer = RowWriter(FileTransactions(self.file, self._states))
        clock = SystemClock()
        try:
            poll(self._prepare, clock, clock.monotonic() + LONGEST_WAIT)
            self.file.remember_files()
        except BaseException as error:
            self.file.close()
            if isinstance(error, OSError):
                raise open_error(self.file.path, error) from error
            raise

    def _prepare(self) -> None:
        execute, path = self.file.execute, self.file.path
        tables = {name for (name,) in execute("SELECT name FROM sqlite_master WHERE type = 'table'")[0]}
        columns = {row[1] for row in execute("PRAGMA table_info(writes)")[0]}
        if (tables and "writes" not in tables) or (columns and not columns >= COLUMNS_OF_0_1.keys()):
            raise ValueError(f"{path} is not an outbox: the file is an SQLite database of another program")
        version = execute("PRAGMA user_version")[0][0][0]
        if version > _VERSION:
            raise ValueError(f"{path} was written by a newer version of resilience (format {version})")
        execute("PRAGMA journal_mode=WAL")
        # FULL syncs the log at every commit: a row survives a power cut, and not only a killed process. What need not
        # is committed without (`OutboxFile.set_durable`), and is covered by the next sync of the log.
        execute("PRAGMA synchronous=FULL")
        execute("PRAGMA fullfsync=ON")  # macOS: `fsync` alone leaves the data in the drive's cache
        added = [name for name in COLUMNS if columns and name not in columns]
        # Also where nothing is missing: a file or folder that cannot be written has to fail now, not at an order.
        self.file.transact(
            [
                _CREATE,
                *(f"ALTER TABLE writes ADD COLUMN {name} {COLUMNS[name]}" for name in added),
                f"PRAGMA user_version = {_VERSION}",
            ]
        )

    def check_process(self) -> None:
        """Raise an `OSError` if the file was closed or belongs to the parent of this process."""
        self.file.check_owner()

    def add(self, write: NewWrite) -> HeldWrite | None:
        """Add an open write, in place of a failed one with the same key.

        Returns:
            None if the key is taken by a write that is open or done.

        Raises:
            OSError: the row could not be written.
            TypeError: the key is no text that a file can hold.
        """
        try:
            write.key.encode()
        except UnicodeEncodeError:
            raise TypeError(f"{write.operation}: the key is no valid text: {write.key!a}") from None
        # One statement checks the key and takes it, so two writes cannot both find it free.
        marks = ", ".join("?" * len(COLUMNS))
        values = (
            write.key, write.operation, write.arguments, "[]", "open", time.time(),
            write.account, write.host, os.getpid(), FORMAT, 0, platform.node(), write.window,
        )  # fmt: skip
        changes = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in ("key", "operation"))
        is_free = self._write(
            f"INSERT INTO writes ({_LIST}) VALUES ({marks}) ON CONFLICT DO UPDATE SET {changes} WHERE state = 'failed'",
            values,
            # Of a client that signs nothing is sent before its stamp is on disk, and the row with it.
            durable=write.window is None,
        )
        return HeldWrite(write.key, write.operation) if is_free else None

    def withdraw(self, _write: NewWrite) -> bool:
        """Return True: a row that could not be added is not in the file."""
        return True

    def take(self, row: Row) -> TakenWrite | None:
        """Return an open write as it is now; None if it was settled meanwhile. The claim on it is that of a process."""
        present = self.find(row.key, row.operation)
        if present is None or present.state != "open":
            return None
        return TakenWrite(present, HeldWrite(row.key, row.operation))

    def check(self, _held: HeldWrite, *, writable: bool) -> None:
        """Raise an `OSError` if the file is not in place, or cannot be written where that is asked."""
        if writable:
            self.check_writable()
        else:
            self.file.check_in_place()

    def set_stamps(self, held: HeldWrite, stamps: Iterable[float]) -> None:
        """Store the stamps of a write's attempts; raises an `OSError` if they are not on disk afterwards."""
        self._update(held, "stamps = ?", json.dumps(list(stamps)))

    def set_key_missing(self, held: HeldWrite) -> None:
        """Store that a request did not carry the key; raises an `OSError` if that is not on disk afterwards."""
        self._update(held, "key_missing = ?", 1)

    def set_window(self, held: HeldWrite, seconds: float) -> None:
        """Store for how long a request is accepted; raises an `OSError` if that is not on disk afterwards."""
        self._update(held, "window = ?", seconds)

    def settle(self, held: HeldWrite, state: RowState) -> OSError | None:
        """Store how a write ended.

        A state that cannot be stored now is stored with the next use of the file. Until then this object already
        returns it; if the process ends before, the write is still open, and the next resume looks it up.

        Returns:
            What went wrong, other than that another program has locked the file at the moment.
        """
        self._states.add(held.key, held.operation, state)
        try:
            # A power cut may take "done" back: the write is looked up again then, and found. "Failed" stays: its caller
            # may have placed another order instead, so that it must not be sent again.
            self._writer.run(self._states.store, durable=state == "failed")
        except OutboxLockedError:
            pass
        except OSError as error:
            return error
        return None

    async def in_background(self, step: Callable[[], T], *, durable: bool) -> tuple[T, BaseException | None]:
        """Make a step in the thread that changes the file; see `OutboxStore.in_background`."""
        return await self._writer.run_async(step, durable=durable)

    def post(self, step: Callable[[], object]) -> None:
        """Make a step in the thread that changes the file, and do not wait for it."""
        try:
            self.file.check_owner()
        except OSError:
            step()  # reports that itself
        else:
            self._writer.post(step)

    def forget(self, older_than: float) -> int:
        """Delete the writes that were settled more than this many seconds ago; return their number."""
        before = time.time() - older_than
        statement = "DELETE FROM writes WHERE state IN ('done', 'failed') AND changed_at < ?"

        def delete() -> int:
            self._states.store()
            return self.file.execute(statement, (before,))[1]

        return self._writer.run(delete)

    def find(self, key: str, operation: str | None = None) -> Row | None:
        """Return a write by its key, an open one first, or None."""
        rows = self._read("key = ? AND operation = coalesce(?, operation)", (key, operation))
        return min((row for row in rows if row.key == key), key=is_settled, default=None)

    def in_state(self, state: RowState) -> list[Row]:
        """Return the writes in this state, oldest first. Those in a state that is none count as open."""
        rows = self._read(f"{_OPEN} OR state = ?", (state,))
        return [row for row in rows if row.state == state]

    def resumable(self) -> list[Row]:
        """Return all open writes: whoever has the file has them all."""
        return self.in_state("open")

    def adoptable(self) -> list[Row]:
        """Return all open writes; those of another machine are refused one by one, with the reason."""
        return self.in_state("open")

    def follow(self, _held: HeldWrite) -> None:
        """Return None: whoever has the file has its writes."""

    def keep_leases(self, _in_progress: Callable[[], list[tuple[str, str]]]) -> None:
        """Do nothing: the lock on the file takes the place of leases."""

    def check_writable(self) -> None:
        """Raise an `OSError` if nothing can be written to the file now."""
        self.file.check_in_place()
        # One statement, which takes the lock of a writer and changes nothing. A transaction of several could be left
        # open by an interrupt, and the rows after it would not be on disk.
        self._writer.run(lambda: self.file.execute("DELETE FROM writes WHERE 0"))

    def close(self) -> OSError | None:
        """Close the file; return what kept a state from being stored."""
        try:
            if self._states:
                self._writer.run(self._states.store, durable=True)
            return None
        except OSError as error:
            return error if self._states else None
        finally:
            self._writer.close()
            self.file.close()

    def _write(self, statement: str, values: tuple[Any, ...], *, durable: bool = True) -> bool:
        def change() -> bool:
            self.file.check_in_place()
            self._states.store()
            return self.file.execute(statement, values)[1] > 0

        return self._writer.run(change, durable=durable)

    def _update(self, held: HeldWrite, change: str, value: Any) -> None:
        key, operation, _ = held
        statement = f"UPDATE writes SET {change}, changed_at = ? WHERE key = ? AND operation = ? AND state = 'open'"
        if not self._write(statement, (value, time.time(), key, operation)):
            raise OutboxFileError(f"{self.file.path}: the row of {operation} with key {key} is no longer there")

    def _read(self, where: str, values: tuple[Any, ...]) -> list[Row]:
        def read() -> list[Row]:
            with suppress(OSError):  # the states are known all the same
                self._states.store()
            return [self._states.apply(read_row(row)) for row in read_rows(self.file, where, values)]

        return self._writer.run(read)
