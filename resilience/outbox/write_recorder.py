"""Records writes before they are sent: claims the write, stores its row, and returns what updates the row."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any
from weakref import ref

from .._core.base.clock import Clock
from .._core.base.routine import Invocation, Routine
from .._core.call.operation_info import OperationInfo
from .._core.call.unsettled_writes import UnsettledWrites
from .._core.stages.fence import Fence
from .._drivers.routine_runner import run_routine, run_routine_async
from ..errors import RejectedError
from .claims import Claim, Claims
from .open_row import OpenRow
from .open_write import OpenWrite
from .outbox_store import HeldWrite, NewWrite, OutboxBusyError, OutboxStore
from .pending_write import PendingWrite

__all__ = ["WriteRecorder"]


class WriteRecorder:
    """Records the writes of one outbox. Safe across threads and tasks.

    Attributes:
        store: the store of writes.
        claims: the writes that a call or a resume of this process is working on.
        adopted: the (key, operation) of writes in a shared store that were another owner's when they were taken. They
            are this outbox's own now, and yet the former owner may not have ended.
    """

    def __init__(self, store: OutboxStore) -> None:
        self.store = store
        self.claims = Claims()
        self.adopted: set[tuple[str, str]] = set()
        store.keep_leases(self.claims.writes)

    def begin(
        self, write: NewWrite, info: OperationInfo, clock: Clock, *, asynchronous: bool, unsettled: UnsettledWrites
    ) -> OpenWrite:
        """Record a write before it is sent. Where the store is busy now, its first attempt waits and records it.

        Args:
            write: what is stored.
            info: the operation.
            clock: the time to wait by.
            asynchronous: whether a wait would block an event loop.
            unsettled: the writes in doubt of the policies.

        Raises:
            RejectedError: as its subclass for the client's users: the write with this key is in progress, uncertain
                or done, or the store cannot be written.
        """
        return run_routine(self._beginning(write, info, clock, asynchronous=asynchronous, unsettled=unsettled))

    async def abegin(self, write: NewWrite, info: OperationInfo, clock: Clock, **options: Any) -> OpenWrite:
        """Do as `begin`, with the same options; other tasks run meanwhile."""
        return await run_routine_async(self._beginning(write, info, clock, **options, awaits=True))

    def _beginning(
        self, write: NewWrite, info: OperationInfo, clock: Clock, *, awaits: bool = False, **options: Any
    ) -> Routine[OpenWrite]:
        rejection_type = info.rejection_types.get(RejectedError, RejectedError)
        # Whoever resumes or adopts it may have a client with a shorter window.
        window = (info.fence or Fence()).window if info.signs else None
        write = write._replace(token=secrets.token_hex(8) if self.store.is_shared else "", window=window)
        held = cancellation = None
        pending = PendingWrite(write, partial(self._add, write, rejection_type), self.store)
        try:
            self.store.check_process()
            claim = self.claims.take(write.key, write.operation)
            if claim is None:
                raise self._taken(write, rejection_type)
            try:
                if awaits:
                    held, cancellation = yield Invocation(pending.aadd)
                else:
                    held = pending.add()
            except OutboxBusyError:
                pass  # waited for under the deadline of the call, which has not begun
            except BaseException:
                pending.withdraw()
                self.claims.release(claim)
                raise
        except OSError as error:
            if isinstance(error, RejectedError):
                raise  # of a client whose own errors are `OSError`s
            message = f"{write.operation}: the outbox cannot be written: {error}; nothing was sent"
            raise rejection_type(message, operation=write.operation) from error
        began = self.open(claim, info, clock, held=held, pending=None if held is not None else pending, **options)
        if cancellation is not None:
            began.abandon()
            raise cancellation
        return began

    def open(
        self,
        claim: Claim,
        info: OperationInfo,
        clock: Clock,
        *,
        held: HeldWrite | None,
        pending: PendingWrite | None = None,
        stamps: tuple[float, ...] = (),
        asynchronous: bool,
        **options: Any,
    ) -> OpenWrite:
        """Return what updates the row of a claimed write; `options` are those of `OpenWrite`, the others of its row."""
        key, operation = claim.write
        row = OpenRow(
            self.store, key, operation, held=held, pending=pending, stamps=stamps,
            rejection_type=info.rejection_types.get(RejectedError, RejectedError), clock=clock,
            asynchronous=asynchronous, signs=info.signs, window=(info.fence or Fence()).window,
        )  # fmt: skip
        release, fail = partial(self.claims.release, claim), partial(_fail, ref(self), key, operation)
        return OpenWrite(row, release=release, fail=fail, **options)

    def fail(self, key: str, operation: str) -> bool:
        """Settle an open write that was proven not to be executed; return False if somebody works on it or has it."""
        claim = self.claims.take(key, operation)
        if claim is None:
            return False
        try:
            row = self.store.find(key, operation)
            taken = None if row is None else self.store.take(row)
            if taken is not None:
                return self.store.settle(taken.held, "failed") is None
            return row is not None and row.state == "failed"
        except OSError:
            return False
        finally:
            self.claims.release(claim)

    def _add(self, write: NewWrite, rejection_type: type[RejectedError]) -> HeldWrite:
        held = self.store.add(write)
        if held is None:
            raise self._taken(write, rejection_type)
        self.adopted.discard((write.key, write.operation))
        return held

    def _taken(self, write: NewWrite, rejection_type: type[RejectedError]) -> RejectedError:
        """Return the rejection of a write whose key is taken."""
        row = self.store.find(write.key, write.operation)
        if row is not None and row.account != write.account:
            reason = "is that of another account: a key is used once in an outbox, so that this one needs another"
        elif row is not None and row.state == "done":
            reason = "was executed already"
        elif row is not None and row.state == "failed":
            reason = "was settled as not executed by another process meanwhile"
        elif row is not None and row.problem:
            reason = f"has a row that cannot be read ({row.problem}): see Outbox.settle"
        elif row is not None and self.store.is_shared:
            reason = f"is in progress or uncertain, and {row.owner} has it: see Outbox.resume and Outbox.adopt"
        else:
            reason = "is in progress or uncertain: call Outbox.resume first"
        message = f"{write.operation}: the write with key {write.key} {reason}; nothing was sent"
        return rejection_type(message, operation=write.operation)


def _fail(recorder: ref[WriteRecorder], key: str, operation: str) -> bool:
    """Do as `WriteRecorder.fail`; the writes in doubt keep no outbox alive. Of one that has ended the rows are open."""
    present = recorder()
    return present is not None and present.fail(key, operation)
