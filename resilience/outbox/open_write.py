"""Updates one write's row while its call runs: stores each stamp before it is used, and settles the row at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Self, TypeVar
from weakref import ref

from .._core.base.clock import Clock
from .._core.call.send_log import SendLog
from .._core.classify.attach import attached_failure
from ..errors import RejectedError
from .file_waits import AttemptLimit, TooLateError, apoll, poll
from .outbox_file import OutboxLockedError
from .safe_warning import warn_or_log
from .write_table import WriteTable

__all__ = ["OpenWrite", "current_write", "new_stamps"]

T = TypeVar("T")


class OpenWrite:
    """One write while its call runs. Leaving the block settles its row, unless the outcome is uncertain.

    Attributes:
        stamps: the stamps that are on disk.
        began: the attempt of the earlier process counts in the call, so that an error of the call covers it.
        answer: what the last attempt returned, or what a lookup found.
    """

    def __init__(
        self,
        table: WriteTable,
        key: str,
        operation: str,
        *,
        stamps: tuple[float, ...] = (),
        add: Callable[[], None] | None = None,
        rejection_type: type[RejectedError],
        clock: Clock,
        asynchronous: bool,
        resumed: bool = False,
        release: Callable[[], None],
    ) -> None:
        """Begin a write whose row is on disk, or will be before its first attempt.

        Args:
            table: the table that has its row.
            key: its idempotency key.
            operation: its name.
            stamps: the stamps that an earlier process stored.
            add: adds the row, where the file was locked before the call; None where it is there.
            rejection_type: the class of our rejections that the client's users expect.
            clock: the time to wait by.
            asynchronous: whether a wait would block an event loop.
            resumed: an earlier process may have sent it.
            release: gives the claim on the write back.
        """
        self._table = table
        self._key = key
        self._operation = operation
        self._add = add
        self._rejection_type = rejection_type
        self._clock = clock
        self._asynchronous = asynchronous
        self._release = release
        self._met_lock = False
        self._resumed = resumed
        self._is_substitute = False
        self.began = not resumed
        self.answer: Any = None
        self.stamps = list(stamps)
        self._token: Any = None

    # --- before an attempt ------------------------------------------------------------------------

    def get_ready(self) -> None:
        """Return once the row is on disk and the file can be written, so that the attempt may be sent.

        Raises:
            RejectedError: that is not so before the attempt's end.
        """
        with self._within_attempt() as until:
            poll(self._get_ready, self._clock, until)

    async def aget_ready(self) -> None:
        """Do as `get_ready`; other tasks run meanwhile."""
        with self._within_attempt() as until:
            await apoll(self._get_ready, self._clock, until)

    @contextmanager
    def _within_attempt(self) -> Iterator[float]:
        """Give the instant up to which an attempt may wait; what the file raises, or a wait too long, rejects it."""
        limit = AttemptLimit(self._clock)
        try:
            yield limit.until
            limit.check()
        except OSError as error:
            raise self._rejection(error) from error

    def _get_ready(self) -> None:
        if self._add is not None:
            self._add()
            self._add = None
        elif self._met_lock:
            self._table.check_writable()
        else:
            self._table.file.check_in_place()
        self._met_lock = False

    # --- during an attempt ------------------------------------------------------------------------

    def add_stamp(self, stamp: float) -> None:
        """Store a stamp, before the attempt that carries it is sent.

        Raises:
            RejectedError: the file cannot be written. The attempt must not be sent then.
        """
        if stamp in self.stamps:  # a resumed call reports the stored stamps again
            return
        self._store(lambda: self._table.set_stamps(self._key, self._operation, [*self.stamps, stamp]))
        self.stamps.append(stamp)

    def store_key_missing(self) -> None:
        """Store that the finished request does not carry the key; raises as `add_stamp` does."""
        self._store(lambda: self._table.set_key_missing(self._key, self._operation))

    def _store(self, step: Callable[[], None]) -> None:
        # An attempt reports its stamp from code that cannot wait in an event loop: see `met_lock`.
        limit = AttemptLimit(self._clock)
        try:
            poll(step, self._clock, self._clock.monotonic() if self._asynchronous else limit.until)
            if not self._asynchronous:
                limit.check()
        except OSError as error:
            self._met_lock = isinstance(error, OutboxLockedError)
            raise self._rejection(error) from error

    @property
    def met_lock(self) -> bool:
        """Whether the attempt under way stopped because the file was locked: nothing of it was sent."""
        return self._met_lock

    def _rejection(self, error: OSError) -> RejectedError:
        why = str(error) if isinstance(error, TooLateError) else f"the outbox cannot be written: {error}"
        message = f"{self._operation}: {why}; nothing was sent"
        return self._rejection_type(message, operation=self._operation)

    # --- the end ----------------------------------------------------------------------------------

    def proves_failure(self, error: BaseException) -> bool:
        """Return whether the error of the call proves that the write was not executed."""
        failure = attached_failure(error) if isinstance(error, Exception) else None
        # An error without a failure did not come from the pipeline, and after a cancellation (or the end of the
        # process) the call has not ended. The row stays open, and the next resume looks the write up.
        if failure is None or failure.executed == "maybe" or not self.began:
            return False
        return not (self._resumed and failure.duplicate)  # "duplicate": what the earlier process sent is there

    def check_result(self, result: Any) -> None:
        """Leave the write open if the result of its call is a fallback's and no answer of the API."""
        self._is_substitute = result is not self.answer

    def __enter__(self) -> Self:
        self._token = _OPEN_WRITE.set(ref(self))
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            with suppress(ValueError):  # left in another task's context: there is nothing to reset
                _OPEN_WRITE.reset(self._token)
            self._settle(error)
        finally:
            self._release()

    def _settle(self, error: BaseException | None) -> None:
        if self._add is not None:
            return  # never recorded, hence never sent; a row with this key would be another write's
        if self._is_substitute if error is None else not self.proves_failure(error):
            return
        trouble = self._table.settle(self._key, self._operation, "done" if error is None else "failed")
        if trouble is not None:
            # The caller gets the result or the error of the write. An error of ours must not replace it.
            warn_or_log(f"the outbox cannot be written, {self._operation} with key {self._key} stays open: {trouble}")


# A weak reference: where an interrupt keeps the variable from being reset, it must not keep the claim on the write.
_OPEN_WRITE: ContextVar[ref[OpenWrite] | None] = ContextVar("resilience_outbox_write", default=None)


class _StoredStamps(SendLog):
    """The log of one call. What an attempt reports is stored before it is used."""

    def __init__(self, write: OpenWrite) -> None:
        self._write: OpenWrite | None = None
        super().__init__()
        self._write = write

    def append(self, stamp: float, /) -> None:
        assert self._write is not None
        self._write.add_stamp(stamp)
        super().append(stamp)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "key_missing" and value and self._write is not None:
            self._write.store_key_missing()
        super().__setattr__(name, value)


def new_stamps() -> SendLog:
    """Return the log that gets the stamps of the current call."""
    return _StoredStamps(current_write())


def current_write() -> OpenWrite:
    """Return the write whose call is under way. Only calls that are recorded ask."""
    reference = _OPEN_WRITE.get()
    write = None if reference is None else reference()
    assert write is not None, "the call holds it"
    return write
