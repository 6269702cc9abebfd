"""Keeps the states of writes that have ended and are not in the file yet, and stores them with its next use."""

from __future__ import annotations

import time

from .outbox_file import OutboxFile
from .row import Row, RowState

__all__ = ["UnsettledStates"]

_Write = tuple[str, str]


class UnsettledStates:
    """The states that a file still lacks, by (key, operation).

    They are added by any thread, and stored by one at a time. Until its transaction has ended, a state counts as not
    stored, so that a reader sees it either here or in the file.
    """

    def __init__(self, file: OutboxFile) -> None:
        self._file = file
        self._states: dict[_Write, RowState] = {}
        self._stored: dict[_Write, RowState] = {}
        """Those that the transaction under way has stored."""

    def __len__(self) -> int:
        return len(self._states)

    def add(self, key: str, operation: str, state: RowState) -> None:
        """Add the state of a write."""
        self._states[key, operation] = state

    def store(self) -> None:
        """Store what is not stored yet; raises an `OSError` if a state cannot be."""
        for write, state in tuple(self._states.items()):
            # Twice would be once too often: a step in between may have begun a new write with the key of a failed one.
            if write in self._stored:
                continue
            self._file.execute(
                "UPDATE writes SET state = ?, changed_at = ? WHERE key = ? AND operation = ?",
                (state, time.time(), *write),
            )
            self._stored[write] = state

    def confirm_stored(self) -> None:
        """Forget what the transaction has stored: it has ended."""
        for write, state in self._stored.items():
            if self._states.get(write) == state:
                del self._states[write]
        self._stored.clear()

    def forget_stored(self) -> None:
        """Store everything again: the transaction was rolled back."""
        self._stored.clear()

    def apply(self, row: Row) -> Row:
        """Return a row of the file as it is now."""
        return row._replace(state=self._states.get((row.key, row.operation), row.state))
