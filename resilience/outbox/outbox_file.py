"""Opens the SQLite file of an outbox, and refuses to use it once it is no longer this process's file.

Every statement is one transaction, unless `file_transactions.py` makes several one. Nothing here waits: a file that
another program has locked is an `OutboxLockedError`, and `store_waits.py` decides what to do about it.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing, suppress
from errno import ELOOP
from pathlib import Path
from threading import RLock
from typing import Any

from .._core.base.fork_safety import register_for_fork
from .outbox_store import OutboxBusyError
from .owner_lock import OwnerLock

__all__ = ["OutboxFile", "OutboxFileError", "OutboxLockedError", "open_error"]

_CONNINFO = re.compile(r"\s*(host|hostaddr|port|dbname|user|password|service)\s*=")
"""The other way to write what leads to a PostgreSQL server: `host=db dbname=desk`."""
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FOREIGN = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR})
_LEFT_TO_PARENT: list[object] = []
"""Connections in a forked child. Closing one could damage the file, so they are kept."""


class OutboxFileError(OSError):
    """The outbox file cannot be used; the message names the file and the reason."""


class OutboxLockedError(OutboxFileError, OutboxBusyError):
    """Another program has locked the outbox file. It may be free a moment later."""


class OutboxFile:
    """The open file of an outbox. Safe across threads and in signal handlers; a forked child cannot use it.

    Attributes:
        path: the path as it was given, made absolute.
        lock: held while the file is used; a transaction holds it from its beginning to its end.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Lock the file, and open or create it.

        Raises:
            OSError: it cannot be created, is no regular file, has several names, or another outbox uses it.
            ValueError: the path is empty or a URL.
        """
        self.path = _checked_path(path)
        self._file = _resolved(self.path)
        _check_file(self._file)
        self._owner_lock = OwnerLock(self._file)
        # Reentrant, because a signal handler may read the file while its thread does. That is harmless: handlers run
        # between two calls of SQLite, and each call is a statement of its own. Transactions of several are made in a
        # thread of their own, where no handler runs.
        self.lock = RLock()
        self._is_durable = True
        self._pid = os.getpid()
        self._closed = False
        self._identities: dict[Path, tuple[int, int]] = {}
        try:
            # SQLite would create it with the permissions that the umask leaves.
            os.close(os.open(self._file, os.O_CREAT | os.O_RDWR, 0o600))
            # `isolation_level=None` is autocommit. No timeout: SQLite would wait with the event loop blocked.
            self._database = sqlite3.connect(self._file, check_same_thread=False, isolation_level=None, timeout=0.0)
        except (OSError, sqlite3.Error) as error:
            self._owner_lock.release()
            raise error if isinstance(error, OSError) else open_error(self.path, error) from error
        # A damaged text must not keep the other rows from being read.
        self._database.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        register_for_fork(self)

    def remember_files(self) -> None:
        """Remember which files these are, so that a removed or replaced one is noticed."""
        wal = self._file.with_name(self._file.name + "-wal")
        for path in (self.path, self._owner_lock.path, *([wal] if wal.exists() else [])):
            self._identities[path] = _identity(path)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> tuple[list[tuple[Any, ...]], int]:
        """Execute a statement; return its rows and the number of rows that it changed.

        Raises:
            OutboxLockedError: another program has locked the file.
            OutboxFileError: the file was closed, belongs to the parent of this process, or cannot be read or written.
        """
        with self.lock:
            self.check_owner()
            try:
                with closing(self._database.execute(statement, values)) as cursor:
                    return cursor.fetchall(), cursor.rowcount
            except sqlite3.Error as error:
                raise _file_error(self.path, error) from error

    def set_durable(self, durable: bool) -> None:
        """Choose whether each commit is on disk when it returns, or only with the next one that is.

        Raises as `execute` does. Either survives the end of the process. Not allowed in a transaction.
        """
        if durable != self._is_durable:
            self.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._is_durable = durable

    def roll_back(self) -> None:
        """End the transaction under way, if there is one, without its changes."""
        with self.lock, suppress(sqlite3.Error):
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def transact(self, statements: Sequence[str]) -> None:
        """Execute several statements in one transaction; raises as `execute` does.

        Only for a file that no write uses yet.
        """
        with self.lock:
            self.execute("BEGIN IMMEDIATE")
            try:
                for statement in statements:
                    self.execute(statement)
                self.execute("COMMIT")
            except BaseException:
                self.roll_back()
                raise

    def check_owner(self) -> None:
        """Raise an `OutboxFileError` if this process may not use the file."""
        if os.getpid() != self._pid:
            raise OutboxFileError(
                f"{self.path} belongs to process {self._pid}, of which this process {os.getpid()} is a fork: "
                "it needs an Outbox of its own"
            )
        if self._closed:
            raise OutboxFileError(f"{self.path} was closed")

    def check_in_place(self) -> None:
        """Raise an `OutboxFileError` if the file was removed or replaced: a restarted bot would not find its rows."""
        self.check_owner()
        for path, identity in self._identities.items():
            try:
                intact = _identity(path) == identity and (path != self.path or os.stat(path).st_size > 0)
            except OSError:
                intact = False
            if not intact:
                raise OutboxFileError(f"{path} was removed, replaced or emptied while the outbox was in use")

    def reset_after_fork(self) -> None:
        """Leave the file to the parent."""
        self.lock = RLock()
        _LEFT_TO_PARENT.append(self._database)
        self._owner_lock.leave_to_parent()

    def close(self) -> None:
        """Close the file and unlock it. Does nothing in a forked child, or twice."""
        with self.lock:
            if not self._closed and os.getpid() == self._pid:
                self._closed = True
                self._database.close()
                self._owner_lock.release()


def _checked_path(path: str | os.PathLike[str]) -> Path:
    text = os.fspath(path)
    if not text:
        raise ValueError("an outbox needs the path of a file; the path is empty")
    if "://" in text or _CONNINFO.match(text):  # a file with a password as its name, and shared with nobody
        raise ValueError("an outbox needs the path of a file or a URL that begins with postgresql://")
    return Path(text).absolute()


def _resolved(path: Path) -> Path:
    """Return the file behind links."""
    try:
        return path.resolve()
    except RuntimeError as error:  # a link that leads to itself, before CPython 3.13
        raise OSError(ELOOP, "too many levels of symbolic links", str(path)) from error


def _check_file(file: Path) -> None:
    """Refuse what cannot be an outbox, before anything is created beside it."""
    if not file.parent.is_dir():
        raise FileNotFoundError(f"{file}: the folder {file.parent} does not exist")
    try:
        status = file.stat()
    except FileNotFoundError:
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(f"{file} is a folder: an outbox needs the path of a file")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{file} is not a regular file")
    if status.st_nlink > 1:
        # Each name would have a lock and a log of its own, and SQLite would damage the file.
        raise OSError(f"{file} has {status.st_nlink} names (hard links): an outbox must have one")


def _identity(path: Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def open_error(path: Path, error: BaseException) -> Exception:
    """Return the error of an outbox that cannot be opened: a `ValueError` if the file is something else."""
    cause = error.__cause__ if isinstance(error, OutboxFileError) else error
    if isinstance(cause, sqlite3.Error) and _code(cause) in _FOREIGN:
        return ValueError(f"{path} is not an outbox: {cause}")
    return error if isinstance(error, OutboxFileError) else OutboxFileError(f"{path}: {error}")


def _file_error(path: Path, error: sqlite3.Error) -> OutboxFileError:
    if _code(error) in _BUSY:
        return OutboxLockedError(f"{path} is locked by another program")
    return OutboxFileError(f"{path}: {error}")


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary code of an error; that of a plain error where there is none."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
