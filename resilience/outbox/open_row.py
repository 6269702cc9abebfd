"""Stores in the row of an open write what its attempts need there before they send, or rejects the attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from .._core.base.clock import Clock
from ..errors import RejectedError
from .outbox_store import HeldWrite, OutboxBusyError, OutboxStore, WriteAdoptedError
from .pending_write import PendingWrite
from .store_waits import AttemptLimit, TooLateError, apoll, poll

__all__ = ["OpenRow"]


class OpenRow:
    """The row of one write while its call runs. Whatever it stores is stored within the time of the attempt under way.

    Attributes:
        store: the store that has the row.
        key: the write's idempotency key.
        operation: the write's name.
        held: the row; None where it is still to be added.
        pending: adds the row, where the store was busy before the call; None where it is there.
        stamps: the stamps that are stored.
        was_busy: the attempt under way stopped because the store was busy: nothing of it was sent.
    """

    def __init__(
        self,
        store: OutboxStore,
        key: str,
        operation: str,
        *,
        held: HeldWrite | None,
        pending: PendingWrite | None = None,
        stamps: tuple[float, ...] = (),
        rejection_type: type[RejectedError],
        clock: Clock,
        asynchronous: bool,
        signs: bool = False,
        window: float = 0.0,
    ) -> None:
        """Begin with a row that is on disk, or will be before the first attempt.

        Args:
            store: the store that has the row.
            key: the write's idempotency key.
            operation: the write's name.
            held: the row; None where it is still to be added.
            pending: adds the row, where the store was busy before the call; None where it is there.
            stamps: the stamps that an earlier process stored.
            rejection_type: the class of our rejections that the client's users expect.
            clock: the time to wait by.
            asynchronous: whether a wait would block an event loop.
            signs: the client reports a stamp before anything of an attempt is sent.
            window: seconds for which the API accepts a request, as a later process knows it.
        """
        self.store = store
        self.key = key
        self.operation = operation
        self.held = held
        self.pending = pending
        self.stamps = list(stamps)
        self.was_busy = False
        self._rejection_type = rejection_type
        self._clock = clock
        self._asynchronous = asynchronous
        self._window = window
        self._is_replaying = False
        # What has just been taken, and reports a stamp before it sends, needs no other check in a shared store.
        self._needs_check = not (store.is_shared and signs) or held is None

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
            if self.pending is None:
                await apoll(self._get_ready, self._clock, until)
            else:
                await apoll(self._aadd_row, self._clock, until)
                self._needs_check, self.was_busy = True, False

    async def _aadd_row(self) -> None:
        assert self.pending is not None
        self.held, cancellation = await self.pending.aadd()
        self.pending = None
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
        if self.pending is not None:
            self.held = self.pending.add()
            self.pending = None
        elif self._needs_check:
            self.store.check(self._stored(), writable=self.was_busy)
        self._needs_check, self.was_busy = True, False

    def _stored(self) -> HeldWrite:
        assert self.held is not None, "no attempt begins before the row is stored"
        return self.held

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
        self._write(partial(self.store.set_stamps, self._stored(), stamps))
        self.stamps = list(stamps)

    @property
    def is_async(self) -> bool:
        """Whether the call is awaited, so that its attempts may await their stamps (`aadd_stamp`)."""
        return self._asynchronous and not self._is_replaying

    async def aadd_stamp(self, stamp: float) -> None:
        """Do as `add_stamp`; other tasks run meanwhile, and a store that is busy is waited for."""
        stamps = self.stamps if stamp in self.stamps else [*self.stamps, stamp]
        assert self.held is not None, "the attempt began once the row was stored"
        step = partial(self.store.set_stamps, self.held, stamps)

        async def store() -> None:
            _, cancellation = await self.store.in_background(step, durable=True)
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
        self._write(partial(self.store.set_key_missing, self._stored()))

    def store_window(self, seconds: float) -> None:
        """Store for how long the request is accepted, where that is more than is known; raises as `add_stamp` does.

        A later process would else believe "not found" while the request may still be sent and accepted.
        """
        if self._is_replaying or seconds <= self._window:
            return
        self._write(partial(self.store.set_window, self._stored(), seconds))
        self._window = seconds

    def _write(self, step: Callable[[], None]) -> None:
        # An attempt reports its stamp from code that cannot wait in an event loop: see `was_busy`.
        limit = AttemptLimit(self._clock)
        try:
            poll(step, self._clock, self._clock.monotonic() if self._asynchronous else limit.until)
            if not self._asynchronous:
                limit.check()
        except OSError as error:
            self.was_busy = isinstance(error, OutboxBusyError)
            raise self._rejection(error) from error

    def _rejection(self, error: OSError) -> RejectedError:
        clear = isinstance(error, (TooLateError, WriteAdoptedError))
        why = str(error) if clear else f"the outbox cannot be written: {error}"
        message = f"{self.operation}: {why}; nothing was sent"
        return self._rejection_type(message, operation=self.operation)
