"""Tests of what is attached to an error: its failure, the attempt that it ended, and one note."""

from __future__ import annotations

import pickle
from asyncio import CancelledError
from copy import copy, deepcopy
from dataclasses import dataclass
from math import inf
from typing import Any

import pytest

from resilience import Category, CircuitOpenError, Failure
from resilience._core.classify.attach import (
    LATEST_RECORD,
    InnerFailure,
    annotate,
    attach_failure,
    attached_failure,
    cancelled_call_behind,
    failure_of_context,
    has_given_up,
    inner_failure,
    note_text,
)
from resilience._core.classify.error_shape import shape_of

HERE, THERE = object(), object()
FAILED = Failure(Category.RETRYABLE, "40010", executed="no")
UNCERTAIN = Failure(Category.RETRYABLE, "40010", executed="maybe")


def failed(failure: Failure | None = FAILED, inside: object = HERE, *args: Any) -> Exception:
    """Return an error on which an inner call in `inside` has given up."""
    error = OSError(*args)
    attach_failure(error, failure, inside)
    return error


def test_an_attached_failure_is_found() -> None:
    """The failure is attached to the error itself; an object that takes no attributes is left alone."""
    assert attached_failure(failed()) == FAILED
    assert attached_failure(OSError()) is None
    for plain in (3, "text", None, (), {}, OSError):
        attach_failure(plain, FAILED, None)
        assert attached_failure(plain) is None
    odd = OSError()
    odd.__resilience__ = "something else"  # type: ignore[attr-defined]
    assert attached_failure(odd) is None


def test_the_failure_of_a_rejection_is_made_from_the_error() -> None:
    """The failure of a rejection is made when it is read."""
    refusal = CircuitOpenError("open", policy="p", operation="op", retry_after=3.0, retry_at=5.0)
    found = attached_failure(refusal)
    assert found == Failure(
        Category.RETRYABLE, executed="no", retry_after=3.0, retry_at=5.0, remedy="Nothing was sent; try again later",
        attempts=0, operation="op",
    )  # fmt: skip
    attach_failure(refusal, None, HERE)
    assert (attached_failure(refusal), attached_failure(refusal) is attached_failure(refusal)) == (found, True)
    assert attached_failure(CircuitOpenError("by hand")) is None
    assert attached_failure(failed(None)) is None


def found(error: BaseException, context: object = HERE, after: float = inf) -> Failure | None:
    """Return the failure of the inner call that gave up, if there is one."""
    inner = inner_failure(error, context, after)
    return None if inner is None else inner.failure


def test_a_record_survives_pickling_without_its_context() -> None:
    """In another process the record belongs to no attempt, and it is later than every attempt."""
    error = pickle.loads(pickle.dumps(failed()))
    assert attached_failure(error) == FAILED
    assert found(error) is None
    assert inner_failure(error, HERE, 10**9) == InnerFailure(FAILED, 1, certain=False)


def test_a_copied_error_is_no_newer_than_the_error() -> None:
    """An error that is copied keeps the number of its record."""
    error = failed()
    for copied in (copy(error), deepcopy(error)):
        assert found(copied, THERE, LATEST_RECORD[0]) is None


def test_an_inner_call_that_gave_up_is_found_along_the_error_chain() -> None:
    """It is found by cause, by context, in groups and by the answer; that of another attempt is ignored."""
    inner = failed()
    for build in (_caused, _in_context, _of_answer, lambda error: ExceptionGroup("g", [OSError(), error])):
        assert found(build(inner)) == FAILED
        assert found(build(inner), THERE) is None
    assert found(inner) == FAILED
    assert found(OSError()) is None
    assert found(_caused(failed(None))) is None


def test_a_record_of_a_lost_context_is_recognised_by_its_number() -> None:
    """A record made after the attempt began is of a call inside it; an older one is of a call before it."""
    old = failed(inside=None)
    began = LATEST_RECORD[0]
    new = failed(inside=None)
    assert inner_failure(_caused(new), HERE, began) == InnerFailure(FAILED, 1, certain=False)
    assert inner_failure(_caused(old), HERE, began) is None
    assert inner_failure(failed(), HERE, began) == InnerFailure(FAILED, 1, certain=True)
    both = inner_failure(ExceptionGroup("g", [new, failed(), old]), HERE, began)
    assert both == InnerFailure(FAILED, 2, certain=False)


def test_a_cancelled_call_has_not_given_up_unless_it_is_uncertain() -> None:
    """A timeout of the caller's own around a harmless call is retried; one around an uncertain write is not."""
    for uncertain in (False, True):
        cancelled = CancelledError()
        attach_failure(cancelled, UNCERTAIN, HERE, gave_up=uncertain)
        error = TimeoutError()
        error.__cause__ = cancelled
        assert (found(error) is not None, has_given_up(error)) == (uncertain, uncertain)
        assert cancelled_call_behind(error) == UNCERTAIN
        assert cancelled_call_behind(cancelled) == UNCERTAIN
        assert cancelled_call_behind(_caused(cancelled)) is None
        assert failure_of_context(cancelled, HERE) == UNCERTAIN
        assert failure_of_context(cancelled, THERE) is None
        copied = pickle.loads(pickle.dumps(cancelled))
        assert has_given_up(copied) is uncertain
    assert cancelled_call_behind(TimeoutError()) is None


