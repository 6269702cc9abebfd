"""Looks up a write whose call has ended without knowing its outcome, because a person asks for it.

It is judged by the same rules as during the call: "not found" is proof only past the fence of every open attempt.
Nothing is ever sent again from here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from .context import CallContext
from .found_order import compared
from .lookup_answer import Found, NotFound, answer_error
from .reconcile import LookupVerdict, UncertainWrite
from .steps import FailedCall

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["LateLookup", "LookupResult", "WriteOutcome"]


class WriteOutcome(StrEnum):
    """What a lookup has shown.

    Attributes:
        FOUND: the write took effect.
        NOT_FOUND: it did not take effect and cannot any more.
        NOT_YET: the API does not have it, which is no proof yet.
        FOREIGN: the key belongs to another order.
        FORGOTTEN: the API does not know orders of that age any more.
        FAILED: the lookup raised an error or returned something wrong.
    """

    FOUND = "found"
    NOT_FOUND = "not found"
    NOT_YET = "not yet"
    FOREIGN = "foreign"
    FORGOTTEN = "forgotten"
    FAILED = "failed"


class LookupResult(NamedTuple):
    """The result of one lookup.

    Attributes:
        outcome: what it has shown; the first two settle the write.
        value: the order that was found.
        error: why the lookup failed.
        wait: seconds after which "not found" will be proof, where it is not yet; None where it never will be.
    """

    outcome: WriteOutcome
    value: Any = None
    error: Exception | None = None
    wait: float | None = None

    @property
    def settles(self) -> bool:
        """Whether the outcome of the write is known now."""
        return self.outcome in (WriteOutcome.FOUND, WriteOutcome.NOT_FOUND)


_OUTCOMES = {
    LookupVerdict.DONE: WriteOutcome.FOUND,
    LookupVerdict.CLEAR: WriteOutcome.NOT_FOUND,
    LookupVerdict.FOREIGN: WriteOutcome.FOREIGN,
    LookupVerdict.FORGOTTEN: WriteOutcome.FORGOTTEN,
    LookupVerdict.AGAIN: WriteOutcome.NOT_YET,
}


class LateLookup:
    """The lookup of one write in doubt. Used by one thread or task at a time.

    Attributes:
        plan: the plan of its operation, with the reconciler.
        call: the call, as the reconciler gets it.
        place: where the client can be used: an event loop, or None for any thread.
    """

    __slots__ = ("_write", "call", "place", "plan")

    def __init__(self, plan: Plan, call: FailedCall, write: UncertainWrite | None) -> None:
        """Keep what the call knew of its attempts; without it only an order that is found settles the write."""
        # A copy: the call drops its failure when it is over, and the reconciler may ask for it.
        self.call = FailedCall(call.operation, call.args, call.kwargs, call.key)
        self.call.attempt, self.call.failure, self.call.sent_at = call.attempt, call.failure, call.sent_at
        self.plan = plan
        self.place: Any = None
        self._write = write

    def take_over(self, earlier: LateLookup | None) -> None:
        """Take the open attempts of an earlier call with the same key; None where nothing is known of them."""
        if earlier is None or earlier._write is None:
            self._write = None
        elif self._write is not None:
            self._write.take_over(earlier._write)

    def context(self, now: float, seconds: float) -> list[Any]:
        """Return the context in which the reconciler is called: its calls pay no budget, and pass an isolation."""
        return list(CallContext(self.plan, now + seconds, now + seconds, in_lookup=True))

    def judge(self, answer: Any, sent: float) -> LookupResult:
        """Return what an answer of the reconciler shows.

        Args:
            answer: what it returned or raised.
            sent: when it was called, monotonic seconds.
        """
        error = answer if isinstance(answer, Exception) else answer_error(answer)
        answer = answer if error is not None else compared(answer, self.call, self.plan.fn)
        if isinstance(answer, Exception):
            return LookupResult(WriteOutcome.FAILED, error=error or answer)
        if error is not None:
            return LookupResult(WriteOutcome.FAILED, error=error)
        now, write = self.plan.clock.monotonic(), self._write
        if write is None:
            return _judge_without_attempts(answer)
        age = self.plan.clock.time() - (self.call.sent_at or 0.0)
        outcome = _OUTCOMES[write.judge(answer, sent=sent, now=now, age=age)]
        value = answer.value if isinstance(answer, Found) else None
        wait = max(0.0, write.fence_ends() - now) if outcome is WriteOutcome.NOT_YET else None
        return LookupResult(outcome, value, wait=wait)


def _judge_without_attempts(answer: Found | NotFound) -> LookupResult:
    if isinstance(answer, NotFound):
        return LookupResult(WriteOutcome.NOT_YET)
    return LookupResult(WriteOutcome.FOUND if answer.matches else WriteOutcome.FOREIGN, answer.value)
