"""What is kept with an error: its `Failure`, where a pipeline gave up on it, and one note.

The record does not refer back to the error, so nothing keeps it alive. Everything is best effort:
an object that refuses attributes or notes is left alone (frozen dataclasses among them).
"""

from __future__ import annotations

from typing import Any

from ...errors import RejectedError
from ..policy.codes import Category
from .failure import Failure

__all__ = ["annotate", "attach_failure", "attached_failure", "inner_failure"]

_SLOT = "__resilience__"
_MARK = "resilience: "


class _Record:
    """A call's failure, and the attempt of an outer call that it was part of, which stays behind when it is pickled.

    That of a refusal is None until somebody asks: an open breaker refuses at a price of next to nothing.
    """

    __slots__ = ("failure", "inside")

    def __init__(self, failure: Failure | None, inside: object = None) -> None:
        self.failure = failure
        self.inside = inside

    def of(self, outcome: object) -> Failure | None:
        """Return the failure of the outcome that has this record."""
        if self.failure is None and isinstance(outcome, RejectedError):
            self.failure = _refused(outcome)
        return self.failure

    def __reduce__(self) -> tuple[Any, ...]:
        return _Record, (self.failure,)


def _refused(refusal: RejectedError) -> Failure:
    return Failure(
        Category.RETRYABLE,
        executed="no",
        retry_after=refusal.retry_after,
        retry_at=refusal.retry_at,
        remedy="Nothing was sent; try again later",
        attempts=0,
        operation=refusal.operation,
    )


def attach_failure(outcome: object, failure: Failure | None, inside: object) -> None:
    """Remember what a call made of this outcome; `inside` is the attempt of an outer call, or None.

    A refusal of a first attempt says all of it by itself: its failure is None.
    """
    try:
        object.__setattr__(outcome, _SLOT, _Record(failure, inside))
    except (AttributeError, TypeError):
        pass


def attached_failure(outcome: object) -> Failure | None:
    """Return what a pipeline recorded for this outcome; a refusal of a policy's says all of it by itself."""
    record = _record(outcome)
    if record is None:
        refusal: Any = outcome if issubclass(type(outcome), RejectedError) else None
        return None if getattr(refusal, "policy", None) is None else _refused(refusal)
    return record.of(outcome)


def inner_failure(error: BaseException, place: object) -> Failure | None:
    """Return the failure of a call made inside `place` that has given up, or None.

    Causes, contexts and the members of groups are looked through; of several, one in doubt is returned.
    """
    found: Failure | None = None
    seen: set[int] = set()
    chain: list[BaseException | None] = [error]
    while chain and len(seen) < 64:
        one = chain.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        record = _record(one)
        if record is None or record.inside is not place:
            chain += _near(one)
        elif (failure := record.of(one)) is not None and (found is None or failure.executed == "maybe"):
            found = failure
    return found


def _near(error: BaseException) -> list[BaseException | None]:
    """Return what an error came from, its cause last; an object that refuses tells nothing."""
    try:
        members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        return [*members, error.__context__, error.__cause__]
    except Exception:
        return []


def _record(outcome: object) -> _Record | None:
    try:
        record = object.__getattribute__(outcome, _SLOT)
    except AttributeError:
        return None
    return record if isinstance(record, _Record) else None


def annotate(error: BaseException, failure: Failure) -> None:
    """Put one line on the error, in place of an earlier one of ours."""
    note = _MARK + note_text(failure)
    try:
        notes: Any = getattr(error, "__notes__", None)
        if isinstance(notes, list):
            notes[:] = [one for one in notes if not (isinstance(one, str) and one.startswith(_MARK))]
        error.add_note(note)
    except Exception:
        pass  # an error that refuses notes is handed on as it is


def note_text(failure: Failure) -> str:
    """Say a failure in one line: category, code, executed, attempts, remedy."""
    count = f"{failure.attempts} attempt" + ("" if failure.attempts == 1 else "s")
    code = f" {failure.code}" if failure.code else ""
    text = f"{failure.category}{code} after {count}, executed: {failure.executed}"
    if failure.key and failure.executed == "maybe":
        text += f", key {failure.key}"
    return f"{text}; {failure.remedy}" if failure.remedy else text
