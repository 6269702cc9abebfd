"""Records what a failed call has sent: stamps and key of its attempts, and which of them may have been executed."""

from __future__ import annotations

from ..classify.failure import Failure, changed
from ..stages.fence import Fence
from .operation_info import fence_of_request
from .plan import Plan
from .reconcile import UncertainWrite
from .send_log import SendLog
from .steps import FailedCall

__all__ = ["SentAttempts"]


class SentAttempts:
    """The attempts of one call, as far as they have left. Used by one thread or task.

    Attributes:
        any_uncertain: some attempt may have been executed, whatever was found out since.
        key_missing: the finished request of an attempt did not carry the key, so nothing can be looked up by it.
        stamps: the log of the call; None where it has none.
        under_way: an attempt is under way: until its outcome is recorded, a cancelled write may have been executed.
        uncertain_write: the attempts that may have been executed; None when there never was one, or none can be
            looked up.
    """

    __slots__ = (
        "_call",
        "_plan",
        "_stamps_seen",
        "_started",
        "any_uncertain",
        "key_missing",
        "stamps",
        "uncertain_write",
        "under_way",
    )  # fmt: skip

    def __init__(self, plan: Plan, call: FailedCall, stamps: SendLog | None, started: float) -> None:
        self._plan = plan
        self._call = call
        self._started = started
        self._stamps_seen = 0
        self.stamps = stamps
        self.any_uncertain = self.key_missing = False
        self.under_way = True
        self.uncertain_write: UncertainWrite | None = None

    @property
    def is_open(self) -> bool:
        """Return whether some attempt has to be looked up before anything is sent or reported."""
        return self.uncertain_write is not None and self.uncertain_write.is_open

    @property
    def lag(self) -> float:
        """Return for how many seconds the order of the last request may be missing from queries."""
        return (self._reported_fence() or self._plan.fence).lag

    def record(self, failure: Failure, attempt: int, now: float) -> None:
        """Record a failed attempt: its stamp, and whether it may have been executed."""
        plan, call, stamps = self._plan, self._call, self.stamps
        new_stamps = [] if stamps is None else stamps[self._stamps_seen :]
        self._stamps_seen += len(new_stamps)
        self._note_missing_key()
        if call.sent_at is None:
            call.sent_at = self._first_stamp() if stamps else plan.clock.time() - (now - self._started)
        if plan.info.signs and stamps is not None and not new_stamps and failure.executed == "maybe":
            # A client that stamps what it sends has sent nothing.
            failure = changed(failure, executed="no", proof="proven")
        call.attempt, call.failure = attempt, failure
        is_uncertain = failure.executed == "maybe" and not failure.duplicate
        self.any_uncertain = self.any_uncertain or is_uncertain
        is_likely_refused = failure.executed == "no" and failure.proof == "likely"
        if is_uncertain or is_likely_refused:
            self._open(max(new_stamps, default=None), now, failure.answered_at, is_likely_refused=is_likely_refused)

    def record_not_executed(self, *, duplicate: bool) -> bool:
        """Record that the call ends without effect; return False if it may not report that."""
        return self.stamps is None or self.stamps.record_not_executed(duplicate=duplicate)

    def is_sent_now(self) -> bool:
        """Return whether the attempt under way may have been sent; completes what the call says of its requests."""
        plan, call, stamps = self._plan, self._call, self.stamps
        if not self.under_way or (plan.info.signs and stamps is not None and len(stamps) == self._stamps_seen):
            return False  # a client that stamps what it sends has sent nothing
        self._note_missing_key()
        if call.sent_at is None:
            since = plan.clock.monotonic() - self._started
            call.sent_at = self._first_stamp() if stamps else plan.clock.time() - since
        return True

    def open_under_way(self) -> None:
        """Record that the attempt under way was cancelled and has to be looked up, if that is possible."""
        new_stamps = [] if self.stamps is None else self.stamps[self._stamps_seen :]
        self._open(max(new_stamps, default=None), self._plan.clock.monotonic(), None, is_likely_refused=False)

    def _note_missing_key(self) -> None:
        # Nothing can be looked up by a key that was not sent, and a remedy must not name it.
        if self.stamps is not None and self.stamps.key_missing:
            self.key_missing, self._call.key = True, None
        elif self.stamps is not None and self.stamps.key_unused:
            self._call.key = None

    def _open(self, stamp: float | None, now: float, answered_at: float | None, *, is_likely_refused: bool) -> None:
        """Record that the last attempt has to be looked up, if that is possible."""
        plan, sent_at = self._plan, self._call.sent_at
        if not plan.reconcilable or self.key_missing:
            return
        assert sent_at is not None
        if self.uncertain_write is None:
            began = None if plan.info.resumed else self._started
            self.uncertain_write = UncertainWrite(plan.rules, plan.fence, sent_at, began)
        self.uncertain_write.attempt_opened(
            sent=now,
            stamp=stamp,
            answered_at=answered_at,
            is_likely_refused=is_likely_refused,
            fence=self._reported_fence(),
        )

    def _reported_fence(self) -> Fence | None:
        """Return the bounds of the last request, where it says them; those of the operation hold for any request."""
        reported = None if self.stamps is None else self.stamps.fence
        return None if reported is None else fence_of_request(self._plan.rules, reported)

    def _first_stamp(self) -> float:
        """Return the first stamp; of another process the earliest, whose clock may have been set back in between."""
        assert self.stamps
        return min(self.stamps) if self._plan.info.resumed else self.stamps[0]
