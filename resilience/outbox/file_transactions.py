"""Makes steps on an outbox file: several in one transaction, or each by itself where that fails.

Every statement of a step is whole by itself, so that a transaction has no meaning but to share the sync of the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .outbox_file import OutboxFile, OutboxFileError
from .row_writer import StepError
from .unsettled_states import UnsettledStates

__all__ = ["FileTransactions"]


class FileTransactions:
    """The transactions of one file. Used by one thread at a time; the others read."""

    def __init__(self, file: OutboxFile, states: UnsettledStates) -> None:
        """Begin; `states` are those that a step may store, and that count as stored once its transaction has ended."""
        self._file = file
        self._states = states

    def check_owner(self) -> None:
        """Raise an `OSError` if this process may not use the file."""
        self._file.check_owner()

    def make(self, steps: list[Callable[[], Any]], *, durable: bool) -> list[Any]:
        """Make each step; return for each its result, or a `StepError`.

        Args:
            steps: the steps, in this order.
            durable: the file must be on disk at the end.
        """
        with self._file.lock:
            if len(steps) > 1:
                outcomes = self._make_together(steps, durable=durable)
                if outcomes is not None:
                    return outcomes
            return [self._make_alone(step, durable=durable) for step in steps]

    def _make_together(self, steps: list[Callable[[], Any]], *, durable: bool) -> list[Any] | None:
        """Make the steps in one transaction; None if nothing was changed, because one of them failed for the file."""
        try:
            self._file.set_durable(durable)
            self._file.execute("BEGIN IMMEDIATE")
            outcomes = [_outcome(step) for step in steps]
            self._file.execute("COMMIT")
        except OutboxFileError:
            self._file.roll_back()
            self._states.forget_stored()
            return None
        self._states.confirm_stored()
        return outcomes

    def _make_alone(self, step: Callable[[], Any], *, durable: bool) -> Any:
        """Make one step, of which each statement is a transaction."""
        try:
            self._file.set_durable(durable)
            outcome = step()
        except BaseException as error:
            outcome = StepError(error)
        self._states.confirm_stored()  # also where a later statement of the step has failed
        return outcome


def _outcome(step: Callable[[], Any]) -> Any:
    """Return what a step returns; let through what says that the transaction may be broken."""
    try:
        return step()
    except OutboxFileError:
        raise
    except BaseException as error:  # of the step alone: a key that is taken, say
        return StepError(error)
