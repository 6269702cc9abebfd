"""Decides when an uncertain write is looked up, and what the answer of a lookup means for the call.

`reconcile.py` decides what an answer proves. A report of the write by a stream also arrives here.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from .found_order import compared
from .history import CallHistory
from .lookup_answer import Found, NotFound, OtherOrderError, answer_error, is_broken_lookup
from .open_writes import OPEN_WRITES, OpenWriteHandle
from .plan import Plan
from .reconcile import LookupVerdict
from .steps import FailedCall

__all__ = ["LookupDecision", "Next", "NextStep"]


class Next(Enum):
    """What follows a lookup."""

    AGAIN = "another lookup"
    RETRY = "an attempt after these seconds"
    SEND_AGAIN = "an attempt after these seconds, if the failure is one that may be retried"
    RETURN = "the call returns this value"
    FINISH = "the call ends with its last failure, which has this cause"


class NextStep(NamedTuple):
    """What follows, with its seconds, value or cause."""

    next: Next
    value: Any = None


_AGAIN, _FINISH = NextStep(Next.AGAIN), NextStep(Next.FINISH)


class LookupDecision:
    """The lookups of one call. Used by one thread or task.

    Attributes:
        is_last: the lookup under way, or the last one, is that at the end of the call.
        open_write: the handle by which a stream reports the write; None where none has waited for it.
    """

    __slots__ = ("_call", "_cleared", "_history", "_plan", "_started", "is_last", "open_write")

    def __init__(self, plan: Plan, call: FailedCall, history: CallHistory, started: float) -> None:
        self._plan = plan
        self._call = call
        self._history = history
        self._started = started
        self._cleared = False
        self.is_last = False
        self.open_write: OpenWriteHandle | None = None

    def watch_reports(self, key: str) -> OpenWriteHandle:
        """Return the handle by which a stream that reports this key ends the wait for the next lookup."""
        if self.open_write is None:
            self.open_write = OpenWriteHandle(OPEN_WRITES, key, self._plan.info.account)
            OPEN_WRITES.add(self.open_write, since=self._started)
        return self.open_write

    def take_news(self) -> bool:
        """Return whether a stream has reported something since this was last asked."""
        write = self.open_write
        if write is None or not write.has_news:
            return False
        write.has_news = False
        return True

    def reopen_if_reported(self) -> bool:
        """Return whether a stream has seen the order; a write that lookups had cleared before is open again then."""
        if self.open_write is None or self.open_write.reported is None or self._history.uncertain_write is None:
            return False
        self._history.uncertain_write.reopen()
        return True

    def begin_attempt(self) -> None:
        """Note that an attempt begins, which may be executed."""
        self._cleared = False

    def seconds_until_next(self, now: float) -> float | None:
        """Return after how many seconds the open write is looked up, at the latest shortly before the deadline.

        None where no lookup is left.
        """
        uncertain_write, deadline = self._history.uncertain_write, self._history.context.deadline
        assert uncertain_write is not None
        # The last lookup begins a second before the deadline, or 5 % of a shorter one: it needs time for its answer.
        due, last = uncertain_write.next_lookup(now), deadline - min(1.0, 0.05 * self._plan.deadline)
        if due <= last:
            return due - now
        if self.is_last or last <= now:
            return None
        self.is_last = True
        return last - now

    def is_needed_at_the_end(self) -> bool:
        """Return whether one more lookup may change what the caller gets."""
        if self._plan.info.reconcile is None or self.is_last or self._cleared:
            return False
        history, failure = self._history, self._history.failure
        # A certain "no" after an earlier uncertain attempt: that attempt may show up until the end.
        if history.proved_not_executed and (failure.executed != "maybe" or failure.duplicate):
            return True
        # A harmless write that is uncertain: its goal may be reached.
        return self._plan.confirmable and history.maybe_executed

    def judge(self, answer: Any, sent: float, now: float) -> NextStep:
        """Return what follows a lookup.

        Args:
            answer: what the reconciler returned or raised.
            sent: when it was called.
            now: the present instant.
        """
        self._history.looked_up = True
        error = answer if is_broken_lookup(answer) else None if isinstance(answer, Exception) else answer_error(answer)
        if error is not None:
            # A bug of the program: it would fail again, so nobody waits for the deadline in silence.
            self._history.events.record_lookup_error(answer, is_broken=True)
            return NextStep(Next.FINISH, error)
        answer = compared(answer, self._call, self._plan.fn)
        if isinstance(answer, OtherOrderError):
            self._history.events.record_lookup_error(answer, is_broken=False)
        return self._judge_confirmation(answer) if self._plan.confirmable else self._judge_write(answer, sent, now)

    def close(self) -> None:
        """Tell streams that nobody waits for the write any more."""
        if self.open_write is not None:
            self.open_write.close()
            self.open_write = None

    def _judge_confirmation(self, answer: Any) -> NextStep:
        """Judge a lookup of a harmless write: its goal is reached, or the caller gets the API's own answer."""
        if isinstance(answer, Found):
            self._history.record_reconciled()
            return NextStep(Next.RETURN, answer.value)
        too_early = self._history.failure.hint == "requery_once" and not self.is_last
        return NextStep(Next.RETRY, self._history.sent.lag) if too_early else _FINISH

    def _judge_write(self, answer: Any, sent: float, now: float) -> NextStep:
        uncertain_write = self._history.uncertain_write
        assert uncertain_write is not None
        # An error of the lookup proves nothing; and where a stream has seen the order, the lookup is behind.
        if isinstance(answer, Exception) or (isinstance(answer, NotFound) and self.reopen_if_reported()):
            uncertain_write.lookup_failed()
            return _AGAIN
        age = self._plan.clock.time() - (self._call.sent_at or 0.0)
        verdict = uncertain_write.judge(answer, sent=sent, now=now, age=age)
        if verdict is LookupVerdict.DONE and isinstance(answer, Found):
            self._history.record_reconciled()
            return NextStep(Next.RETURN, answer.value)
        self._history.key_of_other = verdict is LookupVerdict.FOREIGN
        if verdict in (LookupVerdict.FOREIGN, LookupVerdict.FORGOTTEN) or self.is_last:
            return _FINISH
        if verdict is LookupVerdict.AGAIN:
            return _AGAIN
        # It did not happen and cannot any more. No further delay: the call has waited for the fence already.
        self._cleared = True
        return NextStep(Next.SEND_AGAIN, 0.0)
