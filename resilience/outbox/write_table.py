"""Stores the writes of an outbox in SQLite, one row per write.

A row has the operation, its key, its arguments and every stamp that was signed for it. Only the owner of the file
may read it. It holds no credentials: those belong to the client.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import Any, Literal, NamedTuple

__all__ = ["Row", "RowState", "WriteTable"]

RowState = Literal["open", "done", "failed"]
"""In progress or uncertain; executed and reported as done; provably not executed."""

# Files written by 0.1 are opened as they are: the names of the table and its columns must not change.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS writes (
    key TEXT NOT NULL,
    operation TEXT NOT NULL,
    arguments TEXT NOT NULL,
    stamps TEXT NOT NULL,
    state TEXT NOT NULL,
    changed_at REAL NOT NULL,
    PRIMARY KEY (key, operation)
)
"""
_COLUMNS = "key, operation, arguments, stamps, state, changed_at"
BUSY_TIMEOUT = 10.0  # seconds; a backup tool may hold the file for a while


class Row(NamedTuple):
    """One write. Stamps and `changed_at` are Unix seconds."""

    key: str
    operation: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    stamps: tuple[float, ...]
    state: RowState
    changed_at: float


class WriteTable:
    """The table of writes. Safe across threads; one process at a time."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file, or create it.

        Raises:
            OSError: the folder does not exist or cannot be written, or another outbox uses the file.
            ValueError: the file is not an outbox.
        """
        file = Path(path)
        if not file.exists():  # SQLite would create it with the permissions that the umask leaves
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        self._owner_lock = _lock_file(file)
        self._lock = Lock()
        try:
            # `isolation_level=None` is autocommit: a row is on disk when its statement returns.
            self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=BUSY_TIMEOUT)
        except sqlite3.Error as error:
            self._owner_lock.close()
            raise OSError(f"{file}: {error}") from error
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self.close()
            raise ValueError(f"{file} is not an outbox: {error}") from error

    def _prepare(self) -> None:
        if _is_other_database(self._database):
            raise sqlite3.DatabaseError("the file is an SQLite database of another program")
        self._database.execute("PRAGMA journal_mode=WAL")
        # FULL syncs the log at every commit: a row survives a power cut, and not only a killed process.
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(_SCHEMA)
        self._database.execute(f"SELECT {_COLUMNS} FROM writes LIMIT 0")  # fails if a column is missing

    def add(self, key: str, operation: str, args: Iterable[Any], kwargs: dict[str, Any]) -> bool:
        """Add an open write, in place of a failed one with the same key.

        Returns:
            False if the key is taken by a write that is open or done.

        Raises:
            TypeError: an argument cannot be stored.
            sqlite3.Error: the row could not be written.
        """
        # One statement checks the key and takes it, so two writes cannot both find it free.
        arguments = json.dumps([list(args), kwargs], default=_encode)
        return self._write(
            f"INSERT INTO writes ({_COLUMNS}) VALUES (?, ?, ?, '[]', 'open', ?) ON CONFLICT DO UPDATE SET "
            "arguments = excluded.arguments, stamps = '[]', state = 'open', changed_at = excluded.changed_at "
            "WHERE state = 'failed'",
            (key, operation, arguments, time.time()),
        )

    def set_stamps(self, key: str, operation: str, stamps: Iterable[float]) -> None:
        """Store the stamps of a write's attempts."""
        self._write(
            "UPDATE writes SET stamps = ?, changed_at = ? WHERE key = ? AND operation = ?",
            (json.dumps(list(stamps)), time.time(), key, operation),
        )

    def settle(self, key: str, operation: str, state: RowState) -> None:
        """Store how a write ended."""
        self._write(
            "UPDATE writes SET state = ?, changed_at = ? WHERE key = ? AND operation = ?",
            (state, time.time(), key, operation),
        )

    def forget(self, before: float) -> int:
        """Delete the writes that were settled before this Unix time; return their number."""
        with self._lock:
            deleted = self._database.execute("DELETE FROM writes WHERE state != 'open' AND changed_at < ?", (before,))
            return deleted.rowcount

    def find(self, key: str, operation: str | None = None) -> Row | None:
        """Return a write by its key, or None."""
        rows = self._read("WHERE key = ? AND operation = coalesce(?, operation)", (key, operation))
        return rows[0] if rows else None

    def in_state(self, state: RowState) -> list[Row]:
        """Return the writes in this state, oldest first."""
        return self._read("WHERE state = ? ORDER BY changed_at, rowid", (state,))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()
            self._owner_lock.close()

    def _write(self, statement: str, values: tuple[Any, ...]) -> bool:
        with self._lock:
            return self._database.execute(statement, values).rowcount > 0

    def _read(self, where: str, values: tuple[Any, ...]) -> list[Row]:
        with self._lock, closing(self._database.execute(f"SELECT {_COLUMNS} FROM writes {where}", values)) as cursor:
            rows = cursor.fetchall()
        return [_row(*row) for row in rows]


def _is_other_database(database: sqlite3.Connection) -> bool:
    """Return whether a database has tables, but not that of an outbox: it must stay as it is."""
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return bool(names) and "writes" not in names


def _lock_file(file: Path) -> sqlite3.Connection:
    """Lock a file for this outbox, by an SQLite lock on a file beside it, which the system releases with the process.

    A second process would take the writes in progress in this one for interrupted, and send them again.

    Raises:
        OSError: another outbox has the lock.
    """
    lock_file = file.with_name(file.name + "-owner")
    lock = sqlite3.connect(lock_file, check_same_thread=False, isolation_level=None, timeout=0.0)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        lock.close()
        raise BlockingIOError(f"{file}: another outbox, of this or another process, uses it") from error
    return lock


def _row(key: str, operation: str, arguments: str, stamps: str, state: RowState, changed_at: float) -> Row:
    args, kwargs = json.loads(arguments, object_hook=_decode)
    return Row(key, operation, tuple(args), kwargs, tuple(json.loads(stamps)), state, changed_at)


_DECIMAL = "$decimal"


def _encode(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {_DECIMAL: str(value)}
    raise TypeError(f"an outbox stores strings, numbers, Decimals, lists and mappings; got a {type(value).__name__}")


def _decode(value: dict[str, Any]) -> Any:
    return Decimal(value[_DECIMAL]) if set(value) == {_DECIMAL} else value