def test_an_error_has_given_up_once_a_call_has_ended_with_it() -> None:
    """So has a rejection, and an error that was made from one; no other error has."""
    assert has_given_up(failed())
    assert has_given_up(_caused(failed(inside=None)))
    assert has_given_up(CircuitOpenError("by hand"))
    assert not has_given_up(OSError())


def _caused(by: BaseException) -> Exception:
    error = RuntimeError()
    error.__cause__ = by
    return error


def _of_answer(failed: Exception) -> Exception:
    error = RuntimeError()
    error.response = failed  # type: ignore[attr-defined]
    return error


def _in_context(of: Exception) -> Exception:
    error = RuntimeError()
    error.__context__ = of
    return error


@pytest.mark.parametrize("order", [(FAILED, UNCERTAIN), (UNCERTAIN, FAILED)])
def test_of_several_inner_failures_an_uncertain_one_is_returned(order: tuple[Failure, Failure]) -> None:
    """An uncertain inner failure is returned, whatever the order of the failures."""
    group = ExceptionGroup("g", [failed(failure) for failure in order])
    assert found(group) == UNCERTAIN


def test_the_search_ends_in_a_cycle_and_in_a_long_chain() -> None:
    """The search ends after sixty-four errors."""
    oserror = OSError()
    oserror.__cause__ = oserror
    assert found(oserror) is None
    for links, expected in ((63, FAILED), (64, None)):
        error: Exception = failed()
        for _ in range(links):
            error = _caused(error)
        assert found(error) == expected


class Closed(ExceptionGroup[Exception]):
    """A group whose members cannot be read."""

    @property
    def exceptions(self) -> Any:
        """Raise."""
        raise RuntimeError("no")


def test_an_object_that_rejects_attributes_has_no_record() -> None:
    """Its attributes cannot be set, and no other error is hidden."""
    assert inner_failure(Closed("g", [failed()]), HERE) is None


@dataclass(frozen=True)
class Frozen(Exception):
    """An error that takes no note."""

    code: int = 1


def test_a_later_note_replaces_ours() -> None:
    """Notes of other libraries stay; an error that rejects notes is unchanged."""
    error = OSError()
    error.add_note("mine")
    annotate(error, UNCERTAIN)
    error.__notes__.insert(0, 3)  # type: ignore[arg-type]
    annotate(error, FAILED)
    assert error.__notes__ == [3, "mine", "resilience: retryable 40010 after 1 attempt, executed: no"]
    annotate(Frozen(), FAILED)
    odd = OSError()
    odd.__notes__ = "text"  # type: ignore[assignment]
    annotate(odd, FAILED)
    assert odd.__notes__ == "text"


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (Failure(Category.FATAL, attempts=2, executed="no"), "fatal after 2 attempts, executed: no"),
        (Failure(Category.FATAL, attempts=0, executed="no"), "fatal after 0 attempts, executed: no"),
        (
            Failure(Category.RETRYABLE, "1", key="k", executed="maybe", remedy="Look"),
            "retryable 1 after 1 attempt, executed: maybe, key k; Look",
        ),
        (Failure(Category.RETRYABLE, "1", key="k", executed="no"), "retryable 1 after 1 attempt, executed: no"),
        (Failure(Category.RETRYABLE, "1", executed="maybe"), "retryable 1 after 1 attempt, executed: maybe"),
    ],
)
def test_a_failure_in_words(failure: Failure, text: str) -> None:
    """Category, code, attempts, whether it was executed, the key where that is uncertain, and the remedy."""
    assert note_text(failure) == text


class Impostor(Exception):
    """It has another dict than it shows."""

    __dict__: Any = property(lambda _: {"code": "43012"})  # type: ignore[assignment]


def test_a_record_is_found_whatever_dict_an_error_shows() -> None:
    """An error that computes its `__dict__` carries its record all the same, before and after its class was met."""
    for _ in range(2):
        error = Impostor()
        attach_failure(error, FAILED, HERE)
        shape_of(error)
        assert inner_failure(error, HERE) == InnerFailure(FAILED, 1, True)
        assert attached_failure(error) == FAILED


class Hiding(dict[str, Any]):
    """A dict of a class of its own, which does not show what is in it."""

    def __contains__(self, _name: object) -> bool:
        return False

    def get(self, _name: str, default: Any = None) -> Any:
        """Return the default."""
        return default


def test_a_record_is_found_in_a_dict_that_hides_it() -> None:
    """An error may have a dict of any class: the inner call that gave up is found, so that retries do not multiply."""
    odd = OSError()
    odd.__dict__ = Hiding()
    assert shape_of(odd) is not None
    attach_failure(odd, FAILED, HERE)
    assert attached_failure(odd) == FAILED
    assert inner_failure(odd, HERE) is not None
