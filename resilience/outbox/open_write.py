"""Updates one write's row while its call runs: stores each stamp before it is used, and settles the row at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Self, TypeVar
from weakref import ref

from .._core.base.clock import Clock
from .._core.base.context_variables import reset_variable
from .._core.call.unsettled_writes import UnsettledWrites
from .._core.classify.attach import attached_failure
from ..errors import RejectedError
from .lost_write import mark_uncertain
from .outbox_store import HeldWrite, OutboxBusyError, OutboxStore, WriteAdoptedError
from .pending_write import PendingWrite
from .row import RowState
from .safe_warning import warn_or_log
from .store_waits import AttemptLimit, TooLateError, apoll, poll

__all__ = ["OpenWrite", "current_write"]

T = TypeVar("T")


class OpenWrite:
    """One write while its call runs. Leaving the block settles its row, unless the outcome is uncertain.

    Attributes:
        stamps: the stamps that are stored.
        began: the attempt of the earlier process counts in the call, so that an error of the call covers it.
        answer: what the last attempt returned, or what a lookup found.
        may_send_again: an error of the call under way does not end the write: it may be sent again after it.
    """

    def __init__(
        self,
        store: OutboxStore,
        key: str,
        operation: str,
        *,
        held: HeldWrite | None,
        stamps: tuple[float, ...] = (),
        pending: PendingWrite | None = None,
        rejection_type: type[RejectedError],
        clock: Clock,
        asynchronous: bool,
        resumed: bool = False,
        is_provable: bool = True,
        signs: bool = False,
        window: float = 0.0,
        release: Callable[[], None],
        fail: Callable[[], bool],
        unsettled: UnsettledWrites | None = None,
    ) -> None:
        """Begin a write whose row is on disk, or will be before its first attempt.

        Args:
            store: the store that has its row.
            key: its idempotency key.
            operation: its name.
            held: its row; None where it is still to be added.
            stamps: the stamps that an earlier process stored.
            pending: adds the row, where the store was busy before the call; None where it is there.
            rejection_type: the class of our rejections that the client's users expect.
            clock: the time to wait by.
            asynchronous: whether a wait would block an event loop.
            resumed: an earlier process may have sent it.
            is_provable: False where the earlier process may send it at any later time, so that no lookup proves that
                it was not executed.
            signs: the client reports a stamp before anything of an attempt is sent.
            window: seconds for which the API accepts a request, as a later process knows it.
            release: gives the claim on the write back.
            fail: settles the row as not executed, once this call has ended; False if it cannot be, or somebody else
                works on it.
            unsettled: shows who has the write, if its outcome is uncertain.
        """
        self._unsettled = unsettled
        self._store = store
        self._key = key
        self._operation = operation
        self._held = held
        self._pending = pending
        self._rejection_type = rejection_type
        self._clock = clock
        self._asynchronous = asynchronous
        self._release = release
        self._fail = fail
        self._was_busy = False
        self._resumed = resumed
        self._is_provable = is_provable
        # What has just been taken, and reports a stamp before it sends, needs no other check in a shared store.
        self._needs_check = not (store.is_shared and signs) or held is None
        self._is_settled = self._is_lost = self._is_replaying = False
        self.may_send_again = False
        self._window = window
        self._is_substitute = self._is_left = False
        self.began = not resumed
        self.answer: Any = None
        self.stamps = list(stamps)
        self._token: Any = None

    # --- before an attempt ------------------------------------------------------------------------

    def get_ready(self) -> None:
        """Return once the row is stored and is still this call's, so that the attempt may be sent.

        Raises:
            RejectedError: that is not so before the attempt's end.
        """
        with self._within_attempt() as until:
            poll(self._get_ready, self._clock, until)

    async def aget_ready(self) -> None:
        """Do as `get_ready`; other tasks run meanwhile."""
        with self._within_attempt() as until:
            if self._pending is None:
                await apoll(self._get_ready, self._clock, until)
            else:
                await apoll(self._aadd_row, self._clock, until)
                self._needs_check, self._was_busy = True, False

    async def _aadd_row(self) -> None:
        assert self._pending is not None
        self._held, cancellation = await self._pending.aadd()
        self._pending = None
        if cancellation is not None:
            raise cancellation

    @contextmanager
    def _within_attempt(self) -> Iterator[float]:
        """Give the instant up to which an attempt may wait; what the store raises, or a wait too long, rejects it."""
        limit = AttemptLimit(self._clock)
        try:
            yield limit.until
            limit.check()
        except OSError as error:
            raise self._rejection(error) from error

    def _get_ready(self) -> None:
        if self._pending is not None:
            self._held = self._pending.add()
            self._pending = None
        elif self._needs_check:
            self._store.check(self._row(), writable=self._was_busy)
        self._needs_check, self._was_busy = True, False

    def _row(self) -> HeldWrite:
        assert self._held is not None, "no attempt begins before the row is stored"
        return self._held

    # --- during an attempt ------------------------------------------------------------------------

    def add_stamp(self, stamp: float) -> None:
        """Store a stamp, before the attempt that carries it is sent.

        Raises:
            RejectedError: the store cannot be written, or another process has adopted the write. The attempt must not
                be sent then.
        """
        if self._is_replaying:
            return
        # Also where the clock stands still, so that the stamp is stored already: the row may have been adopted.
        stamps = self.stamps if stamp in self.stamps else [*self.stamps, stamp]
        self._write(lambda: self._store.set_stamps(self._row(), stamps))
        self.stamps = list(stamps)

    @property
    def is_async(self) -> bool:
        """Whether the call is awaited, so that its attempts may await their stamps (`aadd_stamp`)."""
        return self._asynchronous and not self._is_replaying

    async def aadd_stamp(self, stamp: float) -> None:
        """Do as `add_stamp`; other tasks run meanwhile, and a store that is busy is waited for."""
        stamps = self.stamps if stamp in self.stamps else [*self.stamps, stamp]
        step = partial(self._store.set_stamps, self._row(), stamps)

        async def store() -> None:
            _, cancellation = await self._store.in_background(step, durable=True)
            if cancellation is not None:
                raise cancellation

        with self._within_attempt() as until:
            await apoll(store, self._clock, until)
        self.stamps = list(stamps)

    @contextmanager
    def replaying(self) -> Iterator[None]:
        """Report what is stored of a request that was sent before, inside this block: it is not stored again."""
        self._is_replaying = True
        try:
            yield
        finally:
            self._is_replaying = False

    def store_key_missing(self) -> None:
        """Store that the finished request does not carry the key; raises as `add_stamp` does."""
        if self._is_replaying:
            return
        self._write(lambda: self._store.set_key_missing(self._row()))

    def store_window(self, seconds: float) -> None:
        """Store for how long the request is accepted, where that is more than is known; raises as `add_stamp` does.

        A later process would else believe "not found" while the request may still be sent and accepted.
        """
        if self._is_replaying or seconds <= self._window:
            return
        self._write(lambda: self._store.set_window(self._row(), seconds))
        self._window = seconds

    def _write(self, step: Callable[[], None]) -> None:
        # An attempt reports its stamp from code that cannot wait in an event loop: see `was_busy`.
        limit = AttemptLimit(self._clock)
        try:
            poll(step, self._clock, self._clock.monotonic() if self._asynchronous else limit.until)
            if not self._asynchronous:
                limit.check()
        except OSError as error:
            self._was_busy = isinstance(error, OutboxBusyError)
            raise self._rejection(error) from error

    @property
    def was_busy(self) -> bool:
        """Whether the attempt under way stopped because the store was busy: nothing of it was sent."""
        return self._was_busy

    def _rejection(self, error: OSError) -> RejectedError:
        clear = isinstance(error, (TooLateError, WriteAdoptedError))
        why = str(error) if clear else f"the outbox cannot be written: {error}"
        message = f"{self._operation}: {why}; nothing was sent"
        return self._rejection_type(message, operation=self._operation)

    # --- the end ----------------------------------------------------------------------------------

    def proves_failure(self, error: BaseException) -> bool:
        """Return whether the error of the call proves that the write was not executed."""
        # An error without a failure did not come from the pipeline, and after a cancellation (or the end of the
        # process) the call has not ended. The row stays open, and the next resume looks the write up. In a shared store
        # that would be another process, and soon: it must not send an order that was cancelled before it was sent.
        is_end = isinstance(error, Exception) or self._store.is_shared
        failure = attached_failure(error) if is_end else None
        if failure is None or failure.executed == "maybe" or not self.began or self._is_lost or not self._is_provable:
            return False
        return not (self._resumed and failure.duplicate)  # "duplicate": what the earlier process sent is there

    def record_not_executed(self, *, duplicate: bool) -> bool:
        """Return whether the call may report that the write was not executed.

        In a shared store it may not where another process has the write, or gets it once this one's lease has ended:
        that one may still send it. So the row is settled before the report.
        """
        if not self._store.is_shared:
            return True
        if self._pending is not None:
            return self._pending.withdraw()
        if not self._is_provable or not self.began or (self._resumed and duplicate):
            return False
        if self.may_send_again:
            return self._still_holds()
        self._store_state("failed")
        return not self._is_lost

    def _still_holds(self) -> bool:
        try:
            self._store.check(self._row(), writable=True)
        except OSError:
            return False
        return True

    def abandon(self) -> None:
        """End a write of which nothing was sent, and whose call does not begin."""
        try:
            if self._pending is not None:
                self._pending.withdraw()
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
        if self._held is None or self._unsettled is None:
            return
        owner = self._store.follow(self._held)
        if owner is not None:
            self._unsettled.set_owner(self._key, owner)
        self._unsettled.set_row(self._key, self._fail)

    async def asettle(self, error: Exception) -> None:
        """Settle the row of a write whose call ends with this error, while other tasks run and before the block ends.

        Raises:
            BaseException: the cancellation that arrived meanwhile.
        """
        self._is_left = True
        if self._pending is not None or self.proves_failure(error):
            _, cancellation = await self._store.in_background(
                partial(self._settle_anew, error, self._is_settled), durable=True
            )
            if cancellation is not None:
                raise cancellation

    def settle_later(self) -> None:
        """Settle the row of a write that has a result: soon, because the result must not wait or be cancelled."""
        self._is_left = True
        self._store.post(partial(self._settle_anew, None, self._is_settled))

    def _settle_anew(self, error: BaseException | None, was_settled: bool) -> None:
        # A file makes a step once more whose transaction has failed as a whole.
        self._is_settled = was_settled
        self._settle(error)

    def _settle(self, error: BaseException | None) -> None:
        if self._pending is not None:  # never recorded, hence never sent; a row with this key is another write's
            if error is not None and not self._pending.withdraw():
                mark_uncertain(error, self._key)
            return
        if self._is_settled:
            return
        if self._is_substitute if error is None else not self.proves_failure(error):
            return
        self._store_state("done" if error is None else "failed")
        if error is not None and self._is_lost:
            mark_uncertain(error, self._key)

    def _store_state(self, state: RowState) -> None:
        trouble = self._store.settle(self._row(), state)
        self._is_settled = trouble is None
        self._is_lost = self._store.is_shared and trouble is not None
        if trouble is not None and not isinstance(trouble, (WriteAdoptedError, OutboxBusyError)):
            # The caller gets the result or the error of the write. An error of ours must not replace it.
            warn_or_log(f"the outbox cannot be written, {self._operation} with key {self._key} stays open: {trouble}")


# A weak reference: where an interrupt keeps the variable from being reset, it must not keep the claim on the write.
_OPEN_WRITE: ContextVar[ref[OpenWrite] | None] = ContextVar("resilience_outbox_write", default=None)


def current_write() -> OpenWrite:
    """Return the write whose call is under way. Only calls that are recorded ask."""
    reference = _OPEN_WRITE.get()
    write = None if reference is None else reference()
    assert write is not None, "the call holds it"
    return write
