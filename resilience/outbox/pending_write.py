"""Adds the row of a write whose store was busy when its call began, and knows whether the row may be there already."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import RejectedError
from .outbox_store import HeldWrite, NewWrite, OutboxBusyError, OutboxStore

__all__ = ["PendingWrite"]


class PendingWrite:
    """A write whose row is not known to be stored. Nothing of it is sent before `add` has returned."""

    def __init__(self, write: NewWrite, add: Callable[[], HeldWrite], store: OutboxStore) -> None:
        """Begin with a write that is not stored.

        Args:
            write: the write.
            add: adds its row, or raises the rejection of a key that is taken.
            store: where it is added.
        """
        self._write = write
        self._add = add
        self._store = store
        self._may_be_stored = False

    def add(self) -> HeldWrite:
        """Add the row; adding it again after a lost answer is harmless. Raises as `OutboxStore.add` does."""
        try:
            return self._add()
        except OutboxBusyError as error:
            self._may_be_stored = self._may_be_stored or error.may_be_stored
            raise
        except BaseException as error:
            # What a signal handler raises says nothing of the statement under way.
            self._may_be_stored = self._may_be_stored or _is_interrupt(error)
            raise

    async def aadd(self) -> tuple[HeldWrite, BaseException | None]:
        """Do as `add`; other tasks run meanwhile. Also returns the cancellation that arrived meanwhile."""
        # A client that signs stores a stamp before it sends, and the row with it.
        return await self._store.in_background(self.add, durable=self._write.window is None)

    def withdraw(self) -> bool:
        """Return whether the row is certainly not open: a row that nobody sends must not be adopted and sent."""
        if not self._may_be_stored:
            return True
        try:
            return self._store.withdraw(self._write)
        except OSError:
            return False


def _is_interrupt(error: BaseException) -> bool:
    """Return whether an error is neither that of a store nor a rejection; an alarm is often a `TimeoutError`."""
    return isinstance(error, TimeoutError) or not isinstance(error, (OSError, RejectedError, TypeError))
