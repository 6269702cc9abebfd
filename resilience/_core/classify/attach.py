"""Attaches to an error what a pipeline found out: its `Failure`, and the attempt that it ended.

The record does not refer back to the error, so it is not part of a reference cycle. Everything is best effort: an
object that rejects attributes is left alone (frozen dataclasses among them).

Records are numbered in the order in which they are made. An attempt reads the latest number when it begins, so that it
can tell the records of calls inside it from older ones, whatever thread or executor they come through, and whatever
clock these calls have. An error that is raised again after its call has ended carries an older record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from math import inf
from typing import Any, NamedTuple

from ...errors import RejectedError
from .attributes import get
from .error_notes import annotate, note_text, set_cause
from .error_shape import READ_NAMES
from .failure import Failure
from .record import Record, failure_of_rejection, read_record

__all__ = [
    "LATEST_RECORD",
    "InnerFailure",
    "annotate",
    "attach_failure",
    "attached_failure",
    "cancelled_call_behind",
    "failure_of_context",
    "has_given_up",
    "inner_failure",
    "note_text",
    "set_cause",
]

_ATTRIBUTE = "__resilience__"
_MAX_ERRORS = 64
_next_number = count(1).__next__  # atomic under the GIL: no lock, which a signal handler could need as well
LATEST_RECORD = [0]
"""The number of the latest record: a list, because the drivers read its item in a few nanoseconds.

Two threads may store their numbers in the wrong order. Then an attempt that begins at this moment takes the record of
the other thread for one of its own, if it gets that very error, and is not retried.
"""


class InnerFailure(NamedTuple):
    """What the calls inside an attempt have recorded on its error.

    Attributes:
        failure: of several, one that may have been executed.
        attempts: the attempts of all of them.
        certain: they were made in the attempt's own context. Else they may belong to a concurrent call that got the
            same error object, so that their word about what was executed is not enough.
    """

    failure: Failure
    attempts: int
    certain: bool


def attach_failure(outcome: object, failure: Failure | None, outer: object, *, gave_up: bool = True) -> None:
    """Store the call's `Failure` on the error or answer.

    Args:
        outcome: the error, or the answer that is a failure.
        failure: what it means; None for the rejection of a first attempt, from which it can be made later.
        outer: the context of the attempt of an outer call, or None.
        gave_up: whether the call has ended for good, so that no layer above may send again.
    """
    LATEST_RECORD[0] = number = _next_number()
    try:
        # `object.__setattr__`, because a class may override `__setattr__` with anything.
        object.__setattr__(outcome, _ATTRIBUTE, Record(failure, outer, number, gave_up=gave_up))
    except (AttributeError, TypeError):
        pass


def attached_failure(outcome: object) -> Failure | None:
    """Return the stored `Failure`; for a rejection without one, build it."""
    record = _record(outcome)
    if record is None:
        rejection: Any = outcome if issubclass(type(outcome), RejectedError) else None
        return None if getattr(rejection, "policy", None) is None else failure_of_rejection(rejection)
    return record.failure_of(outcome)


def cancelled_call_behind(error: BaseException) -> Failure | None:
    """Return the failure of a cancelled call of which this timeout or cancellation has come, or None.

    `asyncio.wait_for` and `asyncio.timeout` raise a `TimeoutError` with the cancellation as its cause.
    """
    if isinstance(error, Exception) and not isinstance(error, TimeoutError):
        return None  # whatever else was raised meanwhile is an error of its own
    for current, record in _records(error):
        if record is not None and not isinstance(current, Exception):
            return record.failure_of(current)
    return None


def failure_of_context(error: BaseException, context: object) -> Failure | None:
    """Return the failure on this very error if a call inside the attempt of this context has recorded it, or None."""
    record = _record(error)
    return record.failure_of(error) if record is not None and record.outer is context else None


def has_given_up(error: BaseException) -> bool:
    """Return whether a call of ours has ended with this error, or with one along its causes, contexts and members."""
    if issubclass(type(error), RejectedError):
        return True
    return any(record is not None and record.gave_up for _, record in _records(error))


def inner_failure(error: BaseException, context: object, after: float = inf) -> InnerFailure | None:
    """Return what calls made inside an attempt have recorded when they gave up, or None where there is no such call.

    It is searched along causes, contexts and the members of groups; of several, one that may have been executed is
    returned.

    Args:
        error: the error that the attempt raised.
        context: the attempt's context: calls that have inherited it are certainly inside.
        after: the number of the latest record when the attempt began. Later ones belong to calls inside it, which an
            executor may have run without the context. Infinite to go by the context alone.
    """
    if _is_alone_without_record(error):
        return None  # nearly every error

    def is_inside(record: Record) -> bool:
        return record.gave_up and (record.outer is context or record.number > after)

    result: InnerFailure | None = None
    for current, record in _records(error, is_inside):
        failure = record.failure_of(current) if record is not None and is_inside(record) else None
        if failure is None or record is None:
            continue
        certain = record.outer is context
        if result is None:
            result = InnerFailure(failure, failure.attempts, certain)
        else:
            worst = failure if failure.executed == "maybe" else result.failure
            result = InnerFailure(worst, result.attempts + failure.attempts, certain and result.certain)
    return result


def _records(
    error: BaseException, is_end: Callable[[Record], bool] = lambda _: True
) -> Iterator[tuple[Any, Record | None]]:
    """Yield an error and what it came from, each with its record; nothing behind a record that is an end."""
    seen: set[int] = set()
    stack: list[Any] = [error]
    while stack and len(seen) < _MAX_ERRORS:
        current = stack.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))  # by identity: an error may define `__eq__`
        record = _record(current)
        if record is None or not is_end(record):
            stack += _sources(current)
        yield current, record


def _is_alone_without_record(error: BaseException) -> bool:
    """Return whether an error has no record and has come from nothing else, so that nothing has to be searched."""
    if not _has_plain_dict(error) or error.__context__ is not None or error.__cause__ is not None:
        return False  # a group, a class that computes attributes or that was never met before, or a chain of errors
    held = error.__dict__  # of a class of its own, it may not show what it has
    return type(held) is dict and _ATTRIBUTE not in held and getattr(error, "response", None) is None


def _has_plain_dict(outcome: object) -> bool:
    """Return whether the class of an error is known to compute no attributes."""
    try:
        return READ_NAMES.get(type(outcome)) is not None
    except TypeError:  # a class without a hash, because its metaclass has none
        return False


def _sources(error: object) -> list[Any]:
    """Return `__context__`, group members, `__cause__` and `response`, in reverse order of visit.

    The error that `raise_for_status` makes of an answer has the answer as its `response`, and that has the record.
    """
    if not isinstance(error, BaseException):
        return []
    try:
        members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        return [*members, error.__context__, error.__cause__, get(error, "response")]
    except Exception:
        return []


def _record(outcome: object) -> Record | None:
    try:
        # A missing attribute raises an error, which costs ten times as much as reading the dict.
        if _has_plain_dict(outcome) and type(outcome.__dict__) is dict:
            held = outcome.__dict__.get(_ATTRIBUTE)
            return None if held is None else read_record(held)
        # `object.__getattribute__`, because a mock answers to any attribute.
        found = object.__getattribute__(outcome, _ATTRIBUTE)
    except AttributeError:
        return None
    return read_record(found)
