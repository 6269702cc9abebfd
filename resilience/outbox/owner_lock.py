"""Locks an outbox file for one owner, with a lock that the system releases when its process ends.

A second owner would take the writes in progress of the first for interrupted, and send them again. The lock is a
`flock` on a file beside the outbox (`msvcrt.locking` on Windows). The locks of `fcntl`, which SQLite uses, would not
do: a process loses them as soon as any part of it, such as a backup, opens and closes the same file.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["OwnerLock"]

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        # A locked byte of Windows cannot be read by others: one far behind the text that names the owner.
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class OwnerLock:
    """The lock of one outbox file. A forked child does not have it.

    Attributes:
        path: the file that is locked, beside the outbox.
    """

    def __init__(self, file: Path) -> None:
        """Lock the file.

        Args:
            file: the outbox, without symbolic links in its path.

        Raises:
            BlockingIOError: another outbox, of this or another process, has the lock; the message names it.
            OSError: the lock's file cannot be created, or the file system has no locks.
        """
        self.path = file.with_name(file.name + "-lock")
        self._descriptor = _lock(file, self.path)
        try:
            self._lock_of_0_1 = _lock_as_0_1(file)
        except OSError:
            os.close(self._descriptor)
            raise
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()} {platform.node()}\n".encode())

    def release(self) -> None:
        """Unlock the file."""
        self._lock_of_0_1.close()
        self.leave_to_parent()

    def leave_to_parent(self) -> None:
        """Close the descriptor. In a forked child the parent keeps the lock, which belongs to both descriptors."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _lock(file: Path, path: Path) -> int:
    """Return the descriptor of the locked file."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            _try_lock(descriptor)
            # Locked, but perhaps a file that was removed in between: then the next process would lock a new one.
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except FileNotFoundError:
            pass
        except (BlockingIOError, PermissionError) as error:
            os.close(descriptor)
            raise BlockingIOError(f"{file}: another outbox uses it, of process {_owner(path)}") from error
        except OSError as error:
            os.close(descriptor)
            raise OSError(error.errno, f"the outbox cannot be locked: {error.strerror}", str(path)) from error
        os.close(descriptor)


def _owner(path: Path) -> str:
    """Return the process and the machine that have the lock, as their lock file names them."""
    text = ""
    with suppress(OSError, UnicodeDecodeError):
        text = path.read_text(encoding="utf-8").strip()
    process, _, machine = text.partition(" ")
    return f"{process} on {machine}" if machine else process or "unknown"


def _lock_as_0_1(file: Path) -> sqlite3.Connection:
    """Take the lock of 0.1 too, so that a bot of that version and one of this version exclude each other."""
    path = file.with_name(file.name + "-owner")
    try:
        lock = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0.0)
    except sqlite3.Error as error:
        raise OSError(f"{path}: {error}") from error
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        lock.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise BlockingIOError(f"{file}: another outbox uses it, of a process with resilience 0.1") from error
        raise OSError(f"{path}: {error}") from error
    return lock
