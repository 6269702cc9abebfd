"""Emits the events of a failed call, each with what is known of its last failure."""

from __future__ import annotations

from typing import Any

from .call_time import CallTime
from .failure_report import caused_by
from .lookup_answer import answer_error
from .plan import Plan
from .steps import FailedCall

__all__ = ["CallEvents"]

_OF_FAILURE = ("code", "http_status", "executed", "registry", "retry_after", "remedy")
_OF_OUTCOME = (
    "attempt_failed",
    "call_failed",
    "write_unknown",
    "retries_exhausted",
    "budget_exhausted",
    "code_unknown",
)
"""What an outer call has to say of an attempt whose inner call has said the same before."""


class CallEvents:
    """The events of one call. Used by one thread or task.

    Attributes:
        attempt: number of the last attempt, from 1.
        is_lookup: a lookup of a write in doubt makes this call.
        is_inner: a call inside the last attempt has failed or was rejected, and has reported that.
        lookup_error: what a broken reconciler raised or returned, else None.
        outcome: the last error, or the last answer that is a failure.
    """

    __slots__ = (
        "_also", "_call", "_call_id", "_lookup_reported", "_plan", "_time", "attempt", "is_inner", "is_lookup",
        "lookup_error", "outcome",
    )  # fmt: skip

    def __init__(self, plan: Plan, call: FailedCall, time: CallTime, *, is_lookup: bool) -> None:
        self._plan = plan
        self._call = call
        self._time = time
        self._call_id = ""
        self._lookup_reported = self.is_inner = False
        self._also: tuple[str, ...] = ()
        self.is_lookup = is_lookup
        self.attempt = 1
        self.lookup_error: Any = None
        self.outcome: Any = None

    def emit(self, name: str, **fields: Any) -> None:
        """Emit an event with what is known of the last failure, if anybody listens."""
        if not self._plan.events.listeners:
            return
        if self.is_inner and name in _OF_OUTCOME:
            fields["inner"] = True
        failure = self._call.failure
        if self.is_lookup and failure is not None:
            fields |= {"lookup": True, "category": str(failure.category)}  # they decide the level
        events, info = self._plan.events, self._plan.info
        if not events.wants(name, fields):
            return  # before anything is looked up: most lines are filtered by their level
        # Made with the first event: a call that nobody listens to needs no identifier.
        self._call_id = self._call_id or self._plan.events.new_call_id()
        values: dict[str, Any] = {
            "call": self._call_id,
            "attempt": self.attempt,
            "key": self._call.key,
            "waited_so_far": self._time.waited,
            "caused_by": caused_by(self.outcome),
        }
        if failure is not None:
            known = failure.__dict__
            values |= {field: known[field] for field in _OF_FAILURE}
            values["category"] = str(failure.category)
        if callable(info.path):
            values["path"] = info.path(self._call.args, self._call.kwargs)
        values |= fields  # `call_abandoned` says its own `executed`, which covers the attempt under way
        self._plan.deliver(name, values)

    def emit_side_event(self, name: str, **fields: Any) -> None:
        """Emit an event that shares one log line with the call's end: the end names it in `also`."""
        self.emit(name, also=self._also or None, **fields)
        self._also = (*self._also, name)

    def emit_end(self, name: str, attempts: int, **fields: Any) -> None:
        """Emit how the call has ended."""
        if not self._plan.events.listeners:
            return
        self.emit(name, attempts=attempts, also=self._also or None, **fields)

    def report_attempt(self, duration: float, wait_for: float | None) -> None:
        """Emit that an attempt has failed, and that its code is in no table where that is so."""
        if self._plan.events.listeners:
            self.emit("attempt_failed", duration=duration, retry_safety=self._plan.retry_safety, wait_for=wait_for)
        failure = self._call.failure
        assert failure is not None
        if not failure.known and failure.code is not None and self._plan.classifier.is_new_code(failure):
            self.emit_side_event("code_unknown")

    def record_lookup_error(self, answer: object, *, is_broken: bool) -> None:
        """Record a lookup that is broken, or that returned another order; emits `lookup_failed`, once per call.

        Args:
            answer: what the reconciler raised or returned.
            is_broken: it would fail in the same way again.
        """
        if is_broken:
            self.lookup_error = answer_error(answer) if answer is None else answer
        if not self._lookup_reported:
            self._lookup_reported = True
            self.emit("lookup_failed", reconciler=_name_of(self._plan.reconcile), caused_by=_class_or_value(answer))


def _name_of(reconcile: Any) -> str:
    return str(getattr(reconcile, "__qualname__", None) or type(reconcile).__name__).rpartition("<locals>.")[2]


def _class_or_value(answer: object) -> str | None:
    """Return the class of what a broken reconciler raised, or the class of what it returned; never its text."""
    return caused_by(answer) if isinstance(answer, BaseException) else f"returned {type(answer).__name__}"
