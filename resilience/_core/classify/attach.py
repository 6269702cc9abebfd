"""Attaches to an error what a pipeline found out: its `Failure`, the attempt that it ended, a note and a cause.

The record does not refer back to the error, so it is not part of a reference cycle. Everything is best effort: an
object that rejects attributes or notes is left alone (frozen dataclasses among them).
"""

from __future__ import annotations

from typing import Any

from ...errors import RejectedError
from ..policy.codes import Category
from .failure import Failure

__all__ = ["annotate", "attach_failure", "attached_failure", "inner_failure", "note_text", "set_cause"]

_ATTRIBUTE = "__resilience__"
_NOTE_PREFIX = "resilience: "
_MAX_ERRORS = 64


class _Record:
    """A call's failure, and the context of the outer attempt in which it was made (which is not pickled).

    The failure of a rejection is None until it is read, which makes rejecting a call cheap.
    """

    __slots__ = ("failure", "outer")

    def __init__(self, failure: Failure | None, outer: object = None) -> None:
        self.failure = failure
        self.outer = outer

    def failure_of(self, outcome: object) -> Failure | None:
        """Return the failure of the outcome that has this record."""
        if self.failure is None and isinstance(outcome, RejectedError):
            self.failure = _failure_of_rejection(outcome)
        return self.failure

    def __reduce__(self) -> tuple[Any, ...]:
        return _Record, (self.failure,)


def _failure_of_rejection(rejection: RejectedError) -> Failure:
    return Failure(
        Category.RETRYABLE,
        executed="no",
        retry_after=rejection.retry_after,
        retry_at=rejection.retry_at,
        remedy="Nothing was sent; try again later",
        attempts=0,
        operation=rejection.operation,
    )


def attach_failure(outcome: object, failure: Failure | None, outer: object) -> None:
    """Store the call's `Failure` on the error or answer.

    Args:
        outcome: the error, or the answer that is a failure.
        failure: what it means; None for the rejection of a first attempt, from which it can be made later.
        outer: the context of the attempt of an outer call, or None.
    """
    try:
        # `object.__setattr__`, because a class may override `__setattr__` with anything.
        object.__setattr__(outcome, _ATTRIBUTE, _Record(failure, outer))
    except (AttributeError, TypeError):
        pass


def attached_failure(outcome: object) -> Failure | None:
    """Return the stored `Failure`; for a rejection without one, build it."""
    record = _record(outcome)
    if record is None:
        rejection: Any = outcome if issubclass(type(outcome), RejectedError) else None
        return None if getattr(rejection, "policy", None) is None else _failure_of_rejection(rejection)
    return record.failure_of(outcome)


def inner_failure(error: BaseException, context: object) -> Failure | None:
    """Return the failure of a call that was made inside the attempt of this context and has given up, or None.

    It is searched along causes, contexts and the members of groups; of several, one that may have been executed is
    returned.
    """
    result: Failure | None = None
    seen: set[int] = set()
    stack: list[BaseException | None] = [error]
    while stack and len(seen) < _MAX_ERRORS:
        current = stack.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))  # by identity: an error may define `__eq__`
        record = _record(current)
        if record is None or record.outer is not context:
            stack += _sources(current)
        elif (failure := record.failure_of(current)) is not None and (result is None or failure.executed == "maybe"):
            result = failure
    return result


def _sources(error: BaseException) -> list[BaseException | None]:
    """Return `__context__`, group members and `__cause__`, in reverse order of visit."""
    try:
        members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        return [*members, error.__context__, error.__cause__]
    except Exception:
        return []


def _record(outcome: object) -> _Record | None:
    try:
        # `object.__getattribute__`, because a mock answers to any attribute.
        record = object.__getattribute__(outcome, _ATTRIBUTE)
    except AttributeError:
        return None
    return record if isinstance(record, _Record) else None


def annotate(error: BaseException, failure: Failure) -> None:
    """Put one note on the error, in place of an earlier one of ours: shared instances do not collect notes."""
    note = _NOTE_PREFIX + note_text(failure)
    try:
        notes: Any = getattr(error, "__notes__", None)
        if isinstance(notes, list):
            notes[:] = [other for other in notes if not (isinstance(other, str) and other.startswith(_NOTE_PREFIX))]
        error.add_note(note)
    except Exception:
        pass  # an error that rejects notes reaches the caller as it is


def note_text(failure: Failure) -> str:
    """Return a failure in one line: category, code, attempts, executed, key, remedy."""
    attempts = f"{failure.attempts} attempt" + ("" if failure.attempts == 1 else "s")
    code = f" {failure.code}" if failure.code else ""
    text = f"{failure.category}{code} after {attempts}, executed: {failure.executed}"
    if failure.key and failure.executed == "maybe":
        text += f", key {failure.key}"
    return f"{text}; {failure.remedy}" if failure.remedy else text


def set_cause(error: BaseException, cause: BaseException) -> None:
    """Make a rejection the cause of an error that has none."""
    try:
        if error.__cause__ is None:
            error.__cause__ = cause
    except Exception:
        pass  # an error that rejects attributes reaches the caller as it is
