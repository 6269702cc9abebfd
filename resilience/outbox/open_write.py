"""Updates one write's row while its call runs: stores each stamp before it is used, and settles the row at the end."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from .._core.call.send_log import SendLog
from .._core.classify.attach import attached_failure
from .write_table import WriteTable

__all__ = ["OpenWrite", "new_stamps"]


class OpenWrite:
    """One write while its call runs. Leaving the block settles its row, unless the outcome is uncertain."""

    def __init__(
        self,
        table: WriteTable,
        key: str,
        operation: str,
        stamps: tuple[float, ...],
        rejection_type: type,
        release: Callable[[], None],
    ) -> None:
        self._table = table
        self._key = key
        self._operation = operation
        self._rejection_type = rejection_type
        self._release = release
        self.stamps = list(stamps)
        self._token: Any = None

    def add_stamp(self, stamp: float) -> None:
        """Store a stamp, before the attempt that carries it is sent.

        Raises:
            RejectedError: the file cannot be written. The attempt must not be sent then.
        """
        if stamp in self.stamps:  # a resumed call reports the stored stamps again
            return
        self.stamps.append(stamp)
        try:
            self._table.set_stamps(self._key, self._operation, self.stamps)
        except sqlite3.Error as error:
            raise self._rejection_type(f"{self._operation}: the outbox cannot be written: {error}") from error

    def __enter__(self) -> None:
        self._token = _OPEN_WRITE.set(self)

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        _OPEN_WRITE.reset(self._token)
        try:
            self._settle(error)
        finally:
            self._release()

    def _settle(self, error: BaseException | None) -> None:
        failure = attached_failure(error) if isinstance(error, Exception) else None
        # An error without a failure did not come from the pipeline, and after a cancellation (or the end of the
        # process) the call has not ended. The row stays open, and the next resume looks the write up.
        if error is not None and (failure is None or failure.executed == "maybe"):
            return
        try:
            self._table.settle(self._key, self._operation, "done" if error is None else "failed")
        except sqlite3.Error as trouble:
            # The caller gets the result or the error of the write. An error of ours must not replace it.
            message = f"the outbox cannot be written, {self._operation} with key {self._key} stays open: {trouble}"
            warnings.warn(message, RuntimeWarning, stacklevel=4)


_OPEN_WRITE: ContextVar[OpenWrite | None] = ContextVar("resilience_outbox_write", default=None)


class _StoredStamps(SendLog):
    """The stamps of one call. Each is stored before it is appended, and so before it is used."""

    def __init__(self, write: OpenWrite) -> None:
        super().__init__()
        self._write = write

    def append(self, stamp: float, /) -> None:
        self._write.add_stamp(stamp)
        super().append(stamp)


def new_stamps() -> SendLog:
    """Return the log that gets the stamps of the current call."""
    write = _OPEN_WRITE.get()
    return SendLog() if write is None else _StoredStamps(write)
