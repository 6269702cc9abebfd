"""The rows of an outbox in SQLite: one a write, on disk before the write is sent.

A row holds the operation, its key, its arguments and every stamp that was signed for it. The file is
readable by its owner alone, and holds no credentials: those are the client's.
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

__all__ = ["Row", "Rows", "State"]

State = Literal["open", "done", "failed"]
"""Under way or in doubt; executed and reported done; provably not executed."""

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


class Row(NamedTuple):
    """One write. Stamps and `changed_at` are Unix seconds."""

    key: str
    operation: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    stamps: tuple[float, ...]
    state: State
    changed_at: float


class Rows:
    """The table. Safe across threads; one process at a time."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open or make the file.

        Raises:
            OSError: the folder is not there, or may not be written, or another outbox works with the file.
            ValueError: the file is no outbox.
        """
        file = Path(path)
        if not file.exists():
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        self._owned = _owned(file)
        self._lock = Lock()
        try:
            self._base = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=10.0)
        except sqlite3.Error as error:
            self._owned.close()
            raise OSError(f"{file}: {error}") from error
        try:
            if _of_something_else(self._base):
                raise sqlite3.DatabaseError("it holds other tables")
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")  # a row survives a power cut, not only a killed process
            self._base.execute(_SCHEMA)
            self._base.execute(f"SELECT {_COLUMNS} FROM writes LIMIT 0")
        except sqlite3.DatabaseError as error:
            self.close()
            raise ValueError(f"{file} is no outbox: {error}") from error

    def add(self, key: str, operation: str, args: Iterable[Any], kwargs: dict[str, Any]) -> bool:
        """Begin a write; False when its key is taken. A row of the same key that failed makes room.

        Raises:
            TypeError: an argument cannot be kept.
            sqlite3.Error: the row could not be written.
        """
        told = json.dumps([list(args), kwargs], default=_kept)
        return self._write(
            f"INSERT INTO writes ({_COLUMNS}) VALUES (?, ?, ?, '[]', 'open', ?) ON CONFLICT DO UPDATE SET "
            "arguments = excluded.arguments, stamps = '[]', state = 'open', changed_at = excluded.changed_at "
            "WHERE state = 'failed'",
            (key, operation, told, time.time()),
        )

    def stamp(self, key: str, operation: str, stamps: Iterable[float]) -> None:
        """Keep the stamps of a write's attempts."""
        self._write(
            "UPDATE writes SET stamps = ?, changed_at = ? WHERE key = ? AND operation = ?",
            (json.dumps(list(stamps)), time.time(), key, operation),
        )

    def settle(self, key: str, operation: str, state: State) -> None:
        """Say how a write ended."""
        self._write(
            "UPDATE writes SET state = ?, changed_at = ? WHERE key = ? AND operation = ?",
            (state, time.time(), key, operation),
        )

    def forget(self, before: float) -> int:
        """Remove what was settled before this Unix time; return how many rows that were."""
        with self._lock:
            return self._base.execute("DELETE FROM writes WHERE state != 'open' AND changed_at < ?", (before,)).rowcount

    def find(self, key: str, operation: str | None = None) -> Row | None:
        """Return a write by its key."""
        found = self._read("WHERE key = ? AND operation = coalesce(?, operation)", (key, operation))
        return found[0] if found else None

    def of(self, state: State) -> list[Row]:
        """Return the writes in this state, oldest first."""
        return self._read("WHERE state = ? ORDER BY changed_at, rowid", (state,))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()
            self._owned.close()

    def _write(self, statement: str, values: tuple[Any, ...]) -> bool:
        with self._lock:
            return self._base.execute(statement, values).rowcount > 0

    def _read(self, where: str, values: tuple[Any, ...]) -> list[Row]:
        with self._lock, closing(self._base.execute(f"SELECT {_COLUMNS} FROM writes {where}", values)) as found:
            rows = found.fetchall()
        return [_row(*row) for row in rows]


def _of_something_else(base: sqlite3.Connection) -> bool:
    """Tell whether a database has tables, and none of an outbox: it is left as it is."""
    names = [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return bool(names) and "writes" not in names


def _owned(file: Path) -> sqlite3.Connection:
    """Take a file for this outbox alone, by a lock beside it that goes when the process does.

    A second process would take the writes under way in this one for interrupted, and make them again.

    Raises:
        OSError: another outbox has it.
    """
    beside = file.with_name(file.name + "-owner")
    owned = sqlite3.connect(beside, check_same_thread=False, isolation_level=None, timeout=0.0)
    try:
        owned.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        owned.close()
        raise BlockingIOError(f"{file}: another outbox, of this or another process, works with it") from error
    return owned


def _row(key: str, operation: str, arguments: str, stamps: str, state: State, changed_at: float) -> Row:
    args, kwargs = json.loads(arguments, object_hook=_restored)
    return Row(key, operation, tuple(args), kwargs, tuple(json.loads(stamps)), state, changed_at)


_DECIMAL = "$decimal"


def _kept(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {_DECIMAL: str(value)}
    raise TypeError(f"an outbox keeps text, numbers, Decimals, lists and mappings, not a {type(value).__name__}")


def _restored(found: dict[str, Any]) -> Any:
    return Decimal(found[_DECIMAL]) if set(found) == {_DECIMAL} else found
