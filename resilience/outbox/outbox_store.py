"""Defines what a store of an outbox does: a file is one, a PostgreSQL server another.

`Outbox` and all that follows it ask for nothing else. Each change of a row is durable when its method returns, but for
two that a file may lose in a power cut: a new row of a client that signs, until its first stamp is stored, and "done".
It is made only while the row is still held as it was taken. Nothing here waits longer than one try: a store that may be
usable a moment later raises an `OutboxBusyError`, and `store_waits.py` decides what to do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol, TypeVar

from .._core.call.unsettled_writes import WriteOwner
from .row import Row, RowState

__all__ = ["HeldWrite", "NewWrite", "OutboxBusyError", "OutboxStore", "TakenWrite", "WriteAdoptedError"]


T = TypeVar("T")


class OutboxBusyError(OSError):
    """The outbox cannot be used now. It may be usable a moment later.

    Attributes:
        may_be_stored: the change may have been made all the same: the answer to it was lost.
    """

    may_be_stored = False


class WriteAdoptedError(OSError):
    """The row is no longer this outbox's: another process has adopted the write. Nothing was changed."""


class NewWrite(NamedTuple):
    """What is stored of a write before it is sent.

    Attributes:
        key: its idempotency key.
        operation: its name.
        arguments: their JSON text.
        account: a digest of the client's account, or None.
        host: the host that the client talks to, or None.
        token: in a shared store, a random text that tells this call from every other.
        window: seconds for which the API accepts what this client signs; None where it signs nothing.
    """

    key: str
    operation: str
    arguments: str
    account: str | None = None
    host: str | None = None
    token: str = ""
    window: float | None = None


class HeldWrite(NamedTuple):
    """A row as this outbox has taken it. Whoever takes it later raises the epoch, and ends what this one may change."""

    key: str
    operation: str
    epoch: int = 0


class TakenWrite(NamedTuple):
    """A row that was taken, as it was stored at that moment."""

    row: Row
    held: HeldWrite


class OutboxStore(Protocol):
    """Stores the writes of an outbox. Safe across threads and in signal handlers.

    Every method raises an `OSError` if the store cannot be used.
    """

    @property
    def is_shared(self) -> bool:
        """Return whether other processes use the store at the same time and may adopt its writes."""

    async def in_background(self, step: Callable[[], T], *, durable: bool) -> tuple[T, BaseException | None]:
        """Make a step, which uses this store, without blocking the event loop where the store can.

        Args:
            step: calls methods of this store.
            durable: what it changes must survive a power cut before it is reported.

        Returns:
            What the step returns, and the cancellation of this task that arrived meanwhile. Whoever has done what the
            step made necessary raises it.
        """

    def post(self, step: Callable[[], object]) -> None:
        """Make a step that raises nothing, soon and before the store is closed; a file makes it in another thread."""

    def check_process(self) -> None:
        """Raise an `OSError` if this process may not use the store at all."""

    def add(self, write: NewWrite) -> HeldWrite | None:
        """Add an open write, in place of a failed one with the same key.

        Returns:
            None if the key is taken by a write that is open or done.

        Raises:
            TypeError: the key is no text that can be stored.
        """

    def withdraw(self, write: NewWrite) -> bool:
        """Settle a write as failed whose `add` may have been stored or not, or may be stored later.

        Returns:
            False if another process has adopted it meanwhile.
        """

    def take(self, row: Row) -> TakenWrite | None:
        """Take an open write that nobody works on; None if another has taken or settled it meanwhile."""

    def check(self, held: HeldWrite, *, writable: bool) -> None:
        """Raise an `OSError` if an attempt of this write must not be sent.

        Args:
            held: the write.
            writable: whether the store must be able to write now; else it is enough that it is in place.
        """

    def set_stamps(self, held: HeldWrite, stamps: Iterable[float]) -> None:
        """Store the stamps of a write's attempts; raises an `OSError` if they are not durable afterwards."""

    def set_key_missing(self, held: HeldWrite) -> None:
        """Store that a request did not carry the key; raises an `OSError` if that is not durable afterwards."""

    def set_window(self, held: HeldWrite, seconds: float) -> None:
        """Store for how long the API accepts a request; raises an `OSError` if that is not durable afterwards."""

    def settle(self, held: HeldWrite, state: RowState) -> OSError | None:
        """Store how a write ended, now or with the next use of the store.

        Returns:
            What went wrong, unless the store is only busy. For a shared store that is an error as well.
        """

    def find(self, key: str, operation: str | None = None) -> Row | None:
        """Return a write by its key, or None; of several operations with this key, one that is open."""

    def in_state(self, state: RowState) -> list[Row]:
        """Return the writes in this state, oldest first. Those in a state that is none count as open."""

    def resumable(self) -> list[Row]:
        """Return the open writes that this outbox may resume, oldest first."""

    def adoptable(self) -> list[Row]:
        """Return the open writes of owners that work on them no more, oldest first."""

    def forget(self, older_than: float) -> int:
        """Delete the writes that were settled more than this many seconds ago; return their number."""

    def follow(self, held: HeldWrite) -> WriteOwner | None:
        """Return who has an open write, kept up to date for as long as it is referred to; None if it is not shared."""

    def keep_leases(self, in_progress: Callable[[], list[tuple[str, str]]]) -> None:
        """Keep what this process works on from being adopted; `in_progress` returns its (key, operation)."""

    def close(self) -> OSError | None:
        """Close the store; return what kept a state from being stored."""
