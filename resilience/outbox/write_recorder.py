"""Records writes before they are sent: claims the write, stores its row, and returns what updates the row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .._core.base.clock import Clock
from .._core.call.operation_info import OperationInfo
from ..errors import RejectedError
from .claims import Claim, Claims
from .open_write import OpenWrite
from .outbox_file import OutboxLockedError
from .write_table import NewWrite, WriteTable

__all__ = ["WriteRecorder"]


class WriteRecorder:
    """Records the writes of one outbox. Safe across threads and tasks.

    Attributes:
        table: the table of writes.
        claims: the writes that a call or a resume of this process is working on.
    """

    def __init__(self, table: WriteTable) -> None:
        self.table = table
        self.claims = Claims()

    def begin(self, write: NewWrite, info: OperationInfo, clock: Clock, *, asynchronous: bool) -> OpenWrite:
        """Record a write before it is sent. Where the file is locked now, its first attempt waits and records it.

        Args:
            write: what is stored.
            info: the operation.
            clock: the time to wait by.
            asynchronous: whether a wait would block an event loop.

        Raises:
            RejectedError: as its subclass for the client's users: the write with this key is in progress, uncertain
                or done, or the file cannot be written.
        """
        rejection_type = info.rejection_types.get(RejectedError, RejectedError)
        add: Callable[[], None] | None = partial(self._add, write, rejection_type)
        try:
            self.table.file.check_owner()  # before the lock of the claims, which a forked child could wait for forever
            claim = self.claims.take(write.key, write.operation)
            if claim is None:
                raise self._taken(write, rejection_type)
            try:
                self._add(write, rejection_type)
                add = None
            except OutboxLockedError:
                pass  # waited for under the deadline of the call, which has not begun
            except BaseException:
                self.claims.release(claim)
                raise
        except OSError as error:
            if isinstance(error, RejectedError):
                raise  # of a client whose own errors are `OSError`s
            message = f"{write.operation}: the outbox cannot be written: {error}; nothing was sent"
            raise rejection_type(message, operation=write.operation) from error
        return self.open(claim, rejection_type, clock, asynchronous=asynchronous, add=add)

    def open(self, claim: Claim, rejection_type: type[RejectedError], clock: Clock, **options: Any) -> OpenWrite:
        """Return what updates the row of a claimed write; `options` are those of `OpenWrite`."""
        key, operation = claim.write
        release = partial(self.claims.release, claim)
        return OpenWrite(
            self.table, key, operation, rejection_type=rejection_type, clock=clock, release=release, **options
        )

    def _add(self, write: NewWrite, rejection_type: type[RejectedError]) -> None:
        if not self.table.add(write):
            raise self._taken(write, rejection_type)

    def _taken(self, write: NewWrite, rejection_type: type[RejectedError]) -> RejectedError:
        """Return the rejection of a write whose key is taken."""
        row = self.table.find(write.key, write.operation)
        if row is not None and row.state == "done":
            reason = "was executed already"
        elif row is not None and row.problem:
            reason = f"has a row that cannot be read ({row.problem}): see Outbox.settle"
        else:
            reason = "is in progress or uncertain: call Outbox.resume first"
        message = f"{write.operation}: the write with key {write.key} {reason}; nothing was sent"
        return rejection_type(message, operation=write.operation)
