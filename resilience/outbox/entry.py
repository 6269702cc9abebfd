"""One write's row while its call runs: each stamp is on disk before it is used, and the row is settled at the end."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from .._core.classify.attach import attached_failure
from .rows import Rows

__all__ = ["Entry", "stamps"]


class Entry:
    """One write's row while its call runs; leaving it settles the row as far as that is known."""

    def __init__(
        self, rows: Rows, key: str, operation: str, stamps: tuple[float, ...], refused: type, left: Callable[[], None]
    ) -> None:
        self._left = left
        self._refused = refused
        self._rows = rows
        self._key = key
        self._operation = operation
        self.stamps = list(stamps)
        self._token: Any = None

    def stamped(self, at: float) -> None:
        """Keep a stamp before the attempt that carries it is sent."""
        if at in self.stamps:
            return
        self.stamps.append(at)
        try:
            self._rows.stamp(self._key, self._operation, self.stamps)
        except sqlite3.Error as error:
            raise self._refused(f"{self._operation}: the outbox cannot be written: {error}") from error

    def __enter__(self) -> None:
        self._token = _ENTRY.set(self)

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        _ENTRY.reset(self._token)
        try:
            self._settle(error)
        finally:
            self._left()

    def _settle(self, error: BaseException | None) -> None:
        failure = None if error is None else attached_failure(error)
        if error is not None and (failure is None or failure.executed == "maybe"):
            return  # in doubt: it stays open
        try:
            self._rows.settle(self._key, self._operation, "done" if error is None else "failed")
        except sqlite3.Error as trouble:
            told = f"the outbox cannot be written, {self._operation} with key {self._key} stays open: {trouble}"
            warnings.warn(told, RuntimeWarning, stacklevel=4)


_ENTRY: ContextVar[Entry | None] = ContextVar("resilience_outbox_entry", default=None)


class _Stamps(list[float]):
    """The stamps of one call, each on disk before it is used."""

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self._entry = entry

    def append(self, at: float, /) -> None:
        self._entry.stamped(at)
        super().append(at)


def stamps() -> list[float]:
    """Make the list that the stamps of the call under way are told to."""
    entry = _ENTRY.get()
    return [] if entry is None else _Stamps(entry)
