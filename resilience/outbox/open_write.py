"""Settles the row of a write when its call ends: as done, as not executed, or not at all while that is uncertain."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, Self
from weakref import ref

from .._core.base.context_variables import reset_variable
from .._core.call.unsettled_writes import UnsettledWrites
from .._core.classify.attach import attached_failure
from .lost_write import mark_uncertain
from .open_row import OpenRow
from .outbox_store import OutboxBusyError, WriteAdoptedError
from .row import RowState
from .safe_warning import warn_or_log

__all__ = ["OpenWrite", "current_write"]


class OpenWrite:
    """One write while its call runs. Leaving the block settles its row, unless the outcome is uncertain.

    Attributes:
        row: its row, which the attempts of the call write.
        began: the attempt of the earlier process counts in the call, so that an error of the call covers it.
        answer: what the last attempt returned, or what a lookup found.
        may_send_again: an error of the call under way does not end the write: it may be sent again after it.
    """

    def __init__(
        self,
        row: OpenRow,
        *,
        resumed: bool = False,
        is_provable: bool = True,
        release: Callable[[], None],
        fail: Callable[[], bool],
        unsettled: UnsettledWrites | None = None,
    ) -> None:
        """Begin a write.

        Args:
            row: its row.
            resumed: an earlier process may have sent it.
            is_provable: False where the earlier process may send it at any later time, so that no lookup proves that
                it was not executed.
            release: gives the claim on the write back.
            fail: settles the row as not executed, once this call has ended; False if it cannot be, or somebody else
                works on it.
            unsettled: shows who has the write, if its outcome is uncertain.
        """
        self.row = row
        self.began = not resumed
        self.answer: Any = None
        self.may_send_again = False
        self._resumed = resumed
        self._is_provable = is_provable
        self._release = release
        self._fail = fail
        self._unsettled = unsettled
        self._is_settled = self._is_lost = False
        self._is_substitute = self._is_left = False
        self._token: Any = None

    def proves_failure(self, error: BaseException) -> bool:
        """Return whether the error of the call proves that the write was not executed."""
        # An error without a failure did not come from the pipeline, and after a cancellation (or the end of the
        # process) the call has not ended. The row stays open, and the next resume looks the write up. In a shared store
        # that would be another process, and soon: it must not send an order that was cancelled before it was sent.
        is_end = isinstance(error, Exception) or self.row.store.is_shared
        failure = attached_failure(error) if is_end else None
        if failure is None or failure.executed == "maybe" or not self.began or self._is_lost or not self._is_provable:
            return False
        return not (self._resumed and failure.duplicate)  # "duplicate": what the earlier process sent is there

    def record_not_executed(self, *, duplicate: bool) -> bool:
        """Return whether the call may report that the write was not executed.

        In a shared store it may not where another process has the write, or gets it once this one's lease has ended:
        that one may still send it. So the row is settled before the report.
        """
        if not self.row.store.is_shared:
            return True
        if self.row.pending is not None:
            return self.row.pending.withdraw()
        if not self._is_provable or not self.began or (self._resumed and duplicate):
            return False
        if self.may_send_again:
            return self._still_holds()
        self._store_state("failed")
        return not self._is_lost

    def _still_holds(self) -> bool:
        held = self.row.held
        assert held is not None, "what is still to be added is `pending`"
        try:
            self.row.store.check(held, writable=True)
        except OSError:
            return False
        return True

    def abandon(self) -> None:
        """End a write of which nothing was sent, and whose call does not begin."""
        try:
            if self.row.pending is not None:
                self.row.pending.withdraw()
            else:
                self._store_state("failed")
        finally:
            self._release()

    def check_result(self, result: Any) -> None:
        """Leave the write open if the result of its call is a fallback's and no answer of the API."""
        self._is_substitute = result is not self.answer

    def __enter__(self) -> Self:
        self._token = _OPEN_WRITE.set(ref(self))
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            reset_variable(_OPEN_WRITE, self._token)
            if not self._is_left:
                self._settle(error)
            if error is not None and not self._is_settled:
                self._show_owner()
        finally:
            self._release()

    def _show_owner(self) -> None:
        """Let the writes in doubt of the policies say who has this one, and that its row may send it again."""
        row, unsettled = self.row, self._unsettled
        if row.held is None or unsettled is None:
            return
        owner = row.store.follow(row.held)
        if owner is not None:
            unsettled.set_owner(row.key, owner)
        unsettled.set_row(row.key, self._fail)

    async def asettle(self, error: Exception) -> None:
        """Settle the row of a write whose call ends with this error, while other tasks run and before the block ends.

        Raises:
            BaseException: the cancellation that arrived meanwhile.
        """
        self._is_left = True
        if self.row.pending is not None or self.proves_failure(error):
            _, cancellation = await self.row.store.in_background(
                partial(self._settle_anew, error, self._is_settled), durable=True
            )
            if cancellation is not None:
                raise cancellation

    def settle_later(self) -> None:
        """Settle the row of a write that has a result: soon, because the result must not wait or be cancelled."""
        self._is_left = True
        self.row.store.post(partial(self._settle_anew, None, self._is_settled))

    def _settle_anew(self, error: BaseException | None, was_settled: bool) -> None:
        # A file makes a step once more whose transaction has failed as a whole.
        self._is_settled = was_settled
        self._settle(error)

    def _settle(self, error: BaseException | None) -> None:
        pending = self.row.pending
        if pending is not None:  # never recorded, hence never sent; a row with this key is another write's
            if error is not None and not pending.withdraw():
                mark_uncertain(error, self.row.key)
            return
        if self._is_settled:
            return
        if self._is_substitute if error is None else not self.proves_failure(error):
            return
        self._store_state("done" if error is None else "failed")
        if error is not None and self._is_lost:
            mark_uncertain(error, self.row.key)

    def _store_state(self, state: RowState) -> None:
        row, held = self.row, self.row.held
        assert held is not None, "a row that is still to be added is withdrawn"
        trouble = row.store.settle(held, state)
        self._is_settled = trouble is None
        self._is_lost = row.store.is_shared and trouble is not None
        if trouble is not None and not isinstance(trouble, (WriteAdoptedError, OutboxBusyError)):
            # The caller gets the result or the error of the write. An error of ours must not replace it.
            warn_or_log(f"the outbox cannot be written, {row.operation} with key {row.key} stays open: {trouble}")


# A weak reference: where an interrupt keeps the variable from being reset, it must not keep the claim on the write.
_OPEN_WRITE: ContextVar[ref[OpenWrite] | None] = ContextVar("resilience_outbox_write", default=None)


def current_write() -> OpenWrite:
    """Return the write whose call is under way. Only calls that are recorded ask."""
    reference = _OPEN_WRITE.get()
    write = None if reference is None else reference()
    assert write is not None, "the call holds it"
    return write
